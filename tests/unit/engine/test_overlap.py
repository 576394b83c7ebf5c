"""Runs of one job that would overlap, over the twins: what each policy makes of them."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.message import Delivery
from chalicelib.features.jobs.trigger import trigger
from tests.support.world import NOON, World

S, K = RunStatus.SUCCEEDED, RunStatus.SKIPPED


class Killed(BaseException):
    """The end of a worker, at any instruction."""


def lasting(world: World, seconds: float, *, first: int = 1) -> Callable[[Job, Run], Outcome]:
    """Attempts of the first so many runs last so long, while the world goes on."""
    begun: list[str] = []

    def attempt(_job: Job, run: Run) -> Outcome:
        begun.append(run.id)
        if len(begun) <= first:
            world.advance(seconds)
        return Succeeded({})

    return attempt


def often(world: World, policy: str, **fields: Any) -> Job:
    """A job of four occurrences, 20 s apart, the first at 12:00:20."""
    rule = {name: fields.pop(name) for name in ("limit", "buffer") if name in fields}
    schedule = {"kind": "interval", "every": 20, "max_runs": 4}
    return world.job(schedule, concurrency={"policy": policy, **rule}, **{"timeout_seconds": 60, **fields})


def started(world: World) -> list[tuple[int, int]]:
    """(nominal, start) of each attempt, in seconds after noon."""
    return [((run.nominal_ms - NOON) // 1000, (at - NOON) // 1000) for run, at in world.executed]


@pytest.mark.parametrize(
    ("policy", "statuses", "reasons", "why"),
    [
        ("allow", [S, S, S, S], set(), "overlap is fine"),
        (
            "forbid",
            [S, K, K, S],
            {"overlap"},
            "the second and third meet the first one, which lasts 50 s",
        ),
        ("queue", [S, S, K, S], {"buffer_full"}, "the second waits, the third finds the one place taken"),
        (
            "replace",
            [S, K, S, S],
            {"overlap"},
            "the third takes the second one's place; the first goes on to its end",
        ),
    ],
)
def test_each_policy_decides_about_the_runs_that_meet_a_long_one(
    policy: str, statuses: list[RunStatus], reasons: set[str], why: str
) -> None:
    world = World()
    job = often(world, policy)
    world.outcome = lasting(world, 50)
    world.advance(600)
    runs = world.runs()
    assert [run.status for run in runs] == statuses, why
    assert {run.skip_reason for run in runs if run.skip_reason} == reasons
    assert all(run.job_id == job.id for run in runs)


def test_who_waits_starts_as_soon_as_the_slot_is_left() -> None:
    world = World()
    often(world, "queue", buffer=5)
    world.outcome = lasting(world, 50)
    world.advance(600)
    assert started(world) == [(20, 20), (40, 70), (60, 70), (80, 80)]


def test_a_ring_that_is_lost_leaves_who_waits_to_its_timer() -> None:
    world = World()
    often(world, "queue", buffer=5)
    world.outcome = lasting(world, 50)
    world.advance(25)
    assert started(world) == [(20, 20), (40, 70), (60, 70)], "so it goes if nothing is lost"

    world = World()
    often(world, "queue", buffer=5)

    def lose(_job: Job, run: Run) -> Outcome:
        world.advance(50)
        world.queue.failures.append(Unavailable("SQS is away"))
        world.outcome = lambda _job, _run: Succeeded({})
        return Succeeded({})

    world.outcome = lose
    world.advance(300)
    assert {run.status for run in world.runs()} == {S}
    assert len(world.executed) == 4
    assert started(world)[1][1] > 70


def test_no_more_runs_are_active_than_the_limit_allows() -> None:
    world = World()
    job = world.job(
        {"kind": "interval", "every": 5, "end_at": "2027-01-15T12:03:00Z"},
        concurrency={"policy": "queue", "limit": 2, "buffer": 100},
        timeout_seconds=60,
    )
    active: list[int] = [0]
    most: list[int] = [0]

    def attempt(_job: Job, run: Run) -> Outcome:
        active[0] += 1
        most[0] = max(most[0], active[0])
        if run.nominal_ms % 20_000 == 0:
            world.advance(12)
        active[0] -= 1
        return Succeeded({})

    world.outcome = attempt
    world.advance(600)
    assert most[0] == 2
    runs = world.runs()
    assert len(runs) == 35
    assert {run.status for run in runs} == {S}
    assert world.db.runs.query(f"local#{job.id}#slots").items == [], "everyone has left"


def test_a_slot_whose_worker_died_is_free_when_its_lease_has_run_out() -> None:
    world = World()
    often(world, "forbid", timeout_seconds=15)
    world.tick()
    world.clock.ms = NOON + 20_000
    (body,) = world.queue.take_visible()

    def die(_job: Job, _run: Run) -> Outcome:
        raise Killed

    world.outcome = die
    with suppress(Killed):
        world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    world.outcome = lambda _job, _run: Succeeded({})
    world.advance(120)
    reasons = [run.skip_reason for run in world.runs()][1:]
    assert reasons == ["overlap", None, None], "the lease was 15 s and a margin of 10: it ends at 12:00:45"


def test_a_run_that_has_begun_waits_for_a_slot_if_its_worker_died_and_others_were_faster() -> None:
    """It may have had its effect, so it is not skipped as if it had never started."""
    world = World()
    often(world, "forbid", timeout_seconds=15)
    world.tick()
    world.clock.ms = NOON + 20_000
    (body,) = world.queue.take_visible()

    def die(_job: Job, _run: Run) -> Outcome:
        raise Killed

    world.outcome = die
    with suppress(Killed):
        world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)

    def meets_the_first(_job: Job, run: Run) -> Outcome:
        if run.nominal_ms == NOON + 60_000:
            assert world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60) == []
        return Succeeded({})

    world.outcome = meets_the_first
    world.advance(120)
    first, overlapping, *others = world.runs()
    assert (first.status, first.attempt, first.starts) == (S, 1, 2)
    assert overlapping.skip_reason == "overlap"
    assert [run.status for run in others] == [S, S]


def test_a_run_keeps_its_slot_between_its_attempts() -> None:
    world = World()
    retry = {"max_attempts": 2, "strategy": "fixed", "initial_delay_seconds": 45, "jitter": "none"}
    often(world, "forbid", retry=retry)
    world.outcome = lambda _job, run: (
        Failed("connection", "no") if run.nominal_ms == NOON + 20_000 else Succeeded({})
    )
    world.advance(600)
    assert [run.status for run in world.runs()] == [RunStatus.FAILED, K, K, S]
    assert [run.skip_reason for run in world.runs()][1:3] == ["overlap", "overlap"]


def test_a_trigger_obeys_the_same_policy() -> None:
    world = World()
    job = often(world, "forbid")

    def attempt(_job: Job, _run: Run) -> Outcome:
        if len(world.executed) == 1:
            trigger(world.engine, job.tenant, job.id)
            world.advance(5)
        return Succeeded({})

    world.outcome = attempt
    world.advance(300)
    (skipped,) = [run for run in world.runs() if run.status is K]
    assert (skipped.trigger, skipped.skip_reason) == ("manual", "overlap")


def test_a_job_that_no_longer_cares_lets_everything_start() -> None:
    world = World()
    job = often(world, "forbid")

    def attempt(_job: Job, run: Run) -> Outcome:
        if run.nominal_ms == NOON + 20_000:
            world.change(job, concurrency=job.concurrency.model_copy(update={"policy": "allow"}))
            world.advance(30)
        return Succeeded({})

    world.outcome = attempt
    world.advance(300)
    assert {run.status for run in world.runs()} == {S}
