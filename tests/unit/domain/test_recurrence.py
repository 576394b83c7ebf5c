"""Recurrence rules by days, against dateutil's; and that no rule runs for ever."""

from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from dateutil import rrule

from chalicelib.domain.recurrence import Rule, Steps, TooManySteps, days_of_rule

START = date(2024, 2, 29)
FREQUENCIES = {
    "YEARLY": rrule.YEARLY,
    "MONTHLY": rrule.MONTHLY,
    "WEEKLY": rrule.WEEKLY,
    "DAILY": rrule.DAILY,
}


def days(rule: Rule, start: date = START, first: date = START, last: date = date(2030, 12, 31)) -> list[str]:
    return [day.isoformat() for day in days_of_rule(rule, start, first, last, Steps(100_000))]


RULES: list[tuple[Rule, list[str], str]] = [
    (Rule("YEARLY"), ["2024-02-29", "2028-02-29"], "a leap day comes in leap years"),
    (Rule("YEARLY", count=2), ["2024-02-29", "2028-02-29"], "two"),
    (Rule("YEARLY", until=date(2028, 2, 28)), ["2024-02-29"], "until the day before"),
    (Rule("MONTHLY", count=3), ["2024-02-29", "2024-03-29", "2024-04-29"], "the same day of each month"),
    (Rule("WEEKLY", interval=2, count=2), ["2024-02-29", "2024-03-14"], "every other week"),
    (Rule("DAILY", interval=10, count=2), ["2024-02-29", "2024-03-10"], "every ten days"),
    (
        Rule("YEARLY", months=(11,), weekdays=((3, 4),), count=2),
        ["2024-11-28", "2025-11-27"],
        "the fourth Thursday of November",
    ),
    (Rule("YEARLY", weekdays=((0, -1),), count=1), ["2024-12-30"], "the last Monday of the year"),
    (Rule("MONTHLY", month_days=(-1,), count=2), ["2024-02-29", "2024-03-31"], "the last day of the month"),
    (
        Rule("MONTHLY", weekdays=tuple((day, 0) for day in range(5)), positions=(-1,), count=2),
        ["2024-02-29", "2024-03-29"],
        "the last working day of the month",
    ),
    (Rule("YEARLY", year_days=(1, -1), count=2), ["2024-12-31", "2025-01-01"], "the edges of the year"),
    (Rule("YEARLY", months=(2,), month_days=(30,)), [], "never"),
]


@pytest.mark.parametrize(("rule", "expected", "reason"), RULES, ids=[row[2] for row in RULES])
def test_a_rule_gives_its_days(rule: Rule, expected: list[str], reason: str) -> None:
    assert days(rule) == expected, reason


def test_days_before_the_window_count_but_are_not_given() -> None:
    assert days(Rule("YEARLY", count=2), first=date(2026, 1, 1)) == ["2028-02-29"]
    assert days(Rule("DAILY", interval=3), first=date(2026, 1, 1), last=date(2026, 1, 5)) == [
        "2026-01-01",
        "2026-01-04",
    ]


@pytest.mark.parametrize(
    "rule",
    [
        Rule("DAILY", months=(2,), month_days=(30,)),
        Rule("WEEKLY", months=(2,), month_days=(30,)),
        Rule("MONTHLY", month_days=(31,), months=(4,)),
        Rule("YEARLY", weekdays=((0, 60),)),
        Rule("DAILY", count=10**9),
    ],
)
def test_no_rule_runs_for_ever(rule: Rule) -> None:
    with pytest.raises(TooManySteps):
        list(days_of_rule(rule, date(1900, 1, 1), date(1900, 1, 1), date(2199, 12, 31), Steps(1000)))
    assert isinstance(list(days_of_rule(rule, START, START, date(2030, 12, 31), Steps(50_000))), list)


def random_rule(seed: int) -> tuple[Rule, dict[str, Any]]:
    """A rule, and the same for dateutil, which wants ordinal weekdays and plain ones apart."""
    choose = Random(seed)

    def some(*values: Any) -> tuple[Any, ...]:
        return tuple(sorted({choose.choice(values) for _ in range(choose.randint(0, 2))}))

    frequency = choose.choice(sorted(FREQUENCIES))
    has_sets = frequency in ("YEARLY", "MONTHLY")
    nth = choose.choice([0, 1, 2, -1]) if has_sets else 0
    weekdays = some(*((day, nth) for day in range(7)))
    month_days = some(1, 13, -1, *((29, 31, -2) if has_sets else ()))
    positions = some(1, 2, -1) if has_sets and (weekdays or month_days) else ()
    fields: dict[str, Any] = {
        "interval": choose.randint(1, 4),
        "count": choose.choice([None, 1, 7]),
        "months": some(1, 2, 7, 12),
        "month_days": month_days,
        "year_days": some(1, 60, 366, -1) if frequency == "YEARLY" else (),
        "weekdays": weekdays,
        "positions": positions,
        "week_start": choose.choice([0, 6]),
    }
    theirs = {
        "freq": FREQUENCIES[frequency],
        "interval": fields["interval"],
        "count": fields["count"],
        "bymonth": fields["months"] or None,
        "bymonthday": month_days or None,
        "byyearday": fields["year_days"] or None,
        "byweekday": [rrule.weekday(day, n or None) for day, n in weekdays] or None,
        "bysetpos": positions or None,
        "wkst": fields["week_start"],
    }
    return Rule(frequency, **fields), theirs  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(120))
def test_rules_agree_with_dateutil(seed: int) -> None:
    rule, theirs = random_rule(seed)
    start = date(2020, 1, 1) + timedelta(days=seed * 17)
    first, last = start + timedelta(days=seed * 7 % 900), start + timedelta(days=1500)
    midnight = [datetime(each.year, each.month, each.day) for each in (start, last)]  # noqa: DTZ001 - dates, for dateutil
    until = None if theirs["count"] else midnight[1]
    dates = rrule.rrule(dtstart=midnight[0], until=until, **theirs)
    expected = [each.date() for each in dates if first <= each.date() <= last]
    assert list(days_of_rule(rule, start, first, last, Steps(100_000))) == expected
