"""A parsed cron expression as a calendar of local seconds that answers: which matching second comes next?"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Literal

from chalicelib.domain.cron_fields import CronError, CronFields, parse, uses_hash

DayMatch = Literal["any", "all"]

LAST_YEAR = 2199
"""Where every sequence ends: well past the rarest date (a given weekday on 29 February recurs within 40 years, also
across 2100), and near enough that a search for one is over in two milliseconds."""

_DAY_S = 86_400
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_END_DAY = date(LAST_YEAR + 1, 1, 1).toordinal() - _EPOCH_ORDINAL
END_MS = _END_DAY * _DAY_S * 1000
_MAX_BLOCK_DAYS = 366
_MINUTES = tuple(range(1440))
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class CronCalendar:
    """The local seconds of one expression. Immutable, apart from days of months that it remembers."""

    __slots__ = ("_any_day", "_month_days", "_wanted", "fields", "has_fixed_time", "minutes", "seconds")

    def __init__(self, fields: CronFields, day_match: DayMatch) -> None:
        self.fields = fields
        self.has_fixed_time = fields.has_fixed_time
        self.seconds = fields.seconds
        self.minutes = _minutes_of_day(fields.hours, fields.minutes)
        self._wanted = _DayRule(fields, day_match)
        self._month_days: dict[tuple[int, int], tuple[int, ...]] = {}
        self._any_day = len(fields.months) == 12 and all(
            len(self._days_of(first, 31)) == 31 for first in range(7)
        )

    def next(self, local: int) -> int | None:
        """The first matching local second after `local`; None after the last year."""
        day, second = divmod(local, _DAY_S)
        found = self.next_day(day)
        if found == day:
            time = self._time_after(second)
            if time is not None:
                return day * _DAY_S + time
            found = self.next_day(day + 1)
        return None if found is None else found * _DAY_S + self.minutes[0] * 60 + self.seconds[0]

    def next_day(self, day: int) -> int | None:
        """The first matching day from `day` on, both in days since 1970-01-01; None after the last year."""
        if not 0 <= day < _END_DAY:
            return None if day > 0 else self.next_day(0)
        if self._any_day:
            return day
        start = date.fromordinal(day + _EPOCH_ORDINAL)
        if start.month in self.fields.months:
            first = day - start.day + 1
            days = self._days(first, start.year, start.month)
            index = bisect_left(days, start.day)
            if index < len(days):
                return first + days[index] - 1
        return self._next_month_day(start.year, start.month)

    def has(self, local: int) -> bool:
        """Whether this very local second matches."""
        day, second = divmod(local, _DAY_S)
        minute, rest = divmod(second, 60)
        return _holds(self.seconds, rest) and _holds(self.minutes, minute) and self._has_day(day)

    def end_of_block(self, local: int) -> int:
        """The first second after a matching one that may not match; exact where each second of a minute matches."""
        if len(self.seconds) < 60:
            return local + 1
        day, second = divmod(local, _DAY_S)
        for _ in range(_MAX_BLOCK_DAYS):
            index = bisect_left(self.minutes, second // 60)
            last = bisect_right(
                range(len(self.minutes)), self.minutes[index] - index, key=lambda at: self.minutes[at] - at
            )
            end = self.minutes[last - 1] + 1
            if end < len(_MINUTES) or self.minutes[0] > 0 or not self._has_day(day + 1):
                return day * _DAY_S + end * 60
            day, second = day + 1, 0
        return day * _DAY_S

    def _has_day(self, day: int) -> bool:
        if self._any_day:
            return True
        if not 0 <= day < _END_DAY:
            return False
        date_ = date.fromordinal(day + _EPOCH_ORDINAL)
        if date_.month not in self.fields.months:
            return False
        return _holds(self._days(day - date_.day + 1, date_.year, date_.month), date_.day)

    def days_from(self, day: int) -> Iterator[int]:
        """The matching days from `day` on, to the end of the calendar; cheaper than `next_day` again and again."""
        start = date.fromordinal(max(day, 0) + _EPOCH_ORDINAL)
        months = sorted(self.fields.months)
        for year in range(start.year, LAST_YEAR + 1):
            for month in months:
                first = date(year, month, 1).toordinal() - _EPOCH_ORDINAL
                if first > day - 31:
                    yield from [
                        at for one in self._days(first, year, month) if (at := first + one - 1) >= day
                    ]

    def times_until(self, second: int) -> int:
        """How many times of a matching day lie at or before this second of it."""
        minute, rest = divmod(second, 60)
        index = bisect_left(self.minutes, minute)
        matches = index < len(self.minutes) and self.minutes[index] == minute
        return index * len(self.seconds) + (bisect_right(self.seconds, rest) if matches else 0)

    def ever_fires(self) -> bool:
        """Whether any month of the calendar has a matching day, in a leap year or not."""
        lengths = {_LENGTHS[month - 1] for month in self.fields.months} | (
            {29} if 2 in self.fields.months else set()
        )
        return any(self._days_of(first, length) for length in lengths for first in range(7))

    def _next_month_day(self, year: int, month: int) -> int | None:
        while True:
            later = [wanted for wanted in self.fields.months if wanted > month]
            year, month = (year, min(later)) if later else (year + 1, min(self.fields.months))
            if year > LAST_YEAR:
                return None
            first = date(year, month, 1).toordinal() - _EPOCH_ORDINAL
            days = self._days(first, year, month)
            if days:
                return first + days[0] - 1

    def _days(self, first: int, year: int, month: int) -> tuple[int, ...]:
        length = (
            29 if month == 2 and year % 4 == 0 and (year % 100 or year % 400 == 0) else _LENGTHS[month - 1]
        )
        return self._days_of((first + 4) % 7, length)

    def _days_of(self, first_weekday: int, length: int) -> tuple[int, ...]:
        days = self._month_days.get((first_weekday, length))
        if days is None:
            days = self._month_days[first_weekday, length] = self._wanted.days(first_weekday, length)
        return days

    def _time_after(self, second: int) -> int | None:
        minute, rest = divmod(second, 60)
        index = bisect_left(self.minutes, minute)
        if index < len(self.minutes) and self.minutes[index] == minute:
            position = bisect_right(self.seconds, rest)
            if position < len(self.seconds):
                return minute * 60 + self.seconds[position]
            index += 1
        return self.minutes[index] * 60 + self.seconds[0] if index < len(self.minutes) else None


class _DayRule:
    """How day of month and day of week are combined. Both restricted: either, or with day_match=all both; else both."""

    __slots__ = ("_either", "_fields")

    def __init__(self, fields: CronFields, day_match: DayMatch) -> None:
        self._fields = fields
        self._either = fields.is_either(day_match)

    def days(self, first_weekday: int, length: int) -> tuple[int, ...]:
        """The matching days of a month with this first weekday (Sunday is 0) and this many days."""
        return tuple(
            day for day in range(1, length + 1) if self._matches(day, (first_weekday + day - 1) % 7, length)
        )

    def _matches(self, day: int, weekday: int, length: int) -> bool:
        fields = self._fields
        by_day = day in fields.days or (fields.last_day and day == length)
        by_weekday = (
            weekday in fields.weekdays
            or (weekday, (day + 6) // 7) in fields.nth_weekdays
            or (day + 7 > length and (weekday, 0) in fields.nth_weekdays)
        )
        return by_day or by_weekday if self._either else by_day and by_weekday


def cron_calendar(expression: str, day_match: DayMatch, seed: str) -> CronCalendar:
    """The calendar of an expression, remembered; `seed` (the job's id) counts only where it has an H."""
    return _calendar(expression, day_match, seed if uses_hash(expression) else "")


@lru_cache(maxsize=4096)
def _calendar(expression: str, day_match: DayMatch, seed: str) -> CronCalendar:
    return CronCalendar(parse(expression, seed), day_match)


@lru_cache(maxsize=4096)
def check_cron(expression: str, day_match: DayMatch = "any") -> None:
    """CronError if the expression cannot be read or can never fire; the message says why."""
    calendar = cron_calendar(expression, day_match, "")
    if not calendar.ever_fires():
        raise CronError(_why_never(calendar.fields))


def _why_never(fields: CronFields) -> str:
    days, months, weekdays = fields.texts[3:6]
    longest = max(29 if month == 2 else _LENGTHS[month - 1] for month in fields.months)
    if not fields.last_day and min(fields.days) > longest:
        return f"never fires: month {months!r} has at most {longest} days, so day-of-month {days!r} does not come"
    return f"never fires: no day-of-month {days!r} of month {months!r} is also a day-of-week {weekdays!r}"


def _holds(ordered: tuple[int, ...], value: int) -> bool:
    index = bisect_left(ordered, value)
    return index < len(ordered) and ordered[index] == value


@lru_cache(maxsize=1024)
def _minutes_of_day(hours: tuple[int, ...], minutes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(_MINUTES[hour * 60 + minute] for hour in hours for minute in minutes)
