"""Recurrence rules of RFC 5545 by whole days, in a bounded number of steps: a rule that never fires ends too."""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

Frequency = Literal["YEARLY", "MONTHLY", "WEEKLY", "DAILY"]
_WEEK = timedelta(days=7)


class TooManySteps(ValueError):
    """The rules are too much work."""


class Steps:
    """Counts down over several rules. TooManySteps when it is through."""

    def __init__(self, count: int) -> None:
        self._left = count

    def take(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise TooManySteps


@dataclass(frozen=True, slots=True)
class Rule:
    """The parts of an RRULE that concern days. Monday is 0; `weekdays` are (weekday, n), n 0 for every one."""

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: date | None = None
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    weekdays: tuple[tuple[int, int], ...] = ()
    positions: tuple[int, ...] = ()
    week_start: int = 0


def days_of_rule(rule: Rule, start: date, first: date, last: date, steps: Steps) -> Iterator[date]:
    """The days of the rule from `start` on that lie in [first, last], ascending. TooManySteps."""
    rule, counted = _completed(rule, start), 0
    end = last if rule.until is None else min(last, rule.until)
    for period in _periods(rule, start, first if rule.count is None else start):
        steps.take()
        if period > end:
            return
        for day in _chosen(rule, period, steps):
            if day < start:
                continue
            counted += 1
            if day > end or (rule.count is not None and counted > rule.count):
                return
            if day >= first:
                yield day


def _completed(rule: Rule, start: date) -> Rule:
    """What the rule leaves open comes from its start."""
    if rule.month_days or rule.year_days or rule.weekdays:
        return rule
    if rule.frequency == "YEARLY":
        return replace(rule, months=rule.months or (start.month,), month_days=(start.day,))
    if rule.frequency == "MONTHLY":
        return replace(rule, month_days=(start.day,))
    return replace(rule, weekdays=((start.weekday(), 0),)) if rule.frequency == "WEEKLY" else rule


def _periods(rule: Rule, start: date, first: date) -> Iterator[date]:
    """The first days of the years, months, weeks or days that count, from the last before `first` on."""
    ahead = max(0, (first - start).days)
    if rule.frequency in ("YEARLY", "MONTHLY"):
        months = 12 * rule.interval if rule.frequency == "YEARLY" else rule.interval
        month = start.year * 12 + (start.month - 1 if rule.frequency == "MONTHLY" else 0)
        month += max(0, ahead // 31 // months - 1) * months
        while month < 12 * date.max.year:
            yield date(month // 12, month % 12 + 1, 1)
            month += months
        return
    length = _WEEK if rule.frequency == "WEEKLY" else timedelta(days=1)
    begin = start
    if rule.frequency == "WEEKLY":
        begin -= timedelta(days=(start.weekday() - rule.week_start) % 7)
    step = length * rule.interval
    begin += max(0, ahead // step.days - 1) * step
    while begin < date.max - step:
        yield begin
        begin += step


def _chosen(rule: Rule, period: date, steps: Steps) -> list[date]:
    """The days of one period, those at the wanted positions only."""
    days = sorted({day for day in _candidates(rule, period, steps) if _matches(rule, day)})
    if not rule.positions:
        return days
    places = {place - 1 if place > 0 else len(days) + place for place in rule.positions}
    return [day for place, day in enumerate(days) if place in places]


def _candidates(rule: Rule, period: date, steps: Steps) -> Iterator[date]:
    if rule.frequency in ("WEEKLY", "DAILY"):
        for ahead in range(7 if rule.frequency == "WEEKLY" else 1):
            steps.take()
            yield period + timedelta(days=ahead)
        return
    months = (rule.months or range(1, 13)) if rule.frequency == "YEARLY" else (period.month,)
    for month in months:
        length = monthrange(period.year, month)[1]
        for number in rule.month_days or range(1, length + 1):
            steps.take()
            day = number if number > 0 else length + 1 + number
            if 1 <= day <= length:
                yield date(period.year, month, day)


def _matches(rule: Rule, day: date) -> bool:
    if rule.months and day.month not in rule.months:
        return False
    if rule.month_days:
        length = monthrange(day.year, day.month)[1]
        if day.day not in rule.month_days and day.day - length - 1 not in rule.month_days:
            return False
    if rule.year_days:
        number, length = day.timetuple().tm_yday, date(day.year, 12, 31).timetuple().tm_yday
        if number not in rule.year_days and number - length - 1 not in rule.year_days:
            return False
    return not rule.weekdays or any(_is_weekday(rule, day, *each) for each in rule.weekdays)


def _is_weekday(rule: Rule, day: date, weekday: int, nth: int) -> bool:
    if day.weekday() != weekday:
        return False
    if nth == 0 or rule.frequency in ("WEEKLY", "DAILY"):
        return True
    if rule.frequency == "MONTHLY" or rule.months:
        place, length = day.day, monthrange(day.year, day.month)[1]
    else:
        place = day.timetuple().tm_yday
        length = date(day.year, 12, 31).timetuple().tm_yday
    return nth == ((place - 1) // 7 + 1 if nth > 0 else -((length - place) // 7 + 1))
