"""Breakers at work, over the twins: a target that is ill is left alone, tried by one run, and then all go on."""

from typing import Any

import pytest

from chalicelib.domain.job import Job
from chalicelib.domain.limits import BreakerRule
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.flow.gate_records import decode_state
from chalicelib.engine.flow.gates import Gate
from chalicelib.engine.message import Delivery
from tests.support.limited import at, counted_deliveries, limit, starts, taken_up, with_targets
from tests.support.world import NOON, TENANT, World

RULE = {"failures": 3, "within_seconds": 60, "open_seconds": 30}
ONCE = {"max_attempts": 1}
S = RunStatus.SUCCEEDED


class Killed(BaseException):
    """The end of a worker, in the middle of an attempt."""


def guarded(**more: Any) -> World:
    """A world whose target `a` has a breaker."""
    world = with_targets(World())
    limit(world.db, targets={"a": {"breaker": RULE, **more}})
    return world


def ill_until(world: World, second: int, kind: str = "connection") -> None:
    """The target `a` fails until so many seconds after noon."""

    def attempt(job: Job, _run: Run) -> Outcome:
        is_ill = job.config.get("target") == "a" and world.clock.now_ms() < NOON + second * 1000
        return Failed(kind, "no answer") if is_ill else Succeeded({})

    world.outcome = attempt


def herd(world: World, *seconds: int, **fields: Any) -> None:
    for second in seconds:
        world.job(at(second), config={"target": "a"}, **{"retry": ONCE, **fields})


def state(world: World) -> str:
    partition = Gate(TENANT, "target:a", breaker=BreakerRule()).partition
    return decode_state(world.db.runs.query(partition).items).breaker.state


def test_after_enough_failures_nothing_starts_until_one_has_tried_and_succeeded() -> None:
    world = guarded()
    herd(world, 10, 11, 12, *([15] * 20), 44)
    ill_until(world, 30)
    world.advance(16)
    assert state(world) == "open"
    assert starts(world) == [10_000, 11_000, 12_000]
    assert {run.status for run in world.runs() if run.nominal_ms > NOON + 13_000} == {RunStatus.PENDING}
    world.advance(60)
    assert state(world) == "closed"
    assert starts(world)[3] == 42_001, "one tries when the 30 s are over"
    assert starts(world)[-2:] == [42_001, 44_000], "then the others are called at once"
    assert [run.status for run in world.runs()].count(S) == 21
    assert taken_up(world) == []


def test_a_trial_that_fails_opens_it_again() -> None:
    world = guarded()
    herd(world, 10, 11, 12, 15, 16, 17)
    ill_until(world, 60)
    world.advance(150)
    assert starts(world)[:5] == [10_000, 11_000, 12_000, 42_001, 72_002]
    assert [run.status for run in world.runs()].count(S) == 2
    assert state(world) == "closed"
    assert taken_up(world) == []


def test_no_attempt_is_used_up_while_it_is_open_and_retries_wait_too() -> None:
    world = guarded()
    retry = {"max_attempts": 2, "strategy": "fixed", "initial_delay_seconds": 5, "jitter": "none"}
    herd(world, 10, 10, 10, 10, retry=retry)
    ill_until(world, 30)
    world.advance(120)
    assert {run.status for run in world.runs()} == {S}
    assert {run.attempt for run in world.runs()} <= {1, 2}
    assert [each for each in starts(world) if 13_000 < each < 40_000] == []


def test_the_start_deadline_holds_while_it_is_open() -> None:
    world = guarded()
    herd(world, 10, 11, 12)
    herd(world, 15, start_deadline_seconds=10)
    herd(world, 16)
    ill_until(world, 30)
    world.advance(200)
    assert [run.skip_reason for run in world.runs()][3:] == ["start_deadline", None]
    assert [run.status for run in world.runs()][4] is S
    assert taken_up(world) == []


def test_another_target_is_none_of_its_business() -> None:
    world = guarded()
    herd(world, 10, 11, 12)
    world.job(at(15), config={"target": "b"})
    world.job(at(15), config={})
    ill_until(world, 30)
    world.advance(20)
    assert starts(world) == [10_000, 11_000, 12_000, 15_000, 15_000]


@pytest.mark.parametrize(
    ("kind", "expected"), [("http_5xx", "open"), ("timeout", "open"), ("http_4xx", "closed")]
)
def test_only_what_says_that_the_target_is_ill_counts(kind: str, expected: str) -> None:
    world = guarded()
    herd(world, 10, 11, 12)
    ill_until(world, 30, kind)
    world.advance(13)
    assert state(world) == expected


def test_a_trial_whose_worker_dies_is_followed_by_another_when_its_lease_is_over() -> None:
    world = guarded()
    herd(world, 10, 11, 12, 15, timeout_seconds=5)
    herd(world, 16)
    ill_until(world, 30)
    world.advance(40)
    (body,) = [body for _, body in world.queue.sent]
    world.queue.sent = []
    well = world.outcome

    def die(_job: Job, _run: Run) -> Outcome:
        raise Killed

    world.outcome = die
    world.clock.ms = NOON + 43_000
    with pytest.raises(Killed):
        world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    assert state(world) == "half_open"
    world.outcome = well
    world.queue.sent.append((NOON + 143_000, body))
    world.advance(200)
    assert state(world) == "closed"
    assert [run.status for run in world.runs()][3:] == [S, S]
    assert starts(world)[4] <= 121_000
    assert taken_up(world) == []


def test_a_herd_that_waits_for_a_breaker_is_delivered_twice_a_run_and_some_more_for_trials() -> None:
    world = guarded()
    herd(world, 10, 11, 12, *([20] * 300))
    ill_until(world, 100)
    deliveries = counted_deliveries(world)
    world.advance(300)
    assert [run.status for run in world.runs()].count(RunStatus.FAILED) == 5, "two trials failed"
    assert [run.status for run in world.runs()].count(S) == 298
    assert sum(deliveries.values()) <= 2 * 303 + 10
    assert taken_up(world) == []


def test_with_a_limit_of_concurrency_too_both_hold() -> None:
    world = guarded(concurrency=2)
    herd(world, 10, 11, 12, *([15] * 30))
    ill_until(world, 30)
    world.advance(200)
    assert [run.status for run in world.runs()].count(S) == 30
    assert starts(world)[3] == 42_001
    assert state(world) == "closed"
    assert taken_up(world) == []


def test_its_changes_of_state_are_told() -> None:
    world = guarded()
    herd(world, 10, 11, 12, 15)
    ill_until(world, 30)
    world.advance(60)
    told = [
        (kind, sentence, fields["target"])
        for kind, sentence, fields in world.telemetry.lines
        if "breaker" in sentence
    ]
    assert told == [
        ("warning", "A breaker has opened.", "target:a"),
        ("info", "A breaker has closed.", "target:a"),
    ]
    assert ("breakers_opened", 1) in world.telemetry.counts


def test_a_breaker_that_is_taken_away_lets_everybody_go() -> None:
    world = guarded()
    herd(world, 10, 11, 12, 15, 16)
    ill_until(world, 14)
    world.advance(17)
    limit(world.db)
    world.advance(120)
    assert [run.status for run in world.runs()][3:] == [S, S]
    assert taken_up(world) == []
