"""Gates at work, over the twins: limits of targets and tenants, the queues before them, and who is called."""

from typing import Any

import pytest

from chalicelib.domain.ids import bucket_of
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.flow.gate_records import place_item, rank, slot_item
from chalicelib.engine.flow.gates import Gate
from chalicelib.engine.message import Delivery, RunMessage
from chalicelib.engine.ringing.floor import encode_floor
from chalicelib.engine.wheel.timers import GateTimer
from chalicelib.features.jobs.trigger import trigger
from chalicelib.features.runs import service as runs
from chalicelib.ports.table import Put
from tests.support.limited import at, counted_deliveries, lasting, limit, starts, taken_up, with_targets
from tests.support.world import NOON, TENANT, World

S = RunStatus.SUCCEEDED


class Killed(BaseException):
    """The end of a worker, at any instruction."""


def each_fifth(run: Run) -> float:
    """A fifth of the runs last two seconds."""
    return 2.0 * (bucket_of(run.id, 5) == 0)


def test_a_herd_of_a_thousand_has_at_most_seven_under_way_and_takes_two_deliveries_a_run() -> None:
    world = World()
    limit(world.db, tenant={"concurrency": 7})
    for _ in range(1000):
        world.job(at(30), timeout_seconds=20)
    deliveries = counted_deliveries(world)
    most = lasting(world, lambda run: 1.0 * (bucket_of(run.id, 40) == 0))
    world.advance(300)
    assert {run.status for run in world.runs()} == {S}
    assert len(world.executed) == 1000
    assert most["slots"] == 7
    assert taken_up(world) == []
    assert sum(deliveries.values()) <= 2100, "who waits is called once, and nobody polls"
    assert len(deliveries) == 1000
    assert not [timer for timer in world.timers() if isinstance(timer, GateTimer)]


def test_each_target_has_its_own_limit_and_the_tenants_holds_for_all() -> None:
    world = with_targets(World())
    limit(world.db, tenant={"concurrency": 4}, targets={"a": {"concurrency": 1}, "b": {"concurrency": 3}})
    for number in range(60):
        world.job(at(30 + number // 20), config={"target": "abc"[number % 3]}, timeout_seconds=20)
    most = lasting(world, each_fifth)
    deliveries = counted_deliveries(world)
    world.advance(400)
    assert {run.status for run in world.runs()} == {S}
    assert len(world.executed) == 60
    assert most["a"] == 1
    assert most["b"] <= 3
    assert most["all"] <= 4
    assert taken_up(world) == []
    assert sum(deliveries.values()) <= 4 * 60


def test_those_who_wait_go_by_priority_and_then_by_their_occurrences() -> None:
    world = World()
    limit(world.db, tenant={"concurrency": 1})
    world.job(at(10), timeout_seconds=60, name="first")
    for second, priority in ((11, "low"), (12, "normal"), (13, "high"), (14, "normal"), (15, "high")):
        world.job(at(second), timeout_seconds=5, name=f"{priority} {second}", priority=priority)
    lasting(world, lambda run: 20.0 * (run.nominal_ms == NOON + 10_000))
    world.advance(120)
    order = [world.stored_job(run.job_id).name for run, _ in world.executed]
    assert order == ["first", "high 13", "high 15", "normal 12", "normal 14", "low 11"]


def test_who_waits_is_pending_and_starts_within_a_second_of_the_slots_being_left() -> None:
    world = World()
    limit(world.db, tenant={"concurrency": 1})
    for second in (10, 11):
        world.job(at(second), timeout_seconds=60)
    seen: list[tuple[str, str | None]] = []

    def attempt(_job: Job, run: Run) -> Outcome:
        if run.nominal_ms == NOON + 10_000:
            world.advance(5)
            seen.extend((each.status.value, (each.waits or "").partition("#")[0]) for each in world.runs())
        return Succeeded({})

    world.outcome = attempt
    world.advance(30)
    assert seen == [("RUNNING", ""), ("PENDING", "tenant")]
    assert starts(world) == [10_000, 15_000]
    assert [run.waits for run in world.runs()] == [None, None]


def test_a_run_leaves_its_targets_slot_between_attempts_and_keeps_its_jobs() -> None:
    world = with_targets(World())
    limit(world.db, targets={"a": {"concurrency": 1}})
    retry = {"max_attempts": 2, "strategy": "fixed", "initial_delay_seconds": 30, "jitter": "none"}
    first = world.job(at(10), config={"target": "a"}, retry=retry, concurrency={"policy": "forbid"})
    world.job(at(12), config={"target": "a"})
    world.outcome = lambda job, run: (
        Failed("connection", "refused") if job.id == first.id and run.attempt == 1 else Succeeded({})
    )
    world.advance(11)
    assert [each.split()[0] for each in taken_up(world)] == [first.id]
    world.advance(60)
    assert starts(world) == [10_000, 12_000, 40_000]
    assert {run.status for run in world.runs()} == {S}
    assert taken_up(world) == []


def test_a_later_attempt_waits_for_its_target_without_being_skipped() -> None:
    world = with_targets(World())
    limit(world.db, targets={"a": {"concurrency": 1}})
    retry = {"max_attempts": 2, "strategy": "fixed", "initial_delay_seconds": 5, "jitter": "none"}
    first = world.job(at(10), config={"target": "a"}, retry=retry, start_deadline_seconds=3)
    world.job(at(12), config={"target": "a"}, timeout_seconds=60)

    def attempt(job: Job, run: Run) -> Outcome:
        if job.id != first.id:
            world.advance(20)
            return Succeeded({})
        return Failed("connection", "refused") if run.attempt == 1 else Succeeded({})

    world.outcome = attempt
    world.advance(90)
    assert starts(world) == [10_000, 12_000, 32_000]
    assert {run.status for run in world.runs()} == {S}


def test_the_start_deadline_holds_at_a_gate_and_the_slot_goes_to_the_next() -> None:
    world = World()
    limit(world.db, tenant={"concurrency": 1})
    world.job(at(10), timeout_seconds=60)
    world.job(at(11), start_deadline_seconds=5)
    world.job(at(12))
    lasting(world, lambda run: 20.0 * (run.nominal_ms == NOON + 10_000))
    world.advance(60)
    assert [run.skip_reason for run in world.runs()] == [None, "start_deadline", None]
    assert starts(world) == [10_000, 30_000]
    assert taken_up(world) == []


@pytest.mark.parametrize("how", ["cancelled", "deleted"])
def test_one_that_waits_and_is_not_wanted_any_more_makes_room_for_the_next(how: str) -> None:
    world = World()
    limit(world.db, tenant={"concurrency": 1})
    jobs = [world.job(at(second), timeout_seconds=60) for second in (10, 11, 12)]

    def attempt(job: Job, _run: Run) -> Outcome:
        if job.id == jobs[0].id:
            world.advance(5)
            if how == "deleted":
                del world.db.catalog.items[f"{TENANT}#{jobs[1].id}", "job"]
            else:
                runs.cancel(world.engine, TENANT, next(r.id for r in world.runs() if r.job_id == jobs[1].id))
            world.advance(5)
        return Succeeded({})

    world.outcome = attempt
    world.advance(60)
    assert starts(world) == [10_000, 20_000]
    assert taken_up(world) == []
    assert [run.status.value for run in world.runs()][1] == ("SKIPPED" if how == "deleted" else "CANCELLED")


def test_a_call_that_is_lost_is_made_up_for_by_the_dispatcher() -> None:
    world = World()
    limit(world.db, tenant={"concurrency": 1})
    for second in (10, 11):
        world.job(at(second), timeout_seconds=60)

    def attempt(_job: Job, run: Run) -> Outcome:
        if run.nominal_ms == NOON + 10_000:
            world.advance(5)
            world.queue.send = lambda _messages: None  # type: ignore[method-assign]
        return Succeeded({})

    world.outcome = attempt
    world.advance(20)
    del world.queue.send
    assert len(world.executed) == 1
    world.advance(200)
    assert len(world.executed) == 2
    assert starts(world)[1] <= 180_000
    assert taken_up(world) == []


def test_the_slot_of_a_dead_worker_is_free_when_its_lease_has_run_out() -> None:
    world = World()
    limit(world.db, tenant={"concurrency": 1})
    dying = world.job(at(10), timeout_seconds=5)
    world.job(at(11))

    def attempt(job: Job, _run: Run) -> Outcome:
        if job.id == dying.id and len(world.executed) == 1:
            raise Killed
        return Succeeded({})

    world.outcome = attempt
    world.tick()
    world.clock.ms = NOON + 10_000
    (body,) = [body for _, body in world.queue.sent if dying.id in body]
    world.queue.sent = [(moment, other) for moment, other in world.queue.sent if other != body]
    with pytest.raises(Killed):
        world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    world.queue.sent.append((NOON + 110_000, body))
    world.advance(240)
    assert {run.status for run in world.runs()} == {S}
    assert starts(world)[1] <= 130_000, (
        "the lease ended 15 s after the start; the dispatcher saw it within a minute"
    )
    assert taken_up(world) == []


def test_a_limit_that_is_taken_away_lets_everybody_go() -> None:
    world = World()
    limit(world.db, tenant={"concurrency": 1})
    world.job(at(10), timeout_seconds=60)
    for _ in range(150):
        world.job(at(11))

    def attempt(_job: Job, run: Run) -> Outcome:
        if run.nominal_ms == NOON + 10_000:
            world.advance(2)
            limit(world.db)
            world.advance(12)
        return Succeeded({})

    world.outcome = attempt
    world.advance(120)
    assert len(world.executed) == 151
    assert starts(world)[-1] <= 90_000
    assert {run.status for run in world.runs()} == {S}
    assert taken_up(world) == []


def test_slots_come_before_moments_so_that_no_moment_is_given_to_who_cannot_use_it() -> None:
    world = World()
    limit(world.db, tenant={"concurrency": 2, "rate": {"limit": 1}})
    for _ in range(6):
        world.job(at(10), timeout_seconds=30)
    most = lasting(world, lambda run: 0)
    world.advance(60)
    assert starts(world) == [10_000, 11_000, 12_000, 13_000, 14_000, 15_000]
    assert most["all"] <= 2
    assert taken_up(world) == []


def test_a_moment_that_is_far_off_keeps_its_slot_until_then() -> None:
    world = World()
    limit(world.db, tenant={"concurrency": 2, "rate": {"limit": 1, "per_seconds": 100}})
    for second in (10, 11, 12):
        world.job(at(second), priority="high" if second == 12 else "low")
    world.advance(400)
    assert starts(world) == [10_000, 110_000, 210_000]
    assert {run.status for run in world.runs()} == {S}
    assert taken_up(world) == []


def test_another_priority_moves_who_waits_to_another_place() -> None:
    world = World()
    limit(world.db, tenant={"concurrency": 1})
    jobs = [world.job(at(second), timeout_seconds=60) for second in (10, 11, 12)]

    def attempt(job: Job, run: Run) -> Outcome:
        if job.id == jobs[0].id:
            world.advance(4)
            world.change(jobs[2], priority="high")
            (later,) = [each for each in world.runs() if each.job_id == jobs[2].id]
            again = RunMessage(TENANT, jobs[2].id, 1, later.id, later.nominal_ms, later.due_ms)
            world.queue.sent.append((world.clock.now_ms(), again.encode()))
            world.advance(4)
        return Succeeded({})

    world.outcome = attempt
    world.advance(60)
    assert [run.job_id for run, _ in world.executed] == [jobs[0].id, jobs[2].id, jobs[1].id]
    assert taken_up(world) == []


def test_a_message_that_is_given_up_does_not_give_up_a_run_that_waits() -> None:
    world = World()
    limit(world.db, tenant={"concurrency": 1})
    world.job(at(10), timeout_seconds=60)
    waiting = world.job(at(11))

    def attempt(_job: Job, run: Run) -> Outcome:
        if run.nominal_ms == NOON + 10_000:
            world.advance(5)
            (later,) = [each for each in world.runs() if each.job_id == waiting.id]
            message = RunMessage(TENANT, waiting.id, 1, later.id, later.nominal_ms, later.due_ms)
            world.bury(message.encode())
        return Succeeded({})

    world.outcome = attempt
    world.advance(60)
    assert {run.status for run in world.runs()} == {S}


@pytest.mark.parametrize("is_handed", [True, False])
def test_a_place_of_a_run_that_is_over_blocks_nobody(is_handed: bool) -> None:
    world = World()
    limit(world.db, tenant={"concurrency": 1})
    first, gate = world.job(at(10)), Gate(TENANT, "tenant", 1)
    world.advance(11)
    (over,) = world.runs()
    message = RunMessage(TENANT, first.id, 1, over.id, over.nominal_ms, over.due_ms, called="tenant")
    now_ms = world.clock.now_ms()
    world.db.runs.write(Put(place_item(gate, rank("normal", message), message, "fast", now_ms)))
    if is_handed:
        world.db.runs.write(Put(slot_item(gate.partition, 0, over.id, 0, now_ms + 60_000)))
        world.queue.sent.append((now_ms, message.encode()))
    for second in (20, 20, 21):
        world.job(at(second))
    world.advance(150)
    assert starts(world)[0] == 10_000
    assert len(world.executed) == 4
    assert taken_up(world) == []


def test_triggers_wait_like_everybody_else() -> None:
    world = World()
    limit(world.db, tenant={"concurrency": 1})
    job = world.job({"kind": "manual"}, timeout_seconds=60)
    for _ in range(3):
        trigger(world.engine, TENANT, job.id)
    most = lasting(world, lambda run: 10)
    world.advance(90)
    assert starts(world) == [0, 10_000, 20_000]
    assert most["all"] == 1


@pytest.mark.parametrize("policy", ["forbid", "queue", "replace"])
def test_the_jobs_own_rule_and_the_gates_hold_together(policy: str) -> None:
    world = with_targets(World())
    limit(world.db, tenant={"concurrency": 2}, targets={"a": {"concurrency": 1}})
    fields: dict[str, Any] = {"config": {"target": "a"}, "timeout_seconds": 30}
    for _ in range(3):
        schedule = {"kind": "interval", "every": 7, "max_runs": 5}
        world.job(schedule, concurrency={"policy": policy, "buffer": 2}, **fields)
    most = lasting(world, lambda run: 4.0)
    world.advance(400)
    assert all(run.is_final for run in world.runs())
    assert len(world.runs()) == 15
    assert most["a"] == 1
    assert taken_up(world) == []


def test_after_a_restore_nobody_is_called_who_was_due_below_the_floor() -> None:
    world = World()
    limit(world.db, tenant={"concurrency": 1})
    for second in (10, *([13] * 150), 4000):
        world.job(at(second), timeout_seconds=60)

    def attempt(_job: Job, run: Run) -> Outcome:
        if run.nominal_ms == NOON + 10_000:
            world.advance(5)
            raise Killed
        return Succeeded({})

    world.outcome = attempt
    with pytest.raises(Killed):
        world.advance(20)
    waited = [run.status for run in world.runs()]
    assert waited == [RunStatus.RUNNING, *([RunStatus.PENDING] * 150)]
    world.db.timers.write(Put(encode_floor(NOON + 3_600_000)))
    world.clock.ms = NOON + 3_700_000
    world.queue.sent = []
    world.advance(600)
    assert starts(world) == [10_000, 4_000_000]
    assert [run.skip_reason for run in world.runs()] == [*(["restored"] * 151), None]
    assert not [each for each in taken_up(world) if " wait " in each]
    assert not [timer for timer in world.timers() if isinstance(timer, GateTimer)]
