"""From a wall clock's seconds to UTC, across the days on which the clock is moved.

A local second here counts from 1970-01-01T00:00:00 on the zone's own wall clock; `local_at(t) = t + offset(t)`.
"""

from collections.abc import Callable
from typing import Literal

from chalicelib.domain.cron import CronCalendar
from chalicelib.domain.zones import Stretch, Zone

DstRule = Literal["once", "skip", "literal"]
NextLocal = Callable[[int], int | None]
"""The first matching second of a local calendar after the given one; None where the calendar ends."""

_MAX_SHIFT_S = 26 * 3600
"""No two offsets of a zone are further apart (UTC-12 to UTC+14), so a change reaches no further than this."""


def reached(zone: Zone, second: int) -> int:
    """The latest local second that the wall clock has shown up to this second of UTC, also before it was set back."""
    stretches = zone.around(second)
    if len(stretches) == 1:
        return second + stretches[0].offset
    best = second + zone.offset(second)
    for stretch in stretches:
        if stretch.end <= second:
            best = max(best, stretch.end - 1 + stretch.offset)
    return best


def first_showing(zone: Zone, local: int) -> tuple[int, bool]:
    """The first second of UTC at which the wall clock shows `local` or later, and whether it shows exactly that."""
    stretches = zone.around(local)
    if len(stretches) == 1:
        return local - stretches[0].offset, True
    for stretch in stretches:
        if stretch.end + stretch.offset > local:
            at = max(stretch.start, local - stretch.offset)
            return at, at + stretch.offset == local
    raise AssertionError("a window reaches two days past its seconds")


def next_by_wall_clock(zone: Zone, following: NextLocal, second: int, *, skip_gaps: bool) -> int | None:
    """The next occurrence with a fixed hour and minute, after a second of UTC.

    Each local moment counts once, when the wall clock first shows it. One that the clock jumps over counts at the
    first second after the gap, or with `skip_gaps` not at all.
    """
    local = following(reached(zone, second))
    while local is not None:
        at, exact = first_showing(zone, local)
        if exact or not skip_gaps:
            return at
        local = following(at + zone.offset(at) - 1)
    return None


def next_by_elapsed_time(zone: Zone, following: NextLocal, second: int) -> int | None:
    """The next second of UTC, after the given one, at which the wall clock shows a time of the calendar.

    Each showing counts, and none is made up: where an hour is lost or doubled, what fires each hour goes on each hour
    of real time. After half an hour back (Lord Howe Island) minute 45 of each hour is shown again half an hour later.
    """
    while True:
        stretch = _holding(zone, second + 1)
        local = following(second + stretch.offset)
        if local is None:
            return None
        if local - stretch.offset < stretch.end:
            return local - stretch.offset
        near = stretch.end - second <= _MAX_SHIFT_S
        second = stretch.end - 1 if near else max(stretch.end - 1, local - 2 * _MAX_SHIFT_S)


def shows(zone: Zone, calendar: CronCalendar, second: int, dst: DstRule) -> bool:
    """Whether a second of UTC is an occurrence of the calendar: what the searches above would find there."""
    local = second + zone.offset(second)
    if len(zone.around(second)) == 1 or dst == "literal" or not calendar.has_fixed_time:
        return calendar.has(local)
    before = reached(zone, second - 1)
    if before >= local:
        return False
    if before + 1 == local or dst == "skip":
        return calendar.has(local)
    following = calendar.next(before)
    return following is not None and following <= local


def _holding(zone: Zone, second: int) -> Stretch:
    stretches = zone.around(second)
    if len(stretches) == 1:
        return stretches[0]
    return next(stretch for stretch in stretches if second < stretch.end)
