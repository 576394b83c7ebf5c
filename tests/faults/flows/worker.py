"""What workers do with their batches."""

import json

from tests.faults.checker import Evidence
from tests.faults.flow import CANCELLED, FAILED, GIVEN_UP, OK, Act, event
from tests.faults.flows.api_runs import MORNING, asked_for, counted_each_run_once
from tests.faults.flows.steps import FAILS, FAILS_FIRST, ONCE, RETRY, RETRY_LATER, at, be_at, hourly, ring
from tests.faults.system import System


@event({"alone": [(2, OK)]})
def one_alone(system: System) -> Act:
    system.job("alone", at(2))
    ring(system, 2)
    return system.deliver


@event({"first": [(2, OK)], "second": [(2, OK)], "third": [(3, OK)]})
def a_fresh_batch(system: System) -> Act:
    for name, second in (("first", 2), ("second", 2), ("third", 3)):
        system.job(name, at(second))
    ring(system, 1)
    system.tick()
    return system.deliver


@event({"near": [(2, OK)], "far": [(2, OK)], "hopeless": [(2, FAILED)]})
def first_attempts_that_fail(system: System) -> Act:
    system.job("near", at(2), config=FAILS_FIRST, retry=RETRY)
    system.job("far", at(2), config=FAILS_FIRST, retry=RETRY_LATER)
    system.job("hopeless", at(2), config=FAILS, retry=ONCE)
    ring(system, 2)
    return system.deliver


@event({"watched": [(1, OK)], "report": [(20, OK)]})
def a_report_of_runs(system: System) -> Act:
    watched = system.job("watched", at(1))
    section = {"title": "Runs", "source": {"kind": "runs", "jobs": [watched]}}
    config = {"title": "Runs", "format": "csv", "sections": [section], "if_empty": "fail"}
    system.job("report", at(20), type="report", config=config, retry=RETRY)
    ring(system, 1)
    system.deliver()
    be_at(system, 20)
    return system.deliver


FORBID, QUEUE, REPLACE = ({"policy": policy} for policy in ("forbid", "queue", "replace"))


@event({"one": [(2, OK), (3, "overlap", OK)]})
def a_second_one_is_forbidden(system: System) -> Act:
    """The first lies between its attempts when the second comes."""
    system.job("one", at(2, 3), config=FAILS_FIRST, retry=RETRY, concurrency=FORBID)
    ring(system, 3)
    return system.deliver


@event({"one": [(2, OK, "overlap"), (3, OK, "buffer_full"), (4, "buffer_full", OK)]})
def a_second_one_waits_and_a_third_finds_no_place(system: System) -> Act:
    system.job("one", at(2, 3, 4), config=FAILS_FIRST, retry=RETRY, concurrency=QUEUE)
    ring(system, 4)
    return system.deliver


@event({"one": [(2, "CANCELLED", OK, "overlap"), (3, OK)]})
def a_second_one_replaces_the_first(system: System) -> Act:
    system.job("one", at(2, 3), config=FAILS_FIRST, retry=RETRY, concurrency=REPLACE)
    ring(system, 3)
    return system.deliver


@event({"retried": [(2, OK)], "last": [(2, FAILED)]})
def second_attempts(system: System) -> Act:
    system.job("retried", at(2), config=FAILS_FIRST, retry=RETRY)
    system.job("last", at(2), config=FAILS, retry=RETRY)
    ring(system, 2)
    system.deliver()
    be_at(system, 12)
    return system.deliver


@event({"early": [(90, OK)], "moved": [(2, OK)], "paused": [(2, "paused")], "deleted": [(2, "superseded")]})
def messages_that_start_nothing_here(system: System) -> Act:
    """One comes too early, one belongs to the other lane by now, two are not wanted any more."""
    system.job("early", at(90))
    moved, paused, deleted = (system.job(name, at(2)) for name in ("moved", "paused", "deleted"))
    ring(system, 2)
    assert system.api("PATCH", f"/jobs/{moved}", {"timeout_seconds": 600})
    assert system.api("POST", f"/jobs/{paused}/pause")
    assert system.api("DELETE", f"/jobs/{deleted}")
    for message in system.lanes["fast"].messages:
        message.visible_ms = system.clock.now_ms()
    return system.deliver


@event({"killed": [(2, OK)], "held": [(2, OK)]})
def runs_of_workers_that_died(system: System) -> Act:
    """Their messages come again: one's lease has run out, the other's has not."""
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
    for message in lane.messages:
        message.visible_ms = system.clock.now_ms()
    return system.deliver


def is_paused_after_its_failures(system: System, _done: bool) -> bool:
    [job] = Evidence(system).jobs.values()
    return job.status == "paused" and job.pause_cause == "failures"


@event({"failing": [(2, FAILED), (3, FAILED)]}, holds=is_paused_after_its_failures)
def the_last_failure_of_a_row(system: System) -> Act:
    system.job("failing", at(2, 3), config=FAILS, retry=ONCE, pause_after_failures=2)
    ring(system, 3)
    return system.deliver


@event({"hourly": [*MORNING, (1800, OK)]}, holds=counted_each_run_once)
def a_run_of_a_backfill_ends(system: System) -> Act:
    path = f"/jobs/{system.job('hourly', hourly(1800))}"
    be_at(system, 0)
    assert system.api("POST", f"{path}/backfills", asked_for(2))
    return system.deliver


@event({"long": [(2, OK)], "failing": [(2, FAILED)]})
def a_batch_of_the_long_lane(system: System) -> Act:
    system.job("long", at(2), timeout_seconds=600, config=FAILS_FIRST, retry=RETRY)
    system.job("failing", at(2), timeout_seconds=600, config=FAILS, retry=ONCE)
    ring(system, 2)
    return system.deliver


@event({"orphan": [(2, GIVEN_UP)]})
def a_run_whose_worker_died_and_whose_job_is_gone(system: System) -> Act:
    system.killed = lambda _job, _run: True
    job = system.job("orphan", at(2), timeout_seconds=1)
    ring(system, 2)
    system.deliver()
    assert system.api("DELETE", f"/jobs/{job}")
    be_at(system, 102)
    return system.deliver


@event({"slow": [(2, OK)]})
def an_attempt_with_heartbeats(system: System) -> Act:
    system.job("slow", at(2), config={"duration_seconds": 25}, timeout_seconds=60, concurrency=FORBID)
    ring(system, 2)
    return system.deliver


def has_counted_its_run(system: System, _done: bool) -> bool:
    """Once, or more often where the record was lost after the effect."""
    states = [item for item in system.aws.items("runs") if item["sk"] == "state"]
    return [json.loads(str(item["doc"]))["runs"] >= 1 for item in states] == [True]


@event({"counting": [(2, OK)]}, holds=has_counted_its_run)
def an_attempt_that_keeps_a_state(system: System) -> Act:
    """Where the state cannot be written the attempt fails, and is made again."""
    system.job("counting", at(2), config={"count_runs": True}, retry=RETRY)
    ring(system, 2)
    return system.deliver


@event({"telling": [(2, OK)]})
def an_attempt_that_tells_lines(system: System) -> Act:
    """With a heartbeat. Lines may be lost, and nothing else."""
    system.job("telling", at(2), config={"log_lines": 3, "duration_seconds": 15}, timeout_seconds=60)
    ring(system, 2)
    return system.deliver


@event({"slow": [(2, CANCELLED, OK)]})
def an_attempt_that_is_cancelled_under_way(system: System) -> Act:
    """By a client who asks once, and may be refused."""
    system.job("slow", at(2), config={"duration_seconds": 25}, timeout_seconds=60)
    system.meanwhile = lambda run: system.api("POST", f"/runs/{run.id}/cancel")
    ring(system, 2)
    return system.deliver
