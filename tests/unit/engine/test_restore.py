"""After the tables are restored to a former moment, nothing that was dispatched since then is carried out again."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.ids import run_id
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.ringing.floor import LATE_MS, encode_floor, floor_for, read_floor
from chalicelib.engine.wheel.plan import plan_timer
from chalicelib.engine.wheel.timers import JobTimer
from chalicelib.features.jobs.trigger import trigger
from chalicelib.features.timeline.service import told
from chalicelib.ports.table import Item, Key
from tests.support.api import ApiClient
from tests.support.jobs import due_job, some_job
from tests.support.memory import MemoryTable
from tests.support.world import NOON, TENANT, World

MINUTE, HOUR = 60_000, 3_600_000
BEFORE, LOST, DOWN, AFTER = 20 * 60, 50 * 60, 15 * 60, 40 * 60
"""Seconds: up to the moment that is restored, from there to the disaster, until all is back, and from then on."""
RETRY = {"max_attempts": 2, "strategy": "fixed", "initial_delay_seconds": 600, "jitter": "none"}
MANUAL = {"kind": "manual"}
JOBS: dict[str, dict[str, Any]] = {
    "often": {"schedule": "*/20 * * * * *"},
    "seldom": {"schedule": "25 * * * *"},
    "made up": {"schedule": "*/7 * * * *", "misfire": {"policy": "fire_all"}},
    "jittered": {"schedule": {"kind": "cron", "expression": "*/5 * * * *", "jitter_seconds": 200}},
    "once, before the disaster": {"schedule": {"kind": "once", "at": "2027-01-15T12:40:00Z"}},
    "once, after it": {"schedule": {"kind": "once", "at": "2027-01-15T13:40:00Z"}},
    "failing": {"schedule": "*/3 * * * *", "retry": RETRY},
    "one at a time": {"schedule": "*/2 * * * *", "concurrency": {"policy": "queue"}},
    "asked for": {"schedule": MANUAL},
}


def outcome(job: Job, run: Run) -> Outcome:
    return Failed("unknown", "no") if job.name == "failing" and run.attempt == 1 else Succeeded({})


class Drill:
    """Work for some time, take a snapshot, work on, lose everything, restore the snapshot, and work on."""

    def __init__(self, *, floor: bool) -> None:
        self.world = World()
        self.world.outcome = outcome
        self.jobs = {name: self.world.job(name=name, **fields) for name, fields in JOBS.items()}
        self._work(BEFORE)
        self.restored_ms = self.world.clock.now_ms()
        snapshot = {name: copied(table) for name, table in self._tables().items()}
        self._work(LOST)
        self.disaster_ms = self.world.clock.now_ms()
        self.before = {(run.id, run.attempt) for run, _ in self.world.executed}
        self._restore(snapshot, floor=floor)
        self.back_ms = self.world.clock.now_ms()
        self._work(AFTER)
        self.again = [(run, at_ms) for run, at_ms in self.world.executed if at_ms >= self.back_ms]

    def _work(self, seconds: int) -> None:
        """With a trigger each five minutes."""
        for _ in range(seconds // 300):
            trigger(self.world.engine, TENANT, self.jobs["asked for"].id)
            self.world.advance(300)

    def _restore(self, snapshot: dict[str, Any], *, floor: bool) -> None:
        for name, table in self._tables().items():
            refill(table, snapshot[name])
        self.world.queue.sent.clear()
        self.floor_ms = self.disaster_ms + self.world.engine.settings.horizon_ms
        if floor:
            self.world.db.timers.put_all([encode_floor(self.floor_ms)])
        self.world.clock.ms += DOWN * 1000

    def _tables(self) -> dict[str, MemoryTable]:
        return {name: getattr(self.world.db, name) for name in ("catalog", "timers", "runs", "audit")}


@pytest.fixture(scope="module")
def drill() -> Drill:
    return Drill(floor=True)


def test_no_attempt_is_made_twice(drill: Drill) -> None:
    assert len(drill.before) > 200
    assert [run.id for run, _ in drill.again if (run.id, run.attempt) in drill.before] == []


def test_nothing_below_the_floor_starts(drill: Drill) -> None:
    assert min(run.nominal_ms for run, _ in drill.again if run.trigger == "schedule") >= drill.floor_ms
    assert min(run.due_ms for run, _ in drill.again) >= drill.floor_ms


def test_without_the_floor_much_would_run_twice() -> None:
    drill = Drill(floor=False)
    twice = [run.id for run, _ in drill.again if (run.id, run.attempt) in drill.before]
    assert len(twice) > 10


def test_what_is_at_the_floor_or_above_runs_once_or_says_why_not(drill: Drill) -> None:
    end_ms = drill.world.clock.now_ms() - 5 * MINUTE
    for name in ("often", "seldom", "made up", "one at a time", "once, after it"):
        found = entries(drill.world.engine, drill.jobs[name], drill.floor_ms, end_ms)
        assert found
        assert {each.outcome for each in found} <= {"run", "skipped"}, name
        assert {each.reason for each in found if each.outcome == "skipped"} <= {"misfire"}, name
        ran = [each.occurrence.nominal_ms for each in found if each.outcome == "run"]
        times = Counter(run.nominal_ms for run, _ in drill.again if run.job_id == drill.jobs[name].id)
        assert [times[nominal_ms] for nominal_ms in ran] == [1] * len(ran), name


def test_what_came_between_is_said_to_have_been_lost_by_a_restore(drill: Drill) -> None:
    start_ms, end_ms = drill.restored_ms + 3 * MINUTE, drill.floor_ms
    for name in ("often", "seldom", "made up", "once, before the disaster"):
        found = entries(drill.world.engine, drill.jobs[name], start_ms, end_ms)
        assert found
        assert {(each.outcome, each.reason) for each in found} == {("skipped", "restored")}, name


def test_runs_that_were_under_way_or_waited_then_are_closed(drill: Drill) -> None:
    runs = [run for run in drill.world.runs() if run.due_ms < drill.floor_ms]
    assert {run.status for run in runs if not run.is_final} == set()
    closed = [run for run in runs if run.skip_reason == "restored"]
    assert {"failing"} <= {job.name for job in drill.jobs.values() for run in closed if run.job_id == job.id}


def test_a_run_that_was_under_way_is_closed_by_the_auditor() -> None:
    world = World()
    job = world.job("1 * * * *")
    world.tick()
    world.clock.ms = NOON + MINUTE
    under_way: dict[Key, Item] = {}

    def note(_job: Job, _run: Run) -> Outcome:
        under_way.update(copied(world.db.runs))
        return Succeeded({})

    world.outcome = note
    world.deliver()
    refill(world.db.runs, under_way)
    run = run_id(job.id, NOON + MINUTE)
    assert world.run(run).status is RunStatus.RUNNING
    world.queue.sent.clear()
    world.db.timers.put_all([encode_floor(NOON + 5 * MINUTE)])
    world.clock.ms = NOON + 10 * MINUTE
    world.advance(10 * 60)
    assert (world.run(run).status, world.run(run).skip_reason) == (RunStatus.SKIPPED, "restored")
    assert len(world.executed) == 1


def test_a_backfill_that_was_at_work_is_stopped() -> None:
    world = World(NOON + HOUR)
    api = ApiClient(world.engine)
    job = api.post("/jobs", {"name": "a", "type": "dummy", "config": {}, "schedule": "* * * * *"}).json["id"]
    asked = {"start": "2027-01-15T11:00:00Z", "end": "2027-01-15T12:00:00Z", "max_active": 1}
    made = api.post(f"/jobs/{job}/backfills", asked).json["id"]
    world.db.timers.put_all([encode_floor(NOON + HOUR + 3 * MINUTE)])
    world.queue.sent.clear()
    world.clock.ms = NOON + HOUR + 10 * MINUTE
    world.advance(5 * 60)
    backfill = api.get(f"/backfills/{made}").json
    assert (backfill["status"], backfill["stopped_because"]) == ("cancelled", "restored")
    assert [run for run, _ in world.executed if run.trigger == "backfill"] == []


def test_a_resumed_job_does_not_make_up_what_lies_below_the_floor() -> None:
    world = World()
    api = ApiClient(world.engine)
    body = {"name": "a", "type": "dummy", "config": {}, "schedule": "*/10 * * * *"}
    job = api.post("/jobs", {**body, "misfire": {"policy": "fire_all"}}).json["id"]
    api.post(f"/jobs/{job}/pause")
    world.db.timers.put_all([encode_floor(NOON + HOUR)])
    world.clock.ms = NOON + 2 * HOUR + 1
    api.post(f"/jobs/{job}/resume")
    world.advance(60)
    assert min(run.nominal_ms for run, _ in world.executed) == NOON + HOUR
    assert len(world.executed) == 7


@pytest.mark.parametrize(
    ("late_ms", "reads", "why"),
    [(0, 0, "due now"), (LATE_MS, 0, "just not late"), (LATE_MS + 1, 1, "late: the floor may be above it")],
)
def test_the_floor_is_read_only_for_what_is_late(late_ms: int, reads: int, why: str) -> None:
    world = World()
    counting = _Counting()
    world.engine = replace(world.engine, db=_with_timers(world, counting))
    assert floor_for(world.engine, [JobTimer(0, TENANT, "job_1", 1, NOON - late_ms)]) == 0
    assert counting.reads == reads, why


def test_a_timer_that_lies_on_the_floor_is_above_it() -> None:
    job = due_job(some_job("*/10 * * * *"))
    timer = JobTimer(0, TENANT, job.id, 1, NOON + 10 * MINUTE)
    plans = [
        plan_timer(timer, job, now_ms=NOON + 10 * MINUTE, until_ms=NOON + 12 * MINUTE, floor_ms=floor_ms)
        for floor_ms in (NOON + 10 * MINUTE, NOON + 10 * MINUTE + 1)
    ]
    assert [(len(plan.rings), len(plan.skipped)) for plan in plans] == [(1, 0), (0, 1)]
    assert read_floor(World().engine) == 0


class _Counting(MemoryTable):
    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def get(self, key: Any) -> Any:
        self.reads += 1
        return super().get(key)


def _with_timers(world: World, table: MemoryTable) -> Any:
    world.db.timers = table
    return world.db


def copied(table: MemoryTable) -> dict[Key, Item]:
    return {key: dict(item) for key, item in table.items.items()}


def refill(table: MemoryTable, items: dict[Key, Item]) -> None:
    table.items.clear()
    for key, item in items.items():
        table.items[key] = dict(item)


def entries(engine: Engine, job: Job, start_ms: int, end_ms: int) -> list[Any]:
    return told(engine, TENANT, job.id, start_ms=start_ms, end_ms=end_ms, limit=500).entries
