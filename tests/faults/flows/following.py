"""What becomes of runs whose work goes on elsewhere while workers look after it."""

from tests.faults.flow import CANCELLED, OK, Act, event, request
from tests.faults.flows.steps import ONCE, RETRY, at, be_at, ring
from tests.faults.system import System

LATE = "TIMED_OUT"
FOLLOWS = {"outcome": "follow", "follow_seconds": 4}
LASTING = {"outcome": "follow", "follow_seconds": 3600}


@event({"followed": [(2, OK)]})
def work_that_is_begun_elsewhere(system: System) -> Act:
    system.job("followed", at(2), config=FOLLOWS, retry=RETRY)
    ring(system, 2)
    return system.deliver


def a_followed_run(system: System, config: dict[str, object], **fields: object) -> str:
    """The run's id; its first look is due at second 7."""
    system.job("followed", at(2), config=config, **fields)
    ring(system, 2)
    system.deliver()
    [run] = system.runs()
    assert run.status == "WAITING"
    return run.id


@event({"followed": [(2, OK)]})
def a_look_that_finds_the_end(system: System) -> Act:
    a_followed_run(system, FOLLOWS, concurrency={"policy": "forbid"}, retry=ONCE)
    be_at(system, 8)
    return system.deliver


@event({"followed": [(2, OK)]})
def a_look_that_finds_it_going_on(system: System) -> Act:
    a_followed_run(system, {**FOLLOWS, "follow_seconds": 20}, concurrency={"policy": "forbid"}, retry=ONCE)
    be_at(system, 8)
    return system.deliver


@event({"followed": [(2, LATE)]})
def a_look_after_the_deadline(system: System) -> Act:
    a_followed_run(system, {**LASTING, "follow_deadline_seconds": 5}, retry=ONCE)
    be_at(system, 8)
    return system.deliver


@request({"followed": [(2, CANCELLED)]}, undone={"followed": [(2, LATE)]})
def a_followed_run_is_cancelled(system: System) -> Act:
    run = a_followed_run(system, {**LASTING, "follow_deadline_seconds": 60}, retry=ONCE)
    be_at(system, 4)
    return lambda: system.api("POST", f"/runs/{run}/cancel")


@event({"followed": [(2, CANCELLED)]})
def a_look_whose_job_is_deleted(system: System) -> Act:
    run = a_followed_run(system, LASTING, concurrency={"policy": "forbid"}, retry=ONCE)
    be_at(system, 4)
    assert system.api("DELETE", f"/jobs/{next(each.job_id for each in system.runs() if each.id == run)}")
    be_at(system, 8)
    return system.deliver


@event({"followed": [(2, CANCELLED)]})
def a_look_that_stops_the_work(system: System) -> Act:
    run = a_followed_run(system, LASTING, concurrency={"policy": "forbid"}, retry=ONCE)
    be_at(system, 4)
    assert system.api("POST", f"/runs/{run}/cancel")
    return system.deliver
