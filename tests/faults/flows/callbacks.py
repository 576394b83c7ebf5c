"""What becomes of runs that work elsewhere, and call back."""

from chalicelib.engine.running.signing import callback_url
from tests.faults.flow import OK, Act, event, request
from tests.faults.flows.steps import ONCE, RETRY, at, be_at, ring
from tests.faults.system import System
from tests.support.world import PUBLIC_URL

LATE = "TIMED_OUT"
WAITS = {"outcome": "wait"}
IN_TWO_MINUTES = {"deadline_seconds": 120}


@event({"elsewhere": [(2, LATE, "FAILED")]})
def work_that_is_accepted_elsewhere(system: System) -> Act:
    """Nobody ever calls back. Without an address for it the attempt fails."""
    system.job("elsewhere", at(2), config=WAITS, callback=IN_TWO_MINUTES, retry=ONCE)
    ring(system, 2)
    return system.deliver


def a_waiting_run(system: System, **fields: object) -> str:
    """The path to which it is to call back."""
    system.job("elsewhere", at(2), config=WAITS, callback=IN_TWO_MINUTES, **fields)
    ring(system, 2)
    system.deliver()
    [run] = system.runs()
    be_at(system, 10)
    return callback_url(system.secrets, run).removeprefix(PUBLIC_URL)


@request({"elsewhere": [(2, OK)]}, undone={"elsewhere": [(2, LATE)]})
def a_callback_of_success(system: System) -> Act:
    path = a_waiting_run(system, retry=ONCE, concurrency={"policy": "forbid"})
    return lambda: system.api("POST", f"{path}/success", {"result": 1})


@request({"elsewhere": [(2, LATE)]}, repeated_as=(410,))
def a_callback_of_failure(system: System) -> Act:
    """The next attempt waits in vain."""
    path = a_waiting_run(system, retry=RETRY)
    return lambda: system.api("POST", f"{path}/failure", {"error": {"message": "no", "retryable": True}})


@request({"elsewhere": [(2, LATE)]})
def a_callback_of_progress(system: System) -> Act:
    path = a_waiting_run(system, retry=ONCE)
    return lambda: system.api("POST", f"{path}/progress", {"percent": 50})


@event({"elsewhere": [(2, LATE)]})
def a_callback_that_does_not_come(system: System) -> Act:
    a_waiting_run(system, retry=ONCE, pause_after_failures=3)
    be_at(system, 180)

    def look() -> None:
        system.tick()
        system.deliver()

    return look
