"""Cancelling: at once where nobody works on the run, by a heartbeat where somebody does."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest

from chalicelib.aws.clock import SystemClock
from chalicelib.aws.pool import ThreadPool
from chalicelib.domain.errors import Conflict
from chalicelib.domain.ids import run_id
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.flow.admission import Admission
from chalicelib.engine.ledger.cancel import ask_to_stop, cancelled
from chalicelib.engine.message import Delivery, RunMessage
from chalicelib.engine.records import run_key
from chalicelib.engine.running.heartbeat import Active, beat
from chalicelib.engine.running.work import Worker
from chalicelib.features.jobs.trigger import trigger
from chalicelib.features.runs.service import cancel
from chalicelib.ports.stop import Stop
from tests.support.faults import Faults, FaultyDatabase, Mode
from tests.support.world import NOON, TENANT, World

NOW = NOON + 5
PLAIN = Run("run_1", TENANT, "job_1", RunStatus.RUNNING, "schedule", NOON, NOON, 1)


class Killed(BaseException):
    """The end of a worker, at any instruction."""


@pytest.mark.parametrize(
    ("status", "after", "why"),
    [
        (RunStatus.PENDING, RunStatus.CANCELLED, "nobody works on it"),
        (RunStatus.RETRYING, RunStatus.CANCELLED, "nobody works on it"),
        (RunStatus.RUNNING, RunStatus.RUNNING, "its worker is asked"),
        (RunStatus.CANCELLED, RunStatus.CANCELLED, "it is already"),
    ],
)
def test_a_run_that_is_not_over_can_be_cancelled(status: RunStatus, after: RunStatus, why: str) -> None:
    run = replace(PLAIN, status=status, cancel_ms=NOON if status is RunStatus.CANCELLED else None)
    assert cancelled(run, now_ms=NOW).status is after, why


@pytest.mark.parametrize(
    "status", [RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.TIMED_OUT, RunStatus.SKIPPED]
)
def test_a_run_that_is_over_cannot_be_cancelled(status: RunStatus) -> None:
    with pytest.raises(Conflict):
        cancelled(replace(PLAIN, status=status), now_ms=NOW)


def test_asking_again_keeps_the_first_moment() -> None:
    asked = cancelled(PLAIN, now_ms=NOW)
    assert cancelled(asked, now_ms=NOW + 1000) is asked


def test_a_trigger_that_has_not_started_never_will() -> None:
    world = World()
    run = trigger(world.engine, TENANT, world.job({"kind": "manual"}).id)
    assert cancel(world.engine, TENANT, run.id).status is RunStatus.CANCELLED
    world.advance(120)
    assert world.executed == []
    assert world.run(run.id).status is RunStatus.CANCELLED


def test_a_run_between_attempts_has_no_further_one() -> None:
    world = World()
    world.outcome = lambda _job, _run: Failed("connection", "no")
    retry = {"strategy": "fixed", "initial_delay_seconds": 30, "jitter": "none"}
    run = trigger(world.engine, TENANT, world.job({"kind": "manual"}, retry=retry).id)
    world.advance(5)
    assert cancel(world.engine, TENANT, run.id).status is RunStatus.CANCELLED
    world.advance(120)
    assert len(world.executed) == 1
    assert not world.run(run.id).dead


def test_a_cancelled_run_makes_room_for_who_waits() -> None:
    world = World()
    retry = {"strategy": "fixed", "initial_delay_seconds": 600, "jitter": "none"}
    job = world.job({"kind": "manual"}, retry=retry, concurrency={"policy": "queue"})
    world.outcome = lambda _job, _run: Failed("connection", "no")
    first = trigger(world.engine, TENANT, job.id)
    world.advance(5)
    world.outcome = lambda _job, _run: Succeeded({})
    second = trigger(world.engine, TENANT, job.id)
    world.advance(5)
    assert [world.run(run.id).status for run in (first, second)] == [RunStatus.RETRYING, RunStatus.PENDING]
    cancel(world.engine, TENANT, first.id)
    world.advance(2)
    assert world.run(second.id).status is RunStatus.SUCCEEDED


def test_a_waiting_run_that_is_cancelled_leaves_its_place_to_others() -> None:
    world = World()
    retry = {"strategy": "fixed", "initial_delay_seconds": 600, "jitter": "none"}
    job = world.job({"kind": "manual"}, retry=retry, concurrency={"policy": "queue"})
    world.outcome = lambda _job, _run: Failed("connection", "no")
    trigger(world.engine, TENANT, job.id)
    world.advance(5)
    second = trigger(world.engine, TENANT, job.id)
    world.advance(5)
    cancel(world.engine, TENANT, second.id)
    third = trigger(world.engine, TENANT, job.id)
    world.advance(5)
    assert world.run(third.id).status is RunStatus.PENDING, "it waits: the one place was free"


def test_a_failure_after_the_wish_to_stop_is_not_retried() -> None:
    world = World()
    run = trigger(world.engine, TENANT, world.job({"kind": "manual"}).id)

    def fail_when_asked(_job: Job, run: Run) -> Outcome:
        ask_to_stop(world.engine, run)
        return Failed("connection", "reset")

    world.outcome = fail_when_asked
    world.advance(120)
    ended = world.run(run.id)
    assert ended.status is RunStatus.CANCELLED
    assert [attempt.error for attempt in ended.attempts] == [{"kind": "connection", "message": "reset"}]
    assert not ended.dead


def test_what_succeeded_has_succeeded_also_after_the_wish_to_stop() -> None:
    world = World()
    run = trigger(world.engine, TENANT, world.job({"kind": "manual"}).id)

    def succeed(_job: Job, run: Run) -> Outcome:
        ask_to_stop(world.engine, run)
        return Succeeded({})

    world.outcome = succeed
    world.advance(10)
    assert world.run(run.id).status is RunStatus.SUCCEEDED


def asked_then_dead(world: World) -> tuple[Run, str]:
    """A run that was asked to stop, whose worker then died; and its message."""
    run = trigger(world.engine, TENANT, world.job({"kind": "manual"}, timeout_seconds=5).id)
    (body,) = world.queue.take_visible()

    def die(_job: Job, run: Run) -> Outcome:
        ask_to_stop(world.engine, run)
        raise Killed

    world.outcome = die
    with suppress(Killed):
        world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    world.clock.ms += 20_000
    return run, body


def test_nobody_takes_over_a_run_that_was_asked_to_stop() -> None:
    world = World()
    run, body = asked_then_dead(world)
    world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    assert world.run(run.id).status is RunStatus.CANCELLED
    assert len(world.executed) == 1


def test_a_dead_letter_that_was_asked_to_stop_is_cancelled() -> None:
    world = World()
    run, body = asked_then_dead(world)
    assert world.bury(body) == []
    assert world.run(run.id).status is RunStatus.CANCELLED
    assert not world.run(run.id).dead


def under_way(
    execute: Callable[[World, Run, Stop], Outcome], *, beat_ms: int = 10, **fields: object
) -> tuple[World, Run]:
    """A run executed in a real thread while the worker's heart beats quickly; and what became of it."""
    world = World(SystemClock().now_ms())
    settings = replace(world.engine.settings, beat_ms=beat_ms)
    world.engine = replace(world.engine, clock=SystemClock(), settings=settings)
    job = world.job({"kind": "manual"}, **fields)
    now_ms = world.engine.clock.now_ms()
    identity = run_id(job.id, now_ms, "1")
    message = RunMessage(TENANT, job.id, 1, identity, now_ms, now_ms, 1, "manual")
    with ThreadPoolExecutor(2) as threads:
        pool = ThreadPool(threads)
        worker = Worker(world.engine, "fast", lambda _job, run, _until, stop: execute(world, run, stop), pool)
        again = worker.work([Delivery("1", message.encode())], deadline=world.engine.clock.monotonic() + 30)
    assert again == []
    return world, world.run(identity)


def test_a_run_under_way_is_stopped_at_the_next_heartbeat() -> None:
    def until_told(world: World, run: Run, stop: Stop) -> Outcome:
        ask_to_stop(world.engine, run)
        return Failed("unknown", "told") if stop.wait(20) else Succeeded({})

    _, run = under_way(until_told)
    assert run.status is RunStatus.CANCELLED
    assert [attempt.outcome for attempt in run.attempts] == ["cancelled"]


def test_a_worker_that_lost_its_run_stops_and_records_nothing() -> None:
    def robbed(world: World, run: Run, stop: Stop) -> Outcome:
        world.db.runs.items[run_key(TENANT, run.id)]["fence"] = run.fence + 1
        return Failed("unknown", "told") if stop.wait(20) else Succeeded({})

    world, run = under_way(robbed)
    assert run.status is RunStatus.RUNNING, "it is another worker's"
    assert run.attempts == ()
    assert "too late" in world.telemetry.lines[-1][1]


def beating(world: World) -> tuple[Run, Active]:
    """A started run with a slot, in the tables, and its heartbeat's view."""
    job = world.job({"kind": "manual"}, concurrency={"policy": "forbid"}, timeout_seconds=600)
    run = trigger(world.engine, TENANT, job.id)
    holder: list[Run] = []

    def die(_job: Job, run: Run) -> Outcome:
        holder.append(run)
        raise Killed

    world.outcome = die
    for _, body in world.queue.sent + world.long_queue.sent:
        worker = Worker(world.engine, "long", lambda job, run, _until, _stop: die(job, run), world.pool)
        with suppress(Killed):
            worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    (started,) = holder
    assert started.id == run.id
    return started, Active(job, started, 0)


def test_a_heartbeat_renews_the_lease_and_the_slot_of_a_long_attempt() -> None:
    world = World()
    run, active = beating(world)
    world.clock.ms += 50_000
    beat(world.engine, Admission(world.engine), active)
    renewed = world.run(run.id).lease_ms
    assert renewed - run.lease_ms == 50_000
    (slot,) = world.db.runs.query(f"{TENANT}#{run.job_id}#slots").items
    assert slot["until_ms"] == renewed
    assert not active.stop.is_wanted


def test_a_lease_is_never_renewed_beyond_the_attempts_time_limit() -> None:
    world = World()
    run, active = beating(world)
    world.clock.ms += 590_000
    beat(world.engine, Admission(world.engine), active)
    margin = world.engine.settings.lease_margin_ms
    assert world.run(run.id).lease_ms == (run.started_ms or 0) + 600_000 + margin


def test_a_heartbeat_that_cannot_hold_the_slot_costs_the_batch_nothing() -> None:
    """The next one tries again; the lease was renewed, which is what others look at first."""
    world = World()
    run, active = beating(world)
    faults = Faults()
    engine = replace(world.engine, db=FaultyDatabase(world.db, faults))
    faults.arm(Mode.BEFORE, 2)
    world.clock.ms += 20_000
    beat(engine, Admission(engine), active)
    assert faults.struck
    assert world.run(run.id).lease_ms == run.lease_ms + 20_000
    assert not active.stop.is_wanted
    beat(engine, Admission(engine), active)
    (slot,) = world.db.runs.query(f"{TENANT}#{run.job_id}#slots").items
    assert slot["until_ms"] == world.run(run.id).lease_ms


@pytest.mark.parametrize(
    ("seconds", "stops", "why"),
    [(30, False, "the lease still holds"), (68, True, "the lease ends, and somebody else may start")],
)
def test_a_worker_that_cannot_renew_stops_before_its_lease_ends(seconds: int, stops: bool, why: str) -> None:
    world = World()
    _, active = beating(world)
    faults = Faults()
    engine = replace(world.engine, db=FaultyDatabase(world.db, faults))
    faults.arm(Mode.OUTAGE, 1)
    world.clock.ms += seconds * 1000
    beat(engine, Admission(engine), active)
    assert active.stop.is_wanted is stops, why


def test_a_request_that_meets_a_change_looks_again() -> None:
    world = World()
    run = trigger(world.engine, TENANT, world.job({"kind": "manual"}).id)
    stale = world.run(run.id)
    world.db.runs.items[run_key(TENANT, run.id)]["fence"] = 7
    original, reads = world.db.runs.get, [0]

    def get(key: tuple[str, str]) -> object:
        reads[0] += 1
        return {**original(key), "fence": stale.fence} if reads[0] == 1 else original(key)  # type: ignore[dict-item]

    world.db.runs.get = get  # type: ignore[assignment,method-assign]
    assert cancel(world.engine, TENANT, run.id).status is RunStatus.CANCELLED
    assert reads[0] == 2


def test_a_run_that_never_stands_still_is_a_conflict() -> None:
    world = World()
    run = trigger(world.engine, TENANT, world.job({"kind": "manual"}).id)
    item = world.db.runs.items[run_key(TENANT, run.id)]
    world.db.runs.get = lambda _key: {**item, "fence": 99}  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        cancel(world.engine, TENANT, run.id)
