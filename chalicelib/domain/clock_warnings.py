"""What the changes of the clock in the coming year do to a cron schedule, in words."""

from datetime import UTC, datetime
from itertools import islice
from typing import Literal

from chalicelib.domain.cron import CronCalendar
from chalicelib.domain.describe import length
from chalicelib.domain.occurrences import Timetable
from chalicelib.domain.schedule import CronSchedule
from chalicelib.domain.zones import Stretch, zone

ClockWarning = tuple[Literal["dst_gap", "dst_overlap"], str]
"""A stable code and a sentence for a person."""

_YEAR_S = 366 * 86_400
_DAY_S = 86_400
_DAY_MINUTES = 1440
_FEW = 3
"""So many occurrences of a change are named one by one."""


def clock_warnings(
    schedule: CronSchedule, calendar: CronCalendar, times: Timetable, now_ms: int
) -> list[ClockWarning]:
    """One for each change that moves, drops or repeats occurrences. `times` are the schedule's own, for its bounds."""
    start, found = now_ms // 1000, list[ClockWarning]()
    for before, after in zone(schedule.timezone).changes(start, start + _YEAR_S):
        lows = _touched(calendar, before, after)
        if not lows or not times.covers(after.start * 1000):
            continue
        subject = _subject(lows, max(before.offset, after.offset) + after.start)
        change = _change(schedule.timezone, before, after)
        if after.offset > before.offset:
            effect = _in_gap(schedule, calendar, after.start + after.offset, len(lows))
            found.append(("dst_gap", f"{change}: {subject} {effect}."))
        else:
            effect = _in_overlap(schedule, calendar, before.offset - after.offset, len(lows))
            found.append(("dst_overlap", f"{change}: {subject} {effect}."))
    return found


def _touched(calendar: CronCalendar, before: Stretch, after: Stretch) -> list[int]:
    """The first local seconds that match among those that no clock shows, or that are shown twice."""
    low, high = sorted((after.start + before.offset, after.start + after.offset))
    if not calendar.has_fixed_time and _is_regular(calendar, after.offset - before.offset):
        return []
    found, local = list[int](), calendar.next(low - 1)
    while local is not None and local < high and len(found) <= _FEW:
        found.append(local)
        local = calendar.next(local)
    return found


def _is_regular(calendar: CronCalendar, shift: int) -> bool:
    """Whether the times of a day look the same after a shift: then elapsed time goes on as if nothing had happened."""
    minutes = {(minute + shift // 60) % _DAY_MINUTES for minute in calendar.minutes}
    return shift % 60 == 0 and minutes == set(calendar.minutes)


def _in_gap(schedule: CronSchedule, calendar: CronCalendar, first: int, count: int) -> str:
    does, fires = ("does", "fires") if count == 1 else ("do", "fire")
    if not calendar.has_fixed_time:
        return f"{does} not come, since hour or minute has a wildcard or a step"
    if schedule.dst != "once":
        return f"{does} not fire"
    if calendar.next(first - 1) == first:
        return f"{fires} as one with that of {_clock(first)}"
    return f"fires at {_clock(first)} instead" if count == 1 else f"fire as one, at {_clock(first)}"


def _in_overlap(schedule: CronSchedule, calendar: CronCalendar, shift: int, count: int) -> str:
    fires = "fires" if count == 1 else "fire"
    if not calendar.has_fixed_time:
        return f"{fires} twice, {length(shift * 1000)} apart, since hour or minute has a wildcard or a step"
    if schedule.dst == "literal":
        return f"{fires} twice, {length(shift * 1000)} apart"
    return f"{fires} once, the first time that the clock shows it"


def _subject(local: list[int], end: int) -> str:
    if len(local) == 1:
        return f"the occurrence of {_clock(local[0])}"
    if len(local) > _FEW:
        return f"the occurrences from {_clock(local[0])} until {_clock(end)}"
    names = [_clock(each) for each in islice(local, _FEW)]
    return f"the occurrences of {', '.join(names[:-1])} and {names[-1]}"


def _change(name: str, before: Stretch, after: Stretch) -> str:
    old, new = after.start + before.offset, after.start + after.offset
    direction = "forward" if new > old else "back"
    to = _clock(new) if old // _DAY_S == new // _DAY_S else f"{_clock(new)} of {_date(new)}"
    return f"On {_date(old)} the clocks of {name} go {direction} from {_clock(old)} to {to}"


def _date(local: int) -> str:
    return datetime.fromtimestamp(local, UTC).date().isoformat()


def _clock(local: int) -> str:
    return datetime.fromtimestamp(local, UTC).strftime("%H:%M:%S" if local % 60 else "%H:%M")
