"""A month's executions: each run counts once, and no more are started than the plan allows, whatever goes wrong."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.plans import PLANS, Plan
from chalicelib.domain.run import Run
from chalicelib.engine.message import Delivery
from chalicelib.features.jobs.trigger import trigger
from chalicelib.ports.table import Item, Write
from tests.support.counting import CountingWorld
from tests.support.limited import at
from tests.support.memory import MemoryTable, key_of
from tests.support.plans import counted_executions, spend, subscribe
from tests.support.world import NOON, TENANT, World

MONTH_MS = 31 * 86_400_000
FREE = PLANS["free"].executions or 0
ONCE_MORE = {"strategy": "fixed", "initial_delay_seconds": 1, "jitter": "none", "max_attempts": 2}


def due(world: World, count: int, second: int = 10, **fields: Any) -> None:
    for _ in range(count):
        world.job(at(second), **fields)


def ended(world: World) -> dict[str, int]:
    """How many runs have ended how: by their state, or the reason of their skip."""
    found: dict[str, int] = {}
    for run in world.runs():
        end = run.skip_reason or run.status.value
        found[end] = found.get(end, 0) + 1
    return found


class CounterAway(MemoryTable):
    """Does not answer those who count executions; a thing to try `times`."""

    times = 1

    def apply(self, write: Write) -> Item:
        if key_of(write)[1].startswith("executions#") and self.times:
            self.times -= 1
            raise Unavailable("DynamoDB did not answer.")
        return super().apply(write)


def without_counter(world: World, times: int) -> CounterAway:
    broken = CounterAway()
    broken.items, broken.times = world.db.catalog.items, times
    world.db.catalog = broken
    return broken


@pytest.mark.parametrize("plan", ["free", "enterprise"])
def test_a_batch_is_counted_with_one_write(plan: Plan) -> None:
    world = CountingWorld()
    subscribe(world.db, plan)
    due(world, 10)
    world.advance(60)
    assert counted_executions(world.db) == 10
    assert world.meter.amounts["work update local of catalog", "write_units"] == 1


@pytest.mark.parametrize(
    ("left", "ends"),
    [
        (0, {"quota": 15}),
        (4, {"SUCCEEDED": 4, "quota": 11}),
        (12, {"SUCCEEDED": 12, "quota": 3}),
        (15, {"SUCCEEDED": 15}),
    ],
)
def test_as_many_are_started_as_are_left_and_the_others_are_skipped(left: int, ends: dict[str, int]) -> None:
    world = World()
    spend(world.db, "free", left=left)
    due(world, 15)
    world.advance(60)
    assert ended(world) == ends
    assert len(world.executed) == min(left, 15)
    assert counted_executions(world.db) == FREE - max(0, left - 15)


def test_a_new_month_begins_with_all_of_them() -> None:
    world = World()
    spend(world.db, "free", left=0)
    world.clock.ms += MONTH_MS
    trigger(world.engine, TENANT, world.job({"kind": "manual"}).id)
    world.advance(5)
    assert counted_executions(world.db, world.clock.now_ms()) == 1
    assert ended(world) == {"SUCCEEDED": 1}


def test_a_run_counts_once_however_many_attempts_it_makes() -> None:
    world = World()
    spend(world.db, "free", left=1)
    world.outcome = lambda *_: Failed("unknown", "no")
    due(world, 1, retry=ONCE_MORE)
    world.advance(60)
    assert len(world.executed) == 2
    assert counted_executions(world.db) == FREE


@pytest.mark.parametrize("plan", ["free", "enterprise"])
def test_a_message_that_comes_twice_counts_once(plan: Plan) -> None:
    world = World()
    subscribe(world.db, plan)
    due(world, 1)
    world.tick()
    world.clock.ms += 10_000
    [body] = world.queue.take_visible()
    for _ in range(2):
        world.worker.work([Delivery("1", body), Delivery("2", body)], deadline=world.clock.monotonic() + 60)
    assert len(world.executed) == 1
    assert counted_executions(world.db) == 1


def test_what_was_paused_or_changed_after_its_dispatch_counts_nothing() -> None:
    world = World()
    subscribe(world.db, "free")
    paused, changed = world.job(at(10)), world.job(at(10))
    world.tick()
    world.change(paused, status="paused", paused_ms=NOON)
    world.change(changed, schedule_revision=2)
    world.advance(30)
    assert ended(world) == {"paused": 1, "superseded": 1}
    assert counted_executions(world.db) == 0


@pytest.mark.parametrize("plan", ["free", "enterprise"])
def test_who_waits_for_a_slot_counts_when_it_starts(plan: Plan) -> None:
    world = World()
    subscribe(world.db, plan)
    job = world.job({"kind": "manual"}, concurrency={"policy": "queue", "buffer": 5})

    def attempt(_job: object, _run: Run) -> Outcome:
        world.outcome = lambda *_: Succeeded({})
        world.deliver()
        assert len([run for run in world.runs() if run.starts == 0]) == 2, "the others wait meanwhile"
        return Succeeded({})

    world.outcome = attempt
    for _ in range(3):
        trigger(world.engine, TENANT, job.id)
    world.advance(130)
    assert ended(world) == {"SUCCEEDED": 3}
    assert counted_executions(world.db) == 3


def test_a_trigger_whose_month_is_used_up_meanwhile_is_skipped_with_its_reason() -> None:
    world = World()
    spend(world.db, "free", left=1)
    job = world.job({"kind": "manual"})
    for _ in range(2):
        trigger(world.engine, TENANT, job.id)
    world.advance(5)
    assert ended(world) == {"SUCCEEDED": 1, "quota": 1}


def test_a_worker_that_dies_counts_its_run_once() -> None:
    world = World()
    subscribe(world.db, "free")
    due(world, 1, timeout_seconds=5)
    world.tick()
    world.clock.ms += 10_000
    [body] = world.queue.take_visible()

    def dies(_job: object, _run: Run) -> Outcome:
        raise KeyboardInterrupt

    world.outcome = dies
    with pytest.raises(KeyboardInterrupt):
        world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    world.outcome = lambda *_: Succeeded({})
    world.clock.ms += 30_000
    world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    assert [run.starts for run in world.runs()] == [2]
    assert counted_executions(world.db) == 1


def test_a_limited_run_does_not_start_uncounted_its_message_comes_again() -> None:
    world = World()
    spend(world.db, "free", left=5)
    due(world, 1)
    world.tick()
    without_counter(world, 1)
    world.clock.ms += 10_000
    [again] = world.deliver()
    assert not world.executed
    world.worker.work([Delivery("1", again)], deadline=world.clock.monotonic() + 60)
    assert ended(world) == {"SUCCEEDED": 1}
    assert counted_executions(world.db) == FREE - 4


def test_an_unlimited_run_does_not_wait_for_its_counter() -> None:
    world = World()
    subscribe(world.db, "enterprise")
    due(world, 1)
    world.tick()
    without_counter(world, 1)
    world.clock.ms += 10_000
    assert world.deliver() == []
    assert ended(world) == {"SUCCEEDED": 1}
    assert "Executions are not counted." in [sentence for _, sentence, _ in world.telemetry.lines]


def test_others_who_take_of_the_month_at_the_same_moment_leave_what_they_leave() -> None:
    world = World()
    spend(world.db, "free", left=10)
    due(world, 5)
    world.tick()
    world.clock.ms += 10_000
    meanwhile(world, lambda: spend(world.db, "free", left=3))
    world.deliver()
    assert ended(world) == {"SUCCEEDED": 3, "quota": 2}
    assert counted_executions(world.db) == FREE


def meanwhile(world: World, others: Callable[[], None]) -> None:
    """What others do between a worker's reads and its first count."""

    class Beside(MemoryTable):
        def write(self, write: Write) -> Item:
            if key_of(write)[1].startswith("executions#"):
                world.db.catalog = plain
                others()
            return plain.write(write)

    plain, beside = world.db.catalog, Beside()
    beside.items = plain.items
    world.db.catalog = beside


def test_a_tenant_without_a_record_is_not_counted() -> None:
    world = World()
    due(world, 3)
    world.advance(60)
    assert ended(world) == {"SUCCEEDED": 3}
    assert counted_executions(world.db) == 0
