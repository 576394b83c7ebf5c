"""Backfills over the engine in memory: every occurrence once, never too many at a time, whatever breaks."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.instants import rfc3339
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.backfills import advance
from chalicelib.engine.message import Delivery
from chalicelib.engine.wheel.timers import BackfillTimer
from chalicelib.ports.table import TableName, Write
from tests.support.api import ApiClient
from tests.support.memory import MemoryDatabase
from tests.support.world import NOON, WatchedRuns, World

MINUTE, HOUR = 60_000, 3_600_000
HOURLY = "0 * * * *"
MORNING = [NOON + hours * HOUR for hours in range(-10, 0)]
"""The ten hours before noon."""


class Killed(BaseException):
    """The end of a worker, at any instruction."""


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def api(world: World) -> ApiClient:
    return ApiClient(world.engine)


def hourly(api: ApiClient, **fields: Any) -> str:
    return str(api.create(type="dummy", config={}, schedule=HOURLY, **fields)["id"])


def backfill(api: ApiClient, job_id: str, **fields: Any) -> Any:
    body = {"start": rfc3339(MORNING[0]), "end": rfc3339(NOON), **fields}
    answer = api.post(f"/jobs/{job_id}/backfills", body)
    assert answer.status == (200 if fields.get("dry_run") else 202), answer.text
    return answer.json


def executed(world: World) -> list[int]:
    return [run.nominal_ms for run, _ in world.executed]


def active(world: World, identifier: str | None = None) -> int:
    return sum(
        run.trigger == "backfill" and not run.is_final and identifier in (None, run.backfill)
        for run in world.runs()
    )


@pytest.mark.parametrize(("order", "expected"), [("oldest_first", MORNING), ("newest_first", MORNING[::-1])])
def test_it_runs_each_occurrence_in_the_order_asked_for(
    api: ApiClient, world: World, order: str, expected: list[int]
) -> None:
    begun = backfill(api, hourly(api), order=order)
    world.deliver()
    assert executed(world) == expected
    view = api.get(f"/backfills/{begun['id']}").json
    assert (view["status"], view["progress"]["ended"]) == ("completed", {"SUCCEEDED": 10})
    assert {run.trigger for run in world.runs()} == {"backfill"}


def test_what_its_calendar_skips_is_left_out_and_what_it_moves_is_run(api: ApiClient, world: World) -> None:
    api.post("/calendars", {"name": "weekdays", "excluded": {"weekdays": ["SAT", "SUN"]}})
    week = {"start": rfc3339(NOON - 7 * 24 * HOUR), "end": rfc3339(NOON)}
    skipping = api.create(type="dummy", config={}, schedule="0 6 * * *", calendar="weekdays")["id"]
    told = backfill(api, skipping, **week, dry_run=True)
    assert [each["nominal_at"] for each in told["left_out"]] == [
        "2027-01-09T06:00:00Z",
        "2027-01-10T06:00:00Z",
    ]
    begun = backfill(api, skipping, **week)
    world.deliver()
    progress = api.get(f"/backfills/{begun['id']}").json["progress"]
    assert (progress["claimed"], progress["left_out"]) == (5, {"calendar": 2})

    moved = {"name": "weekdays", "on_excluded": "next_allowed_day"}
    moving = api.create(type="dummy", config={}, schedule="0 6 * * SAT", calendar=moved)["id"]
    begun = backfill(api, moving, **week)
    world.deliver()
    assert api.get(f"/backfills/{begun['id']}").json["progress"]["ended"] == {"SUCCEEDED": 1}


def test_a_finished_backfill_leaves_no_timer_behind(api: ApiClient, world: World) -> None:
    backfill(api, hourly(api))
    assert any(isinstance(timer, BackfillTimer) for timer in world.timers())
    world.advance(61)
    assert not any(isinstance(timer, BackfillTimer) for timer in world.timers())


@pytest.mark.parametrize("at_most", [1, 3, 10, 100])
def test_no_more_than_max_active_are_under_way_retries_included(
    api: ApiClient, world: World, at_most: int
) -> None:
    seen = []

    def watched(_job: Job, run: Run) -> Outcome:
        seen.append(active(world))
        return Succeeded({}) if run.attempt > 1 else Failed("connection", "refused")

    world.outcome = watched
    retry = {"max_attempts": 2, "strategy": "fixed", "initial_delay_seconds": 90, "jitter": "none"}
    backfill(api, hourly(api, retry=retry), max_active=at_most)
    world.advance(1200)
    assert sorted(run.nominal_ms for run in world.runs() if run.status is RunStatus.SUCCEEDED) == MORNING
    assert max(seen) == min(at_most, 10)


@pytest.mark.parametrize("policy", ["forbid", "queue", "replace"])
def test_a_backfill_neither_skips_nor_cancels_its_own_runs_where_few_may_be_active(
    api: ApiClient, world: World, policy: str
) -> None:
    begun = backfill(api, hourly(api, concurrency={"policy": policy, "limit": 2}), max_active=10)
    world.advance(300)
    assert api.get(f"/backfills/{begun['id']}").json["progress"]["ended"] == {"SUCCEEDED": 10}


def test_a_limit_ends_it_early(api: ApiClient, world: World) -> None:
    begun = backfill(api, hourly(api), limit=4, max_active=3)
    world.deliver()
    assert sorted(executed(world)) == MORNING[:4]
    view = api.get(f"/backfills/{begun['id']}").json
    assert (view["status"], view["progress"]["claimed"], view["progress"]["total"]) == ("completed", 4, 10)


def with_a_past(api: ApiClient, world: World) -> str:
    """A job whose 13:00 failed, 14:00 succeeded, 15:00 was skipped as paused, 16:00 and 17:00 fell into an outage."""
    job_id = hourly(api, retry={"max_attempts": 1}, misfire={"policy": "skip"})
    world.outcome = lambda _job, _run: Failed("http_5xx", "The answer was 500.", 500)
    world.advance(3660)
    world.outcome = lambda _job, _run: Succeeded({})
    world.advance(3600)
    world.advance(3500)
    api.post(f"/jobs/{job_id}/pause")
    world.advance(300)
    api.post(f"/jobs/{job_id}/resume")
    world.clock.ms += 2 * HOUR + 30 * MINUTE
    world.advance(60)
    world.executed.clear()
    return job_id


REPROCESS: list[tuple[str, list[int], str]] = [
    ("none", [], "each has a record"),
    ("failed", [1, 3, 4, 5], "what failed, was skipped or missed"),
    ("all", [1, 2, 3, 4, 5], "everything"),
]


@pytest.mark.parametrize(("reprocess", "hours", "reason"), REPROCESS, ids=[row[0] for row in REPROCESS])
def test_what_runs_again_is_as_asked_and_the_dry_run_tells_it_before(
    api: ApiClient, world: World, reprocess: str, hours: list[int], reason: str
) -> None:
    job_id = with_a_past(api, world)
    window = {"start": rfc3339(NOON + HOUR), "end": rfc3339(NOON + 5 * HOUR + 1), "reprocess": reprocess}
    told = backfill(api, job_id, **window, dry_run=True)
    expected = [NOON + hour * HOUR for hour in hours]
    assert told["would_run"] == [rfc3339(at_ms) for at_ms in expected], reason
    assert len(told["would_run"]) + len(told["left_out"]) == told["total"] == told["examined"] == 5
    assert world.executed == []
    backfill(api, job_id, **window)
    world.advance(120)
    assert executed(world) == expected, reason
    again = backfill(api, job_id, **{**window, "reprocess": "failed"}, dry_run=True)
    wanted = [] if hours else told["would_run"]
    assert [each for each in again["would_run"] if each in wanted] == []


def test_the_second_time_nothing_is_left_to_do(api: ApiClient, world: World) -> None:
    job_id = with_a_past(api, world)
    window = {"start": rfc3339(NOON + HOUR), "end": rfc3339(NOON + 5 * HOUR + 1)}
    backfill(api, job_id, **window)
    world.advance(120)
    again = backfill(api, job_id, **window, dry_run=True)
    assert (again["would_run"], {each["why"] for each in again["left_out"]}) == ([], {"succeeded"})


def test_the_timeline_shows_what_a_backfill_caught_up_and_the_dead_letter_is_gone(
    api: ApiClient, world: World
) -> None:
    job_id = with_a_past(api, world)
    assert len(api.get("/dead-letters").json["items"]) == 1
    backfill(api, job_id, start=rfc3339(NOON + HOUR), end=rfc3339(NOON + 5 * HOUR + 1))
    world.advance(120)
    items = api.get(f"/jobs/{job_id}/timeline?from={rfc3339(NOON)}&to={rfc3339(NOON + 5 * HOUR + 1)}").json[
        "items"
    ]
    assert [(item["outcome"], item["trigger"], item["done_again_as"] is None) for item in items] == [
        ("run", "schedule", False),
        ("run", "schedule", True),
        ("skipped", "schedule", False),
        ("run", "backfill", True),
        ("run", "backfill", True),
    ]
    assert api.get("/dead-letters").json["items"] == []


def test_a_stretch_before_the_job_was_created_can_be_filled(api: ApiClient, world: World) -> None:
    backfill(api, hourly(api), reprocess="none", max_active=100)
    world.deliver()
    assert sorted(executed(world)) == MORNING


def test_a_cancelled_backfill_starts_nothing_more_and_what_runs_goes_on(api: ApiClient, world: World) -> None:
    begun = backfill(api, hourly(api), max_active=3)
    states = []

    def cancel(_job: Job, _run: Run) -> Outcome:
        states.append(api.post(f"/backfills/{begun['id']}/cancel").json["status"])
        return Succeeded({})

    world.outcome = cancel
    world.deliver()
    assert states == ["cancelling"] * 3
    view = api.get(f"/backfills/{begun['id']}").json
    assert (view["status"], view["stopped_because"], view["progress"]["ended"]) == (
        "cancelled",
        "cancelled",
        {"SUCCEEDED": 3},
    )
    assert api.post(f"/backfills/{begun['id']}/cancel").json == view, "once is enough"


def test_a_pause_does_not_stop_a_backfill(api: ApiClient, world: World) -> None:
    job_id = hourly(api)
    backfill(api, job_id)
    api.post(f"/jobs/{job_id}/pause")
    world.advance(30)
    assert executed(world) == MORNING


def test_a_delete_stops_a_backfill_and_what_it_had_queued(api: ApiClient, world: World) -> None:
    job_id = hourly(api)
    begun = backfill(api, job_id, max_active=2)
    api.delete(f"/jobs/{job_id}")
    world.advance(180)
    assert world.executed == []
    view = api.get(f"/backfills/{begun['id']}").json
    assert (view["status"], view["stopped_because"], view["progress"]["ended"]) == (
        "cancelled",
        "job_deleted",
        {"SKIPPED": 2},
    )


def test_an_edit_of_the_schedule_does_not_move_a_backfill_that_has_begun(
    api: ApiClient, world: World
) -> None:
    job_id = hourly(api)
    backfill(api, job_id)
    api.patch(f"/jobs/{job_id}", {"schedule": "30 * * * *"})
    world.advance(60)
    assert executed(world) == MORNING


def test_a_late_message_of_the_schedule_starts_the_run_of_the_backfill_and_does_not_skip_it(
    api: ApiClient, world: World
) -> None:
    job_id = hourly(api)
    world.clock.ms = NOON + HOUR - 60_000
    world.tick()
    late = [body for _, body in world.queue.sent]
    world.queue.sent = []
    world.clock.ms = NOON + HOUR + 1000
    api.patch(f"/jobs/{job_id}", {"schedule": "30 * * * *"})
    api.patch(f"/jobs/{job_id}", {"schedule": HOURLY})
    backfill(api, job_id, start=rfc3339(NOON + HOUR), end=rfc3339(NOON + HOUR + 1))
    world.queue.sent = [(0, body) for body in late]
    world.advance(120)
    assert executed(world) == [NOON + HOUR]


def test_a_skipped_occurrence_that_was_made_up_for_does_not_come_back_with_a_resume(
    api: ApiClient, world: World
) -> None:
    job_id = hourly(api)
    world.advance(3550)
    api.post(f"/jobs/{job_id}/pause")
    world.advance(120)
    assert [run.skip_reason for run in world.runs()] == ["paused"]
    backfill(api, job_id, start=rfc3339(NOON + HOUR), end=rfc3339(NOON + HOUR + 1))
    world.advance(60)
    api.post(f"/jobs/{job_id}/resume")
    world.advance(180)
    assert executed(world) == [NOON + HOUR]


def test_two_backfills_of_the_same_time_do_not_run_anything_twice(api: ApiClient, world: World) -> None:
    job_id = hourly(api)
    backfill(api, job_id, max_active=2)
    backfill(api, job_id, max_active=4, order="newest_first")
    world.advance(300)
    assert sorted(executed(world)) == MORNING


def test_messages_that_vanish_are_rung_again(api: ApiClient, world: World) -> None:
    backfill(api, hourly(api), max_active=10)
    world.queue.sent.clear()
    world.advance(400)
    assert sorted(executed(world)) == MORNING


class Interfered(MemoryDatabase):
    """Lets something else happen once, between the reads of the next transaction and its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = WatchedRuns()
        self.meanwhile: Callable[[], Any] | None = None

    def transact(self, *writes: tuple[TableName, Write]) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        super().transact(*writes)


@pytest.fixture
def db(world: World) -> Interfered:
    db = Interfered()
    world.db = db
    object.__setattr__(world.engine, "db", db)
    return db


def test_a_cancel_in_the_middle_of_a_step_is_not_overwritten(
    api: ApiClient, world: World, db: Interfered
) -> None:
    begun = backfill(api, hourly(api))
    db.meanwhile = lambda: api.post(f"/backfills/{begun['id']}/cancel")
    world.advance(120)
    assert executed(world) == MORNING[:1]
    assert api.get(f"/backfills/{begun['id']}").json["status"] == "cancelled"


def test_a_step_that_is_taken_twice_at_once_is_taken_once(
    api: ApiClient, world: World, db: Interfered
) -> None:
    begun = backfill(api, hourly(api), max_active=2)
    db.meanwhile = lambda: advance(world.engine, "local", begun["id"])
    world.deliver()
    assert executed(world) == MORNING
    assert api.get(f"/backfills/{begun['id']}").json["progress"]["claimed"] == 10


def test_a_run_that_the_schedule_starts_in_the_middle_of_a_step_is_left_to_it(
    api: ApiClient, world: World, db: Interfered
) -> None:
    job_id = hourly(api)
    world.advance(3590)
    world.clock.ms = NOON + HOUR + 1
    started = []

    def call(_job: Job, run: Run) -> Outcome:
        started.append(run.trigger)
        return Succeeded({})

    world.outcome = call
    db.meanwhile = lambda: setattr(db, "meanwhile", world.deliver)
    begun = backfill(api, job_id, start=rfc3339(NOON + HOUR), end=rfc3339(NOON + HOUR + 1))
    world.advance(60)
    assert started == ["schedule"]
    assert api.get(f"/backfills/{begun['id']}").json["progress"]["left_out"] == {"succeeded": 1}


def test_a_dead_run_that_is_redriven_in_the_middle_of_a_step_is_not_done_again_twice(
    api: ApiClient, world: World, db: Interfered
) -> None:
    job_id = hourly(api, retry={"max_attempts": 1})
    world.outcome = lambda _job, _run: Failed("http_5xx", "The answer was 500.", 500)
    world.advance(3660)
    world.outcome = lambda _job, _run: Succeeded({})
    [dead] = world.runs()
    redrive = f"/dead-letters/{dead.id}/redrive"
    db.meanwhile = lambda: setattr(db, "meanwhile", lambda: api.post(redrive))
    begun = backfill(api, job_id, start=rfc3339(NOON + HOUR), end=rfc3339(NOON + HOUR + 1))
    world.advance(60)
    assert [run.trigger for run in world.runs() if run.status is RunStatus.SUCCEEDED] == ["redrive"]
    assert api.get(f"/backfills/{begun['id']}").json["progress"]["left_out"] == {"active": 1}


def test_a_skipped_run_that_comes_back_in_the_middle_of_a_step_is_left_alone(
    api: ApiClient, world: World, db: Interfered
) -> None:
    job_id = hourly(api)
    world.advance(3550)
    api.post(f"/jobs/{job_id}/pause")
    world.advance(100)
    [skipped] = world.runs()

    def resume() -> None:
        api.post(f"/jobs/{job_id}/resume")
        world.deliver()

    db.meanwhile = lambda: setattr(db, "meanwhile", resume)
    backfill(api, job_id, start=rfc3339(NOON + HOUR), end=rfc3339(NOON + HOUR + 1))
    world.advance(60)
    assert [run.trigger for run, _ in world.executed] == ["schedule"]
    assert [run.id for run in world.runs()] == [skipped.id]


class Breaking(MemoryDatabase):
    """Fails as chance wills: before a transaction took effect, or after."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.runs = WatchedRuns()
        self.chance, self.share = chance, 0.0

    def transact(self, *writes: tuple[TableName, Write]) -> None:
        fate = self.chance.random()
        if fate < self.share / 2:
            raise Unavailable("It did not take effect.")
        super().transact(*writes)
        if fate < self.share:
            raise Unavailable("It took effect, and nobody knows.")


class Broken:
    """A world in which transactions fail, workers die, and messages come twice or not at all."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.world = World()
        self.db = Breaking(self.chance)
        self.world.db = self.db
        object.__setattr__(self.world.engine, "db", self.db)
        self.world.outcome = self.call
        self.too_many: Callable[[], bool] = lambda: False
        self.exceeded = False
        self.trouble = True

    def call(self, _job: Job, run: Run) -> Outcome:
        self.exceeded = self.exceeded or self.too_many()
        if self.trouble and self.chance.random() < 0.1:
            raise Killed
        return Succeeded({}) if self.chance.random() < 0.8 else Failed("connection", "refused")

    def minute(self) -> None:
        if not self.trouble or self.chance.random() < 0.8:
            self.world.tick()
        for _ in range(6):
            for body in self.world.queue.take_visible():
                self.deliver(body)
            self.world.clock.ms += 10_000

    def deliver(self, body: str) -> None:
        fate = self.chance.random() if self.trouble else 1
        if fate < 0.05:
            return
        if fate < 0.15:
            self.world.queue.sent.append((self.world.clock.now_ms() + 30_000, body))
        try:
            again = self.world.worker.work([Delivery(body, body)], deadline=self.world.clock.monotonic() + 5)
        except Killed:
            again = [body]
        if again:
            self.world.queue.sent.append((self.world.clock.now_ms() + 100_000, body))


@pytest.mark.parametrize("seed", range(12))
def test_whatever_breaks_no_occurrence_is_lost_or_succeeds_twice_and_never_too_many_run(seed: int) -> None:
    broken = Broken(seed)
    world, api = broken.world, ApiClient(broken.world.engine)
    retry = {"max_attempts": 50, "strategy": "fixed", "initial_delay_seconds": 10, "jitter": "none"}
    job_id = hourly(api, retry=retry, timeout_seconds=5)
    at_most = broken.chance.choice([1, 2, 7])
    begun = backfill(
        api, job_id, max_active=at_most, order=broken.chance.choice(["oldest_first", "newest_first"])
    )
    broken.too_many = lambda: active(world) > at_most
    broken.db.share = 0.3
    for _ in range(20):
        broken.minute()
    broken.db.share, broken.trouble = 0.0, False
    for _ in range(60):
        broken.minute()
    runs = [run for run in world.runs() if run.backfill == begun["id"]]
    ended = {run.nominal_ms: run.status for run in runs}
    assert sorted(run.nominal_ms for run in runs) == MORNING
    assert set(ended.values()) <= {RunStatus.SUCCEEDED, RunStatus.FAILED}, (
        "FAILED: its workers died too often"
    )
    assert not broken.exceeded
    view = api.get(f"/backfills/{begun['id']}").json
    assert (view["status"], view["progress"]["ended"]) == (
        "completed",
        dict(Counter(status.value for status in ended.values())),
    )
