"""What clients ask of runs, dead letters and backfills."""

import json

from tests.faults.flow import CANCELLED, FAILED, OK, Act, request
from tests.faults.flows.steps import FAILS, FAILS_FIRST, MANUAL, ONCE, RETRY, at, be_at, hourly, moment, ring
from tests.faults.system import System


@request({"retried": [(2, CANCELLED)]}, undone={"retried": [(2, OK)]})
def cancel_between_attempts(system: System) -> Act:
    system.job("retried", at(2), config=FAILS_FIRST, retry=RETRY)
    ring(system, 2)
    system.deliver()
    [run] = system.runs()
    return lambda: system.api("POST", f"/runs/{run.id}/cancel")


@request({"queue": [(2, CANCELLED), (3, OK)]}, undone={"queue": [(2, OK), (3, OK)]})
def cancel_one_with_a_slot_for_which_another_waits(system: System) -> Act:
    queue = {"policy": "queue", "buffer": 2}
    system.job("queue", at(2, 3), config=FAILS_FIRST, retry=RETRY, concurrency=queue)
    ring(system, 3)
    system.deliver()
    first = min(system.runs(), key=lambda run: run.nominal_ms)
    return lambda: system.api("POST", f"/runs/{first.id}/cancel")


@request({"triggered": [("manual", CANCELLED)]}, undone={"triggered": [("manual", OK)]})
def cancel_before_the_start(system: System) -> Act:
    path = f"/jobs/{system.job('triggered', MANUAL)}"
    be_at(system, 0)
    assert system.api("POST", f"{path}/trigger")
    [run] = system.runs()
    return lambda: system.api("POST", f"/runs/{run.id}/cancel")


@request({"failed": [(2, FAILED), ("redrive", OK)]}, undone={"failed": [(2, FAILED)]})
def redrive(system: System) -> Act:
    run = a_dead_letter(system)
    return lambda: system.api("POST", f"/dead-letters/{run}/redrive", key="k1")


def is_off_the_list(system: System, done: bool) -> bool:
    return not (done and any(run.dead for run in system.runs()))


@request({"failed": [(2, FAILED)]}, repeated_as=(404,), holds=is_off_the_list)
def purge(system: System) -> Act:
    run = a_dead_letter(system)
    return lambda: system.api("DELETE", f"/dead-letters/{run}")


def a_dead_letter(system: System) -> str:
    """Its id. The job has been mended since."""
    job = system.job("failed", at(2), config=FAILS, retry=ONCE)
    ring(system, 2)
    system.deliver()
    [run] = system.runs()
    assert run.dead
    assert system.api("PATCH", f"/jobs/{job}", {"config": {"outcome": "success"}})
    return run.id


def counted_each_run_once(system: System, _done: bool) -> bool:
    for item in system.aws.items("catalog"):
        if item["sk"] == "backfill":
            backfill = json.loads(str(item["doc"]))
            ended = sum(backfill["ended"].values())
            claimed = [run for run in system.runs() if run.backfill]
            if backfill["finished_ms"] is None or not ended == backfill["claimed"] == len(claimed):
                return False
    return True


MORNING = [(-3 * 3600 + 1800, OK), (-2 * 3600 + 1800, OK), (-3600 + 1800, OK)]


def asked_for(max_active: int) -> dict[str, object]:
    return {"start": moment(-3 * 3600), "end": moment(-600), "max_active": max_active}


@request({"hourly": [*MORNING, (1800, OK)]}, undone={"hourly": [(1800, OK)]}, holds=counted_each_run_once)
def begin_a_backfill(system: System) -> Act:
    path = f"/jobs/{system.job('hourly', hourly(1800))}"
    be_at(system, 0)
    return lambda: system.api("POST", f"{path}/backfills", asked_for(2), key="k1")


@request(
    {"hourly": [MORNING[0], (1800, OK)]},
    undone={"hourly": [*MORNING, (1800, OK)]},
    holds=counted_each_run_once,
)
def cancel_a_backfill(system: System) -> Act:
    path = f"/jobs/{system.job('hourly', hourly(1800))}"
    be_at(system, 0)
    begun = system.api("POST", f"{path}/backfills", asked_for(1))
    assert begun
    return lambda: system.api("POST", f"/backfills/{begun.json['id']}/cancel")


def _reading(system: System, *paths: str) -> Act:
    def act() -> object:
        answer = None
        for path in paths:
            answer = system.api("GET", path)
            if answer is None or answer.status >= 400:
                break
        return answer

    return act


@request({"read": [(2, FAILED)]})
def read_a_job(system: System) -> Act:
    job = f"/jobs/{system.job('read', at(2), config=FAILS, retry=ONCE)}"
    ring(system, 2)
    system.deliver()
    parts = ("", "/upcoming", "/runs", "/timeline", "/backfills", "/revisions", "/revisions/1")
    return _reading(system, *(job + part for part in parts))


@request({"read": [(2, FAILED)]})
def read_lists(system: System) -> Act:
    system.job("read", at(2), config=FAILS, retry=ONCE)
    ring(system, 2)
    system.deliver()
    [run] = system.runs()
    return _reading(system, "/jobs", f"/runs/{run.id}", "/dead-letters", "/health", "/calendars")


@request({"read": [(2, OK)]})
def read_all_runs(system: System) -> Act:
    system.job("read", at(2))
    ring(system, 2)
    system.deliver()
    return _reading(system, "/runs")
