"""Circuit breakers: a target that keeps failing is left alone for a while, then tried by one run. Pure.

closed ──(failures enough within the time)──▶ open
open ──(its time is over, a run tries)──▶ half_open
half_open ──(the trial succeeds)──▶ closed
half_open ──(the trial fails)──▶ open
half_open ──(the trial's lease has run out, another run tries)──▶ half_open
"""

from dataclasses import dataclass, replace
from typing import Literal

from chalicelib.domain.limits import BreakerRule
from chalicelib.domain.outcome import Failed, Outcome

State = Literal["closed", "open", "half_open"]
Verdict = Literal["start", "try", "wait"]
ILL = ("connection", "timeout", "http_5xx", "http_429", "rate_limited")
"""Error kinds that say that the target is ill. All others show that it answers, or are not its fault."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """As it is stored. `since_ms`: when it came into its state, or while it is closed, when the first failure was.

    `until_ms`: while it is open, until when; while it is half open, the lease of the run `trial`. `version` counts
    changes.
    """

    state: State = "closed"
    failures: int = 0
    since_ms: int = 0
    until_ms: int = 0
    trial: str = ""
    version: int = 0


CLOSED = Breaker()


def verdict(breaker: Breaker, run_id: str, now_ms: int) -> Verdict:
    """May the run start: as any, as the trial, or not now?"""
    if breaker.state == "closed":
        return "start"
    is_its_trial = breaker.state == "half_open" and breaker.trial == run_id
    return "try" if is_its_trial or breaker.until_ms < now_ms else "wait"


def room(breaker: Breaker, now_ms: int) -> int | None:
    """How many of those who wait may be called; None for any number."""
    if breaker.state == "closed":
        return None
    return 1 if breaker.until_ms < now_ms else 0


def tried(breaker: Breaker, run_id: str, *, until_ms: int, now_ms: int) -> Breaker:
    """The run starts as the trial, under a lease until `until_ms`."""
    return replace(
        breaker,
        state="half_open",
        since_ms=now_ms,
        until_ms=until_ms,
        trial=run_id,
        version=breaker.version + 1,
    )


def after(breaker: Breaker, rule: BreakerRule, run_id: str, outcome: Outcome, now_ms: int) -> Breaker:
    """After an attempt; the same if nothing changes. What was started before it opened has no say any more."""
    is_ill = isinstance(outcome, Failed) and outcome.kind in ILL
    if breaker.state == "half_open" and breaker.trial == run_id:
        return _opened(breaker, rule, now_ms) if is_ill else Breaker(version=breaker.version + 1)
    if breaker.state != "closed" or not is_ill:
        return breaker
    is_old = breaker.failures == 0 or now_ms > breaker.since_ms + rule.within_seconds * 1000
    failures, since_ms = (1, now_ms) if is_old else (breaker.failures + 1, breaker.since_ms)
    counted = replace(breaker, failures=failures, since_ms=since_ms)
    if failures >= rule.failures:
        return _opened(counted, rule, now_ms)
    return replace(counted, version=breaker.version + 1)


def _opened(breaker: Breaker, rule: BreakerRule, now_ms: int) -> Breaker:
    until_ms = now_ms + rule.open_seconds * 1000
    return replace(
        breaker, state="open", since_ms=now_ms, until_ms=until_ms, trial="", version=breaker.version + 1
    )
