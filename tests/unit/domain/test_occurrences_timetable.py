"""The timetable of each kind of schedule: bounds, counts, jitter, and the last occurrences before a moment."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.occurrences import Timetable, timetable
from chalicelib.domain.schedule import SCHEDULE
from tests.support.steps import STEPS_IN_50_MS, at_most

CREATED = "2026-03-28T00:00:00.250Z"
DAILY = {"kind": "cron", "expression": "0 9 * * *"}


def ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).astimezone(UTC).timestamp() * 1000)


def table(schedule: object, created: str = CREATED, job_id: str = "job_1") -> Timetable:
    return timetable(SCHEDULE.validate_python(schedule), job_id=job_id, created_ms=ms(created))


def first(schedule: object, count: int, after: str = CREATED) -> list[str]:
    times, at, found = table(schedule), ms(after), []
    while len(found) < count and (following := times.next_after(at)) is not None:
        found.append(rfc3339(following))
        at = following
    return found


def berlin(expression: str, dst: str = "once") -> dict[str, Any]:
    return {"kind": "cron", "expression": expression, "timezone": "Europe/Berlin", "dst": dst}


@pytest.mark.parametrize(
    ("schedule", "after", "expected", "reason"),
    [
        (
            "31 10-15 1 * * MON-FRI",
            CREATED,
            [f"2026-03-30T01:{minute}:31Z" for minute in range(10, 16)] + ["2026-03-31T01:10:31Z"],
            "second 31 of the minutes 10 to 15 after one, on weekdays",
        ),
        (DAILY, "2026-03-28T09:00:00Z", ["2026-03-29T09:00:00Z"], "strictly after"),
        (DAILY, "2026-03-28T08:59:59.999Z", ["2026-03-28T09:00:00Z"], "a millisecond before"),
        (DAILY, "2026-03-28T09:00:00.001Z", ["2026-03-29T09:00:00Z"], "a millisecond after"),
        (
            {"kind": "interval", "every": 90},
            CREATED,
            ["2026-03-28T00:01:30Z", "2026-03-28T00:03:00Z"],
            "counted from the whole second of the creation",
        ),
        (
            {"kind": "interval", "every": "P1D", "anchor": "2020-01-01T12:00:00Z"},
            CREATED,
            ["2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"],
            "counted from the anchor, also a distant one",
        ),
        (
            {"kind": "interval", "every": "P1D", "anchor": "2026-04-01T12:00:00Z"},
            CREATED,
            ["2026-04-01T12:00:00Z", "2026-04-02T12:00:00Z"],
            "nothing before the anchor, and then the anchor itself",
        ),
        ({"kind": "once", "at": "2026-05-01T09:00:00.5Z"}, CREATED, ["2026-05-01T09:00:00.500Z"], "one"),
        ({"kind": "once", "at": "2026-01-01T09:00:00Z"}, CREATED, [], "it has passed"),
        ({"kind": "manual"}, CREATED, [], "none"),
    ],
)
def test_occurrences_follow(schedule: object, after: str, expected: list[str], reason: str) -> None:
    assert first(schedule, max(len(expected), 1), after) == expected, reason


@pytest.mark.parametrize(
    ("schedule", "after", "expected", "reason"),
    [
        (
            berlin("30 2 * * *"),
            "2026-03-28T12:00Z",
            "03-29T01:00 03-30T00:30",
            "a lost moment comes after the gap",
        ),
        (
            berlin("0,30 2 * * *"),
            "2026-03-28T12:00Z",
            "03-29T01:00 03-30T00:00",
            "two lost moments become one",
        ),
        (
            berlin("30 2,3 * * *"),
            "2026-03-28T12:00Z",
            "03-29T01:00 03-29T01:30",
            "the next moment keeps its place",
        ),
        (berlin("30 2 * * *", "skip"), "2026-03-28T12:00Z", "03-30T00:30 03-31T00:30", "skip leaves it out"),
        (
            berlin("30 2 * * *", "literal"),
            "2026-03-28T12:00Z",
            "03-30T00:30 03-31T00:30",
            "no clock showed it",
        ),
        (berlin("30 2 * * *"), "2026-10-24T12:00Z", "10-25T00:30 10-26T01:30", "once, the first time"),
        (
            berlin("30 2 * * *", "skip"),
            "2026-10-24T12:00Z",
            "10-25T00:30 10-26T01:30",
            "once, the first time",
        ),
        (
            berlin("30 2 * * *", "literal"),
            "2026-10-24T12:00Z",
            "10-25T00:30 10-25T01:30",
            "the clock shows it twice",
        ),
        (
            berlin("30 2 * * *"),
            "2026-10-25T00:45Z",
            "10-26T01:30 10-27T01:30",
            "asked between the two showings",
        ),
        (
            berlin("5 30 2 * * *"),
            "2026-10-24T12:00Z",
            "10-25T00:30:05 10-26T01:30:05",
            "seconds play no part",
        ),
        (
            berlin("*/30 * * * *"),
            "2026-03-29T00:15Z",
            "03-29T00:30 03-29T01:00",
            "elapsed time through the gap",
        ),
        (berlin("*/30 2 * * *"), "2026-03-28T12:00Z", "03-30T00:00 03-30T00:30", "a step is not made up"),
        (
            berlin("*/30 * * * *"),
            "2026-10-25T00:15Z",
            "10-25T00:30 10-25T01:00",
            "elapsed time through the overlap",
        ),
        (berlin("*/30 * * * *", "skip"), "2026-10-25T00:45Z", "10-25T01:00 10-25T01:30", "by whatever rule"),
        (
            {"kind": "interval", "every": "PT12H"},
            "2026-03-28T12:00Z",
            "03-29T00:00 03-29T12:00",
            "intervals ignore it",
        ),
    ],
)
def test_clock_changes(schedule: object, after: str, expected: str, reason: str) -> None:
    wanted = [f"2026-{moment}" + ("Z" if moment.count(":") == 2 else ":00Z") for moment in expected.split()]
    assert first(schedule, 2, after) == wanted, reason


@pytest.mark.parametrize("minutes", range(0, 240, 30))
def test_every_half_hour_goes_on_through_both_changes(minutes: int) -> None:
    for day in ("2026-03-29", "2026-10-25"):
        at = ms(f"{day}T00:00:00Z") + minutes * 60_000
        assert table(berlin("*/30 * * * *")).next_after(at) == at + 1_800_000


@pytest.mark.parametrize(
    ("bounds", "expected", "reason"),
    [
        ({"start_at": "2026-04-01T09:00:00Z"}, ["04-01", "04-02", "04-03", "04-04"], "the start is inside"),
        (
            {"start_at": "2026-04-01T09:00:00.001Z"},
            ["04-02", "04-03", "04-04", "04-05"],
            "just after it is not",
        ),
        ({"end_at": "2026-03-30T09:00:00Z"}, ["03-28", "03-29"], "the end is outside"),
        ({"end_at": "2026-03-30T09:00:00.001Z"}, ["03-28", "03-29", "03-30"], "just before it is inside"),
        ({"max_runs": 2}, ["03-28", "03-29"], "counted from the creation"),
        ({"max_runs": 2, "start_at": "2026-04-01T00:00:00Z"}, ["04-01", "04-02"], "or from a later start"),
        ({"max_runs": 2, "start_at": "2020-01-01T00:00:00Z"}, ["03-28", "03-29"], "not from an earlier one"),
        ({"max_runs": 3, "end_at": "2026-03-30T00:00:00Z"}, ["03-28", "03-29"], "the earlier end wins"),
        ({"max_runs": 1, "end_at": "2026-03-30T00:00:00Z"}, ["03-28"], "the earlier end wins"),
    ],
)
@pytest.mark.parametrize(
    "kind", [DAILY, {"kind": "interval", "every": "P1D", "anchor": "2020-01-01T09:00:00Z"}]
)
def test_bounds_count_by_nominal_time(
    kind: dict[str, Any], bounds: dict[str, Any], expected: list[str], reason: str
) -> None:
    assert first(kind | bounds, 4) == [f"2026-{day}T09:00:00Z" for day in expected], reason


def test_a_count_of_one_leaves_a_single_moment_alone() -> None:
    once = {"kind": "once", "at": "2026-05-01T09:00:00Z"}
    assert first(once | {"max_runs": 1}, 2) == ["2026-05-01T09:00:00Z"]
    assert first(once | {"start_at": "2026-05-02T00:00:00Z"}, 2) == []


def test_occurrences_before_the_creation_can_be_listed_for_a_backfill() -> None:
    times = table(DAILY | {"max_runs": 5})
    days = [rfc3339(at)[:10] for at in times.between(ms("2026-03-01T09:00:00Z"), ms("2026-03-03T09:00:00Z"))]
    assert days == ["2026-03-01", "2026-03-02"], "the start is inside, the end is not"


def test_jitter_is_stable_spread_and_inside_its_range() -> None:
    times, again, other = (table(DAILY | {"jitter_seconds": 60}, job_id=job) for job in ("a", "a", "b"))
    nominals = list(times.between(ms("2026-01-01T00:00:00Z"), ms("2027-01-01T00:00:00Z")))
    delays = [times.due(at) - at for at in nominals]
    assert delays == [again.due(at) - at for at in nominals]
    assert delays != [other.due(at) - at for at in nominals]
    assert 0 <= min(delays) < 3000
    assert 57_000 < max(delays) <= 60_000
    assert table(DAILY).due(nominals[0]) == nominals[0]


def test_jitter_never_changes_between_releases() -> None:
    at = ms("2026-05-01T09:00:00Z")
    assert table(DAILY | {"jitter_seconds": 60}, job_id="job_01J9Z3").due(at) - at == 6_436


@pytest.mark.parametrize(
    ("schedule", "count", "expected", "reason"),
    [
        (DAILY, 2, ["2026-09-29T09:00:00Z", "2026-09-30T09:00:00Z"], "the last two before a moment"),
        ("* * * * * *", 1, ["2026-10-01T00:00:00Z"], "the moment itself counts"),
        ("0 0 29 2 *", 1, [], "none since"),
        ("0 0 1 4 *", 5, ["2026-04-01T00:00:00Z"], "fewer than asked for"),
        ("* * 4 4 4 *", 2, ["2026-04-04T04:59:58Z", "2026-04-04T04:59:59Z"], "the end of a burst"),
        ("*/7 * * * * *", 0, [], "none asked for"),
        ({"kind": "interval", "every": "P30D"}, 1, ["2026-09-24T00:00:00Z"], "intervals too"),
    ],
)
def test_the_latest_before_a_moment(schedule: object, count: int, expected: list[str], reason: str) -> None:
    found = table(schedule).latest(ms(CREATED), ms("2026-10-01T00:00:00Z"), count)
    assert [rfc3339(at) for at in found] == expected, reason


@pytest.mark.parametrize("count", [1, 7, 100])
@pytest.mark.parametrize("expression", ["*/5 * * * *", "0 9 * * MON", "* * * 4 4 *", "* 0-2 3 1 * *"])
def test_the_latest_are_the_tail_of_all(expression: str, count: int) -> None:
    times = table(expression)
    after, until = ms("2026-03-01T00:00:00Z"), ms("2026-05-05T05:05:05Z")
    assert times.latest(after, until, count) == list(times.between(after + 1, until + 1))[-count:]


@pytest.mark.parametrize("expression", ["* * * * * *", "* * * 4 4 *", "0 0 29 2 *", "*/5 * * * *"])
def test_the_latest_is_cheap_after_years(expression: str) -> None:
    times = table(expression)
    with at_most(STEPS_IN_50_MS):
        assert times.latest(ms("1990-01-01T00:00:00Z"), ms("2026-03-01T00:00:00Z"))


def test_a_schedule_ends_with_the_calendar() -> None:
    late = ms("2199-12-31T23:59:59Z")
    for schedule in ("* * * * *", DAILY, {"kind": "interval", "every": 1}):
        assert table(schedule).next_after(late) is None
        assert table(schedule).next_after(10**18) is None
