"""Retry policies: which failures are tried again, when, and when no more."""

from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.domain.outcome import Failed
from chalicelib.domain.retry import RetryPolicy

RETRYABLE: list[tuple[dict[str, Any], Failed, bool, str]] = [
    ({}, Failed("http_5xx", "", status=503), True, "the other side may recover"),
    ({}, Failed("connection", ""), True, "the network may recover"),
    ({}, Failed("timeout", ""), True, "it may be faster next time"),
    ({}, Failed("http_4xx", "", status=404), False, "the same request gets the same answer"),
    ({}, Failed("http_4xx", "", status=408), True, "408 asks for another try"),
    ({}, Failed("http_4xx", "", status=425), True, "425 asks for another try"),
    ({}, Failed("http_429", "", status=429), True, "429 asks for patience"),
    ({}, Failed("forbidden_target", ""), False, "the guard will not change its mind"),
    ({"retry_on": ["timeout"]}, Failed("timeout", ""), True, "named by kind"),
    ({"retry_on": ["timeout"]}, Failed("http_5xx", "", status=500), False, "not among the named"),
    ({"retry_on": [404]}, Failed("http_4xx", "", status=404), True, "named by status"),
    ({"give_up_on": ["http_5xx"]}, Failed("http_5xx", "", status=500), False, "given up on by kind"),
    (
        {"retry_on": ["http_5xx"], "give_up_on": [501]},
        Failed("http_5xx", "", status=501),
        False,
        "giving up wins",
    ),
]


@pytest.mark.parametrize(("policy", "failed", "expected", "_reason"), RETRYABLE)
def test_a_failure_is_retried_only_if_it_may_pass(
    policy: dict[str, Any], failed: Failed, expected: bool, _reason: str
) -> None:
    assert RetryPolicy(**policy).is_retryable(failed) is expected


OOPS = Failed("connection", "refused")
DELAYS: list[tuple[dict[str, Any], int, Failed, float, float, str]] = [
    ({"jitter": "none"}, 1, OOPS, 0.5, 10, "the first delay"),
    ({"jitter": "none"}, 3, OOPS, 0.5, 40, "doubled twice"),
    ({"jitter": "none"}, 99, OOPS, 0.5, 900, "capped"),
    ({"jitter": "none", "multiplier": 10}, 100, OOPS, 0.5, 900, "no overflow"),
    ({"jitter": "full"}, 2, OOPS, 0.25, 5, "a quarter of twenty"),
    ({"strategy": "fixed", "initial_delay_seconds": 7, "jitter": "none"}, 5, OOPS, 0, 7, "always the same"),
    ({"strategy": "none"}, 2, OOPS, 0.9, 0, "at once"),
    ({"jitter": "none"}, 1, Failed("http_429", "", 429, 60.0), 0, 60, "the other side asks for longer"),
    ({"jitter": "none"}, 1, Failed("http_429", "", 429, 3.0), 0, 10, "the other side asks for less"),
    ({"jitter": "none"}, 1, Failed("http_429", "", 429, 1e9), 0, 900, "within the cap"),
]


@pytest.mark.parametrize(("policy", "attempt", "failed", "fraction", "expected", "_reason"), DELAYS)
def test_the_delay_before_the_next_attempt(
    policy: dict[str, Any], attempt: int, failed: Failed, fraction: float, expected: float, _reason: str
) -> None:
    assert RetryPolicy(**policy).delay_seconds(attempt, failed, fraction) == expected


def test_the_last_attempt_is_followed_by_none() -> None:
    policy = RetryPolicy(max_attempts=2, jitter="none")
    times = {"first_started_ms": 0, "now_ms": 1000, "fraction": 0.0}
    assert policy.next_attempt_ms(1, OOPS, **times) == 11_000
    assert policy.next_attempt_ms(2, OOPS, **times) is None


def test_a_run_that_is_too_old_is_not_retried() -> None:
    policy = RetryPolicy(max_attempts=9, jitter="none", max_age_seconds=60)
    assert policy.next_attempt_ms(1, OOPS, first_started_ms=0, now_ms=50_000, fraction=0) == 60_000
    assert policy.next_attempt_ms(1, OOPS, first_started_ms=0, now_ms=50_001, fraction=0) is None


INVALID = [
    ({"max_attempts": 0}, "at least one attempt"),
    ({"max_attempts": 101}, "too many"),
    ({"strategy": "fibonacci"}, "unknown strategy"),
    ({"initial_delay_seconds": -1}, "negative"),
    ({"initial_delay_seconds": 100, "max_delay_seconds": 10}, "the cap is under the start"),
    ({"retry_on": ["sometimes"]}, "unknown kind"),
    ({"retry_on": [99]}, "no HTTP status"),
    ({"tries": 3}, "unknown field"),
]


@pytest.mark.parametrize(("fields", "_reason"), INVALID)
def test_a_policy_that_makes_no_sense_is_refused(fields: dict[str, Any], _reason: str) -> None:
    with pytest.raises(ValidationError):
        RetryPolicy.model_validate(fields)
