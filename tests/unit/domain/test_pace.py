"""Rates as rows of moments: the pure part."""

import pytest

from chalicelib.domain.limits import Rate
from chalicelib.domain.pace import floor_us, moments_ms

AT_MS = 1_000_000


def taken(rate: Rate, next_us: int, count: int, at_ms: int) -> tuple[list[int], int]:
    """What a reservation gets, and the next free moment after it: as the conditional writes have it."""
    after_us = max(next_us, floor_us(rate, at_ms)) + count * rate.interval_us
    return moments_ms(rate, after_us, count), after_us


@pytest.mark.parametrize(
    ("rate", "moments", "why"),
    [
        (Rate(limit=5), [0, 200, 400, 600], "evenly spaced"),
        (Rate(limit=1, per_seconds=60), [0, 60_000, 120_000, 180_000], "one a minute"),
        (Rate(limit=3), [0, 334, 667, 1000], "never early: a fraction of a millisecond is rounded up"),
        (Rate(limit=2000), [0, 1, 1, 2], "several in one millisecond"),
        (Rate(limit=1, per_seconds=1, burst=3), [-2000, -1000, 0, 1000], "three are free at once"),
    ],
)
def test_moments_after_a_quiet_time(rate: Rate, moments: list[int], why: str) -> None:
    assert [moment - AT_MS for moment in taken(rate, 0, 4, AT_MS)[0]] == moments, why


def test_who_comes_later_goes_behind_those_before() -> None:
    rate = Rate(limit=10)
    first, next_us = taken(rate, 0, 3, AT_MS)
    second, _ = taken(rate, next_us, 2, AT_MS + 50)
    assert [moment - AT_MS for moment in first + second] == [0, 100, 200, 300, 400]


def test_unused_time_is_not_saved_up_beyond_the_burst() -> None:
    rate = Rate(limit=10, burst=2)
    _, next_us = taken(rate, 0, 1, AT_MS)
    later, _ = taken(rate, next_us, 4, AT_MS + 60_000)
    assert [max(0, moment - AT_MS - 60_000) for moment in later] == [0, 0, 100, 200]


@pytest.mark.parametrize(("limit", "per_seconds"), [(7, 3), (100_000, 1), (1, 86_400), (13, 60)])
def test_no_stretch_of_time_has_more_than_its_share(limit: int, per_seconds: int) -> None:
    rate = Rate(limit=limit, per_seconds=per_seconds)
    moments, _ = taken(rate, 0, 3 * min(limit, 300) + 1, AT_MS)
    for number in range(len(moments) - limit):
        assert moments[number + limit] - moments[number] >= per_seconds * 1000 - 1
