"""Skips, triggers, edits and start deadlines: the api and the engine together, in memory. The clock begins at noon."""

from typing import Any

import pytest

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.run import RunStatus
from chalicelib.engine.message import Delivery
from chalicelib.executors.attempt import attempts
from chalicelib.executors.base import ExecutorSettings
from chalicelib.ports.contact import Contact
from tests.support.api import ApiClient
from tests.support.world import NOON, World

SECOND, MINUTE = 1000, 60_000
DUMMY = {"type": "dummy", "config": {}}
HOURLY = {**DUMMY, "schedule": "0 * * * *"}
EACH_MINUTE = {**DUMMY, "schedule": "* * * * *"}
MANUAL = {"schedule": {"kind": "manual"}}


class Killed(BaseException):
    """The end of a worker, at any instruction."""


def die(_job: object, _run: object) -> Any:
    raise Killed


@pytest.fixture
def world() -> World:
    """With the real executors, so that a run's config counts."""
    world = World()
    attempt = attempts(world.clock, ExecutorSettings())
    world.outcome = lambda job, run: attempt(job, run, world.clock.monotonic() + 30, Contact())
    return world


@pytest.fixture
def api(world: World) -> ApiClient:
    return ApiClient(world.engine)


def at(minutes: float) -> str:
    return rfc3339(NOON + round(minutes * MINUTE))


def minutes(world: World) -> list[float]:
    """The nominal times of what ran, in minutes after noon."""
    return [(run.nominal_ms - NOON) / MINUTE for run, _ in world.executed]


def skipped(world: World) -> list[tuple[float, str | None]]:
    """The nominal times of the runs that did not take place, in minutes after noon, and why."""
    return [
        ((run.nominal_ms - NOON) / MINUTE, run.skip_reason)
        for run in world.runs()
        if run.status is RunStatus.SKIPPED
    ]


def test_the_next_occurrences_are_left_out_and_recorded_also_what_was_rung_before(
    api: ApiClient, world: World
) -> None:
    url = f"/jobs/{api.create(**EACH_MINUTE)['id']}"
    world.advance(30)
    assert world.queue.sent, "the first occurrence is on its way"
    answer = api.post(f"{url}/skip", {"count": 3})
    assert answer.json == {"skipped": [at(1), at(2), at(3)]}
    world.advance(300)
    assert minutes(world) == [4, 5]
    assert skipped(world) == [(1, "skip_next"), (2, "skip_next"), (3, "skip_next")]


def test_a_skip_that_is_taken_back_lets_run_what_has_not_passed(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**EACH_MINUTE)['id']}"
    api.post(f"{url}/skip", {"count": 100})
    world.advance(61)
    assert api.post(f"{url}/skip", {"count": 0}).json == {"skipped": []}
    world.advance(120)
    assert (minutes(world), skipped(world)) == ([2, 3], [(1, "skip_next")])


def test_another_schedule_ends_a_skip_and_another_name_does_not(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**HOURLY)['id']}"
    api.post(f"{url}/skip", {"count": 2})
    assert api.patch(url, {"name": "b"}).json["next_run_at"] == at(180)
    assert api.patch(url, {"schedule": "30 13 * * *"}).json["next_run_at"] == at(90)
    world.advance(91 * 60)
    assert minutes(world) == [90]


def test_what_is_left_out_is_not_made_up_after_an_outage_and_the_one_before_is(
    api: ApiClient, world: World
) -> None:
    url = f"/jobs/{api.create(**HOURLY)['id']}"
    api.patch(url, {"misfire": {"policy": "fire_once"}})
    world.advance(65 * 60)
    api.post(f"{url}/skip", {"count": 2})
    world.clock.ms = NOON + 190 * MINUTE
    world.advance(60)
    assert minutes(world) == [60]
    items = list(world.db.runs.query(f"local#{url.rpartition('/')[2]}#skips").items)
    assert [(int(str(item["sk"])[:15]), item["last_ms"], str(item["sk"])[16:]) for item in items] == [
        (NOON + 120 * MINUTE, NOON + 180 * MINUTE, "skip_next")
    ]


def test_upcoming_occurrences_are_marked_as_left_out_and_the_next_run_is_another(api: ApiClient) -> None:
    url = f"/jobs/{api.create(**HOURLY)['id']}"
    api.post(f"{url}/skip", {"count": 1})
    items = api.get(f"{url}/upcoming?count=2").json["items"]
    assert [(item["nominal_at"], item["skip_reason"]) for item in items] == [
        (at(60), "skip_next"),
        (at(120), None),
    ]
    assert api.get(url).json["next_run_at"] == at(120)


def test_the_occurrences_after_a_pause_are_left_out(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**HOURLY)['id']}"
    api.post(f"{url}/pause", {"until": at(90)})
    assert api.post(f"{url}/skip", {"count": 1}).json == {"skipped": [at(120)]}
    world.advance(181 * 60)
    assert (minutes(world), skipped(world)) == ([60, 180], [(120, "skip_next")])


def test_a_skip_leaves_triggers_alone(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**HOURLY)['id']}"
    api.post(f"{url}/skip", {"count": 5})
    run_id = api.post(f"{url}/trigger").json["id"]
    world.deliver()
    assert world.run(run_id).status is RunStatus.SUCCEEDED


def test_a_trigger_changes_the_config_of_its_run_and_of_no_other(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(type='dummy', config={'output': {'a': 1, 'b': 2}}, schedule='* * * * *')['id']}"
    overrides = {"output": {"a": None, "c": 3}}
    asked = api.post(f"{url}/trigger", {"config": overrides, "note": "Ada asked"}).json
    assert (asked["note"], asked["overrides"]) == ("Ada asked", overrides)
    world.advance(61)
    done = api.get(f"/runs/{asked['id']}").json
    assert done["attempts"][0]["result"] == {"output": {"b": 2, "c": 3}}
    assert (done["note"], done["overrides"]) == ("Ada asked", overrides)
    [other] = api.get(f"{url}/runs?trigger=schedule").json["items"]
    assert api.get(f"/runs/{other['id']}").json["attempts"][0]["result"] == {"output": {"a": 1, "b": 2}}


def test_each_attempt_and_each_redrive_of_a_triggered_run_uses_its_config(
    api: ApiClient, world: World
) -> None:
    retry = {"max_attempts": 2, "strategy": "none"}
    url = f"/jobs/{api.create(**DUMMY, schedule={'kind': 'manual'}, retry=retry)['id']}"
    wanted = {"config": {"outcome": "failure", "error_kind": "database"}, "note": "n"}
    run_id = api.post(f"{url}/trigger", wanted).json["id"]
    world.advance(5)
    kinds = [each["error"]["kind"] for each in api.get(f"/runs/{run_id}").json["attempts"]]
    assert kinds == ["database", "database"]
    assert api.get(f"/dead-letters/{run_id}").json["payload"] == wanted["config"]
    again = api.post(f"/dead-letters/{run_id}/redrive").json
    assert (again["overrides"], again["note"]) == (wanted["config"], "n")
    world.advance(5)
    assert api.get(f"/runs/{again['id']}").json["attempts"][0]["error"]["kind"] == "database"


def test_a_trigger_merges_its_config_into_the_one_that_the_job_has_at_the_start(
    api: ApiClient, world: World
) -> None:
    url = f"/jobs/{api.create(type='dummy', config={'output': {'a': 1}}, **MANUAL)['id']}"
    run_id = api.post(f"{url}/trigger", {"config": {"output": {"b": 2}}}).json["id"]
    api.patch(url, {"config": {"output": {"a": 9}}})
    world.deliver()
    assert api.get(f"/runs/{run_id}").json["attempts"][0]["result"] == {"output": {"a": 9, "b": 2}}


def test_no_log_and_no_message_shows_what_a_trigger_was_given(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**MANUAL)['id']}"
    secret = {"config": {"headers": {"Authorization": "Bearer hunter2"}}}
    assert api.post(f"{url}/trigger", secret, headers={"Idempotency-Key": "k"}).status == 202
    assert api.post(f"{url}/trigger", {"config": {"method": "hunter2"}}).status == 422
    bodies = [body for _, body in world.queue.sent]
    world.deliver()
    [run] = world.runs()
    assert run.overrides == secret["config"]
    assert "hunter2" not in repr((world.telemetry.lines, bodies, run))


def test_an_edit_counts_for_what_was_rung_before_it(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(type='dummy', config={'output': 1}, schedule='* * * * *')['id']}"
    world.advance(30)
    assert world.queue.sent
    api.patch(url, {"config": {"output": 2}})
    world.advance(31)
    [run] = world.runs()
    assert run.attempts[0].result == {"output": 2}


def test_an_edit_counts_for_the_next_attempt_of_a_run_that_has_begun(api: ApiClient, world: World) -> None:
    retry = {"strategy": "fixed", "initial_delay_seconds": 30, "jitter": "none"}
    job = api.create(type="dummy", config={"outcome": "failure"}, retry=retry, **MANUAL)
    run_id = api.post(f"/jobs/{job['id']}/trigger").json["id"]
    world.advance(5)
    api.patch(f"/jobs/{job['id']}", {"config": {"outcome": "success"}})
    world.advance(40)
    assert (world.run(run_id).status, world.run(run_id).attempt) == (RunStatus.SUCCEEDED, 2)


def test_another_schedule_makes_stale_what_was_rung_but_not_what_was_triggered(
    api: ApiClient, world: World
) -> None:
    url = f"/jobs/{api.create(**EACH_MINUTE)['id']}"
    world.advance(30)
    run_id = api.post(f"{url}/trigger").json["id"]
    api.patch(url, {"schedule": {"kind": "manual"}})
    world.advance(120)
    assert [run.id for run, _ in world.executed] == [run_id]
    assert skipped(world) == [(1, "superseded")]


def test_a_trigger_of_a_job_that_is_deleted_before_the_start_is_superseded(
    api: ApiClient, world: World
) -> None:
    url = f"/jobs/{api.create(**MANUAL)['id']}"
    run_id = api.post(f"{url}/trigger").json["id"]
    api.delete(url)
    world.deliver()
    assert (world.run(run_id).status, world.run(run_id).skip_reason) == (RunStatus.SKIPPED, "superseded")


def test_a_trigger_and_an_occurrence_of_one_moment_both_run(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**EACH_MINUTE)['id']}"
    world.advance(60)
    api.post(f"{url}/trigger")
    world.deliver()
    assert sorted(run.trigger for run, _ in world.executed) == ["manual", "schedule"]


DEADLINES: list[tuple[int | None, float, bool, str]] = [
    (None, 3600, True, "however late, without a deadline"),
    (30, 0, True, "in time"),
    (30, 30, True, "at the last moment"),
    (30, 30.001, False, "a millisecond late"),
    (30, 3600, False, "very late"),
]


@pytest.mark.parametrize(("deadline", "late", "runs", "reason"), DEADLINES, ids=[row[3] for row in DEADLINES])
def test_an_occurrence_starts_within_the_deadline_or_is_skipped(
    api: ApiClient, world: World, deadline: int | None, late: float, runs: bool, reason: str
) -> None:
    once = {"kind": "once", "at": at(1)}
    api.create(**DUMMY, schedule=once, start_deadline_seconds=deadline)
    world.clock.ms = NOON + MINUTE + round(late * SECOND)
    world.deliver()
    assert (minutes(world) == [1]) is runs, reason
    assert skipped(world) == ([] if runs else [(1, "start_deadline")])


@pytest.mark.parametrize(("deadline", "late", "runs", "reason"), DEADLINES, ids=[row[3] for row in DEADLINES])
def test_a_trigger_starts_within_the_deadline_or_is_skipped(
    api: ApiClient, world: World, deadline: int | None, late: float, runs: bool, reason: str
) -> None:
    job = api.create(**DUMMY, start_deadline_seconds=deadline, **MANUAL)
    run_id = api.post(f"/jobs/{job['id']}/trigger").json["id"]
    world.clock.ms += round(late * SECOND)
    world.deliver()
    expected = (RunStatus.SUCCEEDED, None) if runs else (RunStatus.SKIPPED, "start_deadline")
    assert (world.run(run_id).status, world.run(run_id).skip_reason) == expected, reason


def test_a_retry_is_no_start(api: ApiClient, world: World) -> None:
    retry = {"strategy": "fixed", "initial_delay_seconds": 600, "jitter": "none"}
    config = {"fail_attempts": 1}
    job = api.create(type="dummy", config=config, retry=retry, start_deadline_seconds=5, **MANUAL)
    run_id = api.post(f"/jobs/{job['id']}/trigger").json["id"]
    world.advance(700)
    assert (world.run(run_id).status, world.run(run_id).attempt) == (RunStatus.SUCCEEDED, 2)


def test_an_attempt_whose_worker_died_had_started(api: ApiClient, world: World) -> None:
    job = api.create(**DUMMY, start_deadline_seconds=5, timeout_seconds=1, **MANUAL)
    run_id = api.post(f"/jobs/{job['id']}/trigger").json["id"]
    [body] = world.queue.take_visible()
    healthy = world.outcome
    world.outcome = die
    with pytest.raises(Killed):
        world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    world.outcome = healthy
    world.clock.ms += 100_000
    world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    assert world.run(run_id).status is RunStatus.SUCCEEDED


def test_an_occurrence_that_is_made_up_after_an_outage_is_too_late_for_a_deadline(
    api: ApiClient, world: World
) -> None:
    api.create(**HOURLY, start_deadline_seconds=300)
    world.clock.ms = NOON + 90 * MINUTE
    world.advance(60)
    assert (minutes(world), skipped(world)) == ([], [(60, "start_deadline")])


@pytest.mark.parametrize("paused_at", [0, 59.5], ids=["before it was rung", "after it was rung"])
def test_an_occurrence_that_is_made_up_after_a_pause_is_due_at_its_end(
    api: ApiClient, world: World, paused_at: float
) -> None:
    url = f"/jobs/{api.create(**HOURLY, start_deadline_seconds=300)['id']}"
    world.advance(paused_at * 60)
    api.post(f"{url}/pause", {"until": at(90)})
    world.advance((91 - paused_at) * 60)
    assert minutes(world) == [60]


@pytest.mark.parametrize(("deadline", "end"), [(30, "SKIPPED"), (600, "SUCCEEDED")])
def test_a_run_that_waits_for_its_slot_starts_within_the_deadline_or_not_at_all(
    api: ApiClient, world: World, deadline: int, end: str
) -> None:
    """However often it looks again meanwhile, the deadline counts from when it was due."""
    queue = {"concurrency": {"policy": "queue"}, "start_deadline_seconds": deadline}
    url = f"/jobs/{api.create(**DUMMY, **queue, **MANUAL, timeout_seconds=5)['id']}"
    api.post(f"{url}/trigger")
    healthy, world.outcome = world.outcome, die
    [body] = world.queue.take_visible()
    with pytest.raises(Killed):
        world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    world.outcome = healthy
    waiting = api.post(f"{url}/trigger").json["id"]
    world.advance(300)
    assert world.run(waiting).status == end
