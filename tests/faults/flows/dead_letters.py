"""What becomes of messages that were received too often."""

from tests.faults.flow import GIVEN_UP, OK, Act, event
from tests.faults.flows.steps import at, be_at, ring
from tests.faults.system import System


def given_up(system: System) -> None:
    """All that lies in the lane has been received too often."""
    lane, dead = system.lanes["fast"], system.dead
    for message in lane.messages:
        message.visible_ms = system.clock.now_ms()
    dead.messages, lane.messages = lane.messages, []


@event(
    {
        "unknown": [(2, GIVEN_UP, OK)],
        "counting": [(2, GIVEN_UP, OK)],
        "paused": [(2, "paused")],
        "deleted": [(2, "superseded")],
    }
)
def messages_that_nobody_could_start(system: System) -> Act:
    system.job("unknown", at(2))
    system.job("counting", at(2), pause_after_failures=1)
    paused, deleted = system.job("paused", at(2)), system.job("deleted", at(2))
    ring(system, 2)
    assert system.api("POST", f"/jobs/{paused}/pause")
    assert system.api("DELETE", f"/jobs/{deleted}")
    given_up(system)
    return system.deliver


@event({"killed": [(2, GIVEN_UP, OK)], "held": [(2, OK, GIVEN_UP)]})
def messages_of_workers_that_died(system: System) -> Act:
    """One's lease has run out; the other's has not, so that it is rung again."""
    system.killed = lambda _job, run: run.starts == 1
    system.job("killed", at(2), timeout_seconds=1)
    system.job("held", at(2), timeout_seconds=60)
    ring(system, 2)
    lane = system.lanes["fast"]
    together, lane.messages = lane.messages, []
    for message in together:
        lane.messages.append(message)
        system.deliver()
    be_at(system, 14)
    given_up(system)
    return system.deliver
