"""The local calendar of an expression against a walk over its days."""

from datetime import date, datetime, timedelta
from itertools import islice

import pytest

from chalicelib.domain.cron import LAST_YEAR, CronCalendar, cron_calendar
from tests.support.expressions import generate
from tests.support.steps import STEPS_IN_50_MS, at_most

EPOCH = date(1970, 1, 1)


def day_number(day: date) -> int:
    return (day - EPOCH).days


def second_number(moment: datetime) -> int:
    return int((moment - datetime(1970, 1, 1)).total_seconds())  # noqa: DTZ001


def days_of(calendar: CronCalendar, start: date, count: int) -> list[date]:
    found, at = [], day_number(start)
    while len(found) < count and (day := calendar.next_day(at)) is not None:
        found.append(EPOCH + timedelta(days=day))
        at = day + 1
    return found


@pytest.mark.parametrize(
    ("days", "day_match", "expected", "reason"),
    [
        ("13 * 5", "any", ["2026-02-06", "2026-02-13", "2026-02-20"], "either of both"),
        ("13 * 5", "all", ["2026-02-13", "2026-03-13", "2026-11-13"], "Friday the 13th"),
        (
            "*/2 * MON",
            "any",
            ["2026-02-09", "2026-02-23", "2026-03-09"],
            "a star with a step does not restrict",
        ),
        ("13 * *", "any", ["2026-02-13", "2026-03-13", "2026-04-13"], "weekday is not restricted"),
        ("* * 5", "all", ["2026-02-06", "2026-02-13", "2026-02-20"], "day of month is not restricted"),
        ("L * *", "any", ["2026-02-28", "2026-03-31", "2026-04-30"], "the last day"),
        ("L 2 *", "any", ["2026-02-28", "2027-02-28", "2028-02-29"], "also of a leap year"),
        ("29 2 *", "any", ["2028-02-29", "2032-02-29", "2036-02-29"], "leap days"),
        ("* * 5L", "any", ["2026-02-27", "2026-03-27", "2026-04-24"], "last Fridays"),
        ("* * 5#5", "any", ["2026-05-29", "2026-07-31", "2026-10-30"], "fifth Fridays, where there are any"),
        ("L * 5L", "all", ["2026-07-31", "2027-04-30", "2027-12-31"], "months that end on a Friday"),
        ("31 * *", "any", ["2026-03-31", "2026-05-31", "2026-07-31"], "only months that have it"),
    ],
)
def test_days_match(days: str, day_match: str, expected: list[str], reason: str) -> None:
    calendar = cron_calendar(f"0 0 {days}", day_match, "")  # type: ignore[arg-type]
    assert [day.isoformat() for day in days_of(calendar, date(2026, 2, 1), 3)] == expected, reason


def test_the_rarest_date_is_found_across_the_year_without_a_leap_day() -> None:
    calendar = cron_calendar("0 0 29 2 MON", "all", "")
    assert [day.year for day in days_of(calendar, date(2070, 1, 1), 3)] == [2072, 2112, 2140]


def test_generated_expressions_match_a_walk_over_the_days() -> None:
    start = date(2027, 11, 20)
    for made in generate(150, seed=7):
        walk = (start + timedelta(days=n) for n in range(500))
        expected = [day for day in walk if made.has_day(day.day, day.month, day.isoweekday() % 7)]
        found = days_of(cron_calendar(made.text, "any", ""), start, 500)
        assert [day for day in found if day < start + timedelta(days=500)] == expected, made.text


def test_seconds_follow_each_other_within_a_minute_and_into_the_next_day() -> None:
    calendar = cron_calendar("31,59 10-11 1 * * MON-FRI", "any", "")
    at, found = second_number(datetime(2026, 5, 1, 1, 10, 31)), []  # noqa: DTZ001
    for _ in range(4):
        at = calendar.next(at) or 0
        found.append((datetime(1970, 1, 1) + timedelta(seconds=at)).strftime("%a %d %H:%M:%S"))  # noqa: DTZ001
    assert found == ["Fri 01 01:10:59", "Fri 01 01:11:31", "Fri 01 01:11:59", "Mon 04 01:10:31"]


def test_a_sequence_ends_with_the_last_year() -> None:
    calendar = cron_calendar("0 0 1 1 *", "any", "")
    at = second_number(datetime(LAST_YEAR, 1, 1))  # noqa: DTZ001
    assert calendar.next(at - 1) == at
    assert calendar.next(at) is None
    assert calendar.next(10**15) is None


def test_a_sequence_begins_with_1970() -> None:
    assert cron_calendar("0 0 * * *", "any", "").next(-(10**12)) == 0


@pytest.mark.parametrize(
    ("expression", "day_match"),
    [
        ("0 0 29 2 MON", "all"),
        ("0 0 L 2 7#5", "all"),
        ("59 59 23 31 12 SUN", "all"),
        ("0 0 */31 * 5#2", "any"),
    ],
)
def test_a_rare_or_impossible_date_is_searched_for_quickly(expression: str, day_match: str) -> None:
    calendar = cron_calendar(expression, day_match, "")  # type: ignore[arg-type]
    with at_most(STEPS_IN_50_MS):
        calendar.next_day(day_number(date(2026, 1, 1)))


def test_days_listed_are_the_days_that_are_found_one_by_one() -> None:
    for made in generate(60, seed=8):
        calendar = cron_calendar(made.text, "any", "")
        start = date(2027, 11, 20)
        assert list(islice(calendar.days_from(day_number(start)), 200)) == [
            day_number(day) for day in days_of(calendar, start, 200)
        ], made.text


def test_times_of_a_day_are_counted_to_a_second_of_it() -> None:
    calendar = cron_calendar("0,30 10-11 1 * * *", "any", "")
    first = 3600 + 600
    seconds = (first - 1, first, first + 29, first + 30, first + 60, 86_399)
    assert [calendar.times_until(second) for second in seconds] == [0, 1, 1, 2, 3, 4]
