"""Whose time an invocation's is."""

import pytest

from chalicelib.domain.outcome import Failed, Succeeded
from chalicelib.domain.run import RunStatus
from chalicelib.engine.ledger.meter import Meter
from tests.support.world import NOON, World


def test_a_moment_is_shared_by_those_who_are_still_at_work() -> None:
    meter = Meter(0, 3)
    assert [meter.leave(300), meter.leave(500), meter.leave(1000)] == [100, 200, 700]
    assert meter.share == 333


@pytest.mark.parametrize(
    ("now_ms", "billed", "why"),
    [(0, 0, "no time has passed"), (-50, 0, "nor did it go back"), (1, 1, "a part of one is one")],
)
def test_a_clock_that_is_set_back_takes_nothing_away(now_ms: int, billed: int, why: str) -> None:
    assert Meter(0, 2).leave(now_ms) == billed, why


def test_who_leaves_without_an_attempt_is_not_waited_for() -> None:
    meter = Meter(0, 2)
    meter.leave(0)
    assert meter.leave(100) == 100
    assert meter.leave(150) == 150, "a message that came twice leaves twice, and breaks nothing"


def test_a_run_that_has_ended_says_what_it_took_of_its_worker_its_hold_included() -> None:
    world = World()
    world.job("1 * * * *")
    world.job("1 * * * *")
    world.tick()
    world.clock.ms = NOON + 59_000

    def second(*_: object) -> Succeeded:
        world.clock.sleep(1)
        return Succeeded({})

    world.outcome = second
    world.deliver()
    first, last = sorted(world.runs(), key=lambda run: run.mb_ms)
    assert (first.shares, last.shares) == (500, 500)
    memory = world.engine.settings.memory_mb
    assert (first.mb_ms / memory, last.mb_ms / memory) == (1010, 2010), (
        "half the hold each, then their own second"
    )


def test_each_attempt_adds_what_it_took() -> None:
    world = World()
    world.job("1 * * * *", retry={"strategy": "fixed", "initial_delay_seconds": 1, "jitter": "none"})
    world.outcome = lambda _job, run: Failed("unknown", "no") if run.attempt == 1 else Succeeded({})
    world.advance(120)
    [run] = world.runs()
    assert (run.status, run.attempt, run.shares) == (RunStatus.SUCCEEDED, 2, 2000)
    assert run.mb_ms >= 2 * 10 * world.engine.settings.memory_mb
