"""The n-th occurrence of a cron schedule by arithmetic: days times times, from one change of the clock to the next.

`max_runs` ends a schedule at its n-th occurrence, and n goes to 10,000: to walk there would take as many searches.
"""

from bisect import bisect_left
from collections.abc import Callable

from chalicelib.domain.cron import END_MS, CronCalendar
from chalicelib.domain.zones import Zone

_DAY_S = 86_400
_REACH_DAYS = 2
"""Clocks set back may show a date that lies before the one of the start."""


class _Numbered:
    """The matching seconds of a calendar, numbered from 1 at a first day on; days are listed as far as needed."""

    def __init__(self, calendar: CronCalendar, first_day: int) -> None:
        self._calendar = calendar
        self._a_day = len(calendar.minutes) * len(calendar.seconds)
        self._days: list[int] = []
        self._more = calendar.days_from(first_day)

    def until(self, local: int) -> int:
        """The number of the last matching second at or before a local second; 0 if there is none."""
        day, second = divmod(local, _DAY_S)
        while not self._days or self._days[-1] < day:
            if not self._list(1):
                break
        index = bisect_left(self._days, day)
        is_match = index < len(self._days) and self._days[index] == day
        return index * self._a_day + (self._calendar.times_until(second) if is_match else 0)

    def second(self, number: int) -> int | None:
        """The local second with a number; None after the end of the calendar."""
        day, time = divmod(number - 1, self._a_day)
        if day >= len(self._days) and not self._list(day + 1 - len(self._days)):
            return None
        minute, second = divmod(time, len(self._calendar.seconds))
        return self._days[day] * _DAY_S + self._calendar.minutes[minute] * 60 + self._calendar.seconds[second]

    def _list(self, count: int) -> bool:
        """Whether there were so many more days to list."""
        wanted = len(self._days) + count
        for day in self._more:
            self._days.append(day)
            if len(self._days) == wanted:
                return True
        return False


def nth_after(
    calendar: CronCalendar, zone: Zone, following: Callable[[int], int | None], second: int, count: int
) -> int | None:
    """The `count`-th occurrence after a second of UTC; None if there are fewer.

    `following` is the schedule's own search from one occurrence to the next, which decides what a change of the clock
    does. Between two changes each matching second of the calendar is an occurrence, so that they can be counted.
    """
    numbered = _Numbered(calendar, (second + zone.offset(second)) // _DAY_S - _REACH_DAYS)
    found = following(second)
    while found is not None and count > 1:
        offset = zone.offset(found)
        number = numbered.until(found + offset)
        last = numbered.second(number + count - 1)
        change = zone.next_change(found, END_MS // 1000 if last is None else last - offset + 1)
        if change is None:
            return None if last is None else last - offset
        count -= 1 + numbered.until(change - 1 + offset) - number
        found = following(change - 1)
    return found
