"""Breakers: the pure state machine."""

import re

import pytest

from chalicelib.domain import breaker as module
from chalicelib.domain.breaker import CLOSED, ILL, Breaker, State, Verdict, after, room, tried, verdict
from chalicelib.domain.limits import BreakerRule
from chalicelib.domain.outcome import Failed, Outcome, Succeeded

NOW = 1_000_000
RULE = BreakerRule(failures=3, within_seconds=60, open_seconds=30)
OPEN = Breaker("open", 3, NOW, NOW + 30_000, "", 3)
HALF = Breaker("half_open", 3, NOW, NOW + 10_000, "run_1", 4)
BAD, WELL = Failed("connection", "refused"), Succeeded({})


def after_each(*failures_s: float, rule: BreakerRule = RULE) -> Breaker:
    """A closed breaker after failures, so many seconds after the beginning."""
    breaker = CLOSED
    for number, second in enumerate(failures_s):
        breaker = after(breaker, rule, f"run_{number}", BAD, NOW + round(second * 1000))
    return breaker


@pytest.mark.parametrize(
    ("seconds", "state", "why"),
    [
        ([0, 1], "closed", "two of three"),
        ([0, 1, 2], "open", "three"),
        ([0, 30, 60], "open", "the third just within the time"),
        ([0, 30, 60.001], "closed", "the first has been too long ago"),
        ([0, 30, 61, 62, 63], "open", "a new row, of three"),
    ],
)
def test_failures_that_come_together_open_it(seconds: list[float], state: State, why: str) -> None:
    assert after_each(*seconds).state == state, why


def test_successes_and_failures_of_the_job_itself_change_nothing_while_it_is_closed() -> None:
    counted = after_each(0, 1)
    for outcome in (WELL, Failed("http_4xx", "404", 404), Failed("unknown", "?")):
        assert after(counted, RULE, "run", outcome, NOW + 2000) is counted


@pytest.mark.parametrize("kind", ILL)
def test_kinds_that_say_that_the_target_is_ill_count(kind: str) -> None:
    assert after(CLOSED, RULE, "run", Failed(kind, "x"), NOW).failures == 1


@pytest.mark.parametrize(
    ("breaker", "run_id", "in_ms", "expected", "why"),
    [
        (CLOSED, "run_1", 0, "start", "closed"),
        (OPEN, "run_1", 30_000, "wait", "open until then"),
        (OPEN, "run_1", 30_001, "try", "its time is over"),
        (HALF, "run_2", 10_000, "wait", "another run tries"),
        (HALF, "run_1", 5_000, "try", "its own trial, started again"),
        (HALF, "run_2", 10_001, "try", "the trial's worker died"),
    ],
)
def test_who_may_start(breaker: Breaker, run_id: str, in_ms: int, expected: Verdict, why: str) -> None:
    assert verdict(breaker, run_id, NOW + in_ms) == expected, why


def test_one_is_called_when_its_time_is_over_and_nobody_before() -> None:
    assert room(CLOSED, NOW) is None
    assert [room(OPEN, NOW + ms) for ms in (0, 30_000, 30_001)] == [0, 0, 1]


@pytest.mark.parametrize(
    ("outcome", "state"), [(WELL, "closed"), (Failed("http_4xx", "404", 404), "closed"), (BAD, "open")]
)
def test_the_trial_decides(outcome: Outcome, state: State) -> None:
    trial = tried(OPEN, "run_9", until_ms=NOW + 99_000, now_ms=NOW + 31_000)
    assert (trial.state, trial.trial) == ("half_open", "run_9")
    ended = after(trial, RULE, "run_9", outcome, NOW + 32_000)
    assert ended.state == state
    if state == "open":
        assert ended.until_ms == NOW + 62_000


@pytest.mark.parametrize("outcome", [WELL, BAD])
def test_what_was_started_before_it_opened_has_no_say(outcome: Outcome) -> None:
    assert after(OPEN, RULE, "run_old", outcome, NOW + 1000) is OPEN
    assert after(HALF, RULE, "run_old", outcome, NOW + 1000) is HALF


def test_each_change_has_a_version_of_its_own() -> None:
    versions = [CLOSED.version]
    breaker = CLOSED
    for number in range(3):
        breaker = after(breaker, RULE, f"run_{number}", BAD, NOW)
        versions.append(breaker.version)
    breaker = tried(breaker, "run_4", until_ms=NOW, now_ms=NOW)
    versions += [breaker.version, after(breaker, RULE, "run_4", WELL, NOW).version]
    assert versions == [0, 1, 2, 3, 4, 5]


def test_the_drawn_arrows_are_those_that_happen() -> None:
    drawn = set(re.findall(r"^ *(\w+) ──.*▶ (\w+)$", module.__doc__ or "", re.MULTILINE))
    late = tried(HALF, "run_2", until_ms=NOW + 50_000, now_ms=NOW + 20_000)
    happens = {
        (CLOSED.state, after_each(0, 1, 2).state),
        (OPEN.state, tried(OPEN, "run", until_ms=0, now_ms=0).state),
        (HALF.state, after(HALF, RULE, "run_1", WELL, NOW).state),
        (HALF.state, after(HALF, RULE, "run_1", BAD, NOW).state),
        (HALF.state, late.state),
    }
    assert happens == drawn
