"""Rates as a row of moments (the generic cell rate algorithm): the next free one is all there is to remember. Pure."""

from chalicelib.domain.limits import Rate


def floor_us(rate: Rate, at_ms: int) -> int:
    """Epoch microseconds: a next free moment before this one counts as this one. `at_ms`: when who asks may start.

    It lies in the past by as many intervals as may be made up in a burst.
    """
    return at_ms * 1000 - (rate.burst - 1) * rate.interval_us


def moments_ms(rate: Rate, next_us: int, count: int) -> list[int]:
    """The moments of those who moved the next free moment to `next_us`, in order, rounded up to milliseconds."""
    first_us = next_us - count * rate.interval_us
    return [-(-(first_us + number * rate.interval_us) // 1000) for number in range(count)]
