"""Calendars: which days are allowed, and what becomes of occurrences on the others."""

from datetime import UTC, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from chalicelib.domain.agenda import MAX_MOVED, Agenda, LocalDays, stream
from chalicelib.domain.calendars import (
    EVERY_DAY,
    CalendarContent,
    CalendarDefinition,
    DayCalendar,
    Days,
    as_dates_and_ranges,
    date_of,
    day_calendar,
    day_number,
)
from chalicelib.domain.instants import rfc3339
from chalicelib.domain.occurrences import Timetable, timetable
from chalicelib.domain.schedule import SCHEDULE
from chalicelib.domain.sources import Step
from chalicelib.domain.zones import zone

NOON = 1_800_014_400_000
"""2027-01-15T12:00:00Z, a Friday."""
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
WEEKEND: dict[str, Any] = {"excluded": {"weekdays": ["SAT", "SUN"]}}


def calendar(**content: Any) -> DayCalendar:
    return day_calendar(CalendarContent.model_validate(content))


def day(text: str) -> int:
    return day_number(datetime.fromisoformat(text).date())


DAYS: list[tuple[dict[str, Any], str, str | None, str]] = [
    ({}, "2027-01-16", None, "nothing is excluded"),
    (WEEKEND, "2027-01-15", None, "a Friday"),
    (WEEKEND, "2027-01-16", "weekday", "a Saturday"),
    (WEEKEND | {"included": {"dates": ["2027-01-16"]}}, "2027-01-16", "included", "an included date wins"),
    (
        {
            "excluded": {"ranges": [{"from": "2027-01-10", "until": "2027-01-20"}]},
            "included": {"ranges": [{"from": "2027-01-12", "until": "2027-01-13"}]},
        },
        "2027-01-13",
        "included",
        "so does an included range",
    ),
    ({"excluded": {"dates": ["2027-01-15"]}}, "2027-01-15", "excluded", "a date"),
    ({"excluded": {"dates": ["2027-01-15"]}}, "2027-01-14", None, "the day before it"),
    (
        {"excluded": {"ranges": [{"from": "2027-01-10", "until": "2027-01-15"}]}},
        "2027-01-15",
        "excluded",
        "last",
    ),
    (
        {"excluded": {"ranges": [{"from": "2027-01-10", "until": "2027-01-15"}]}},
        "2027-01-10",
        "excluded",
        "first",
    ),
    (
        {"excluded": {"ranges": [{"from": "2027-01-10", "until": "2027-01-15"}]}},
        "2027-01-16",
        None,
        "after it",
    ),
    ({"included": {"weekdays": ["MON", "TUE"]}}, "2027-01-15", "weekday", "weekdays that are not included"),
    (
        {"included": {"weekdays": ["FRI"]}, "excluded": {"dates": ["2027-01-15"]}},
        "2027-01-15",
        "excluded",
        "a date",
    ),
]


@pytest.mark.parametrize(("content", "date", "reason", "why"), DAYS, ids=[row[3] for row in DAYS])
def test_a_calendar_decides_over_a_day(
    content: dict[str, Any], date: str, reason: str | None, why: str
) -> None:
    found = calendar(**content)
    assert found.reason(day(date)) == reason, why
    assert found.excludes(day(date)) == (reason in ("excluded", "weekday"))


def test_the_nearest_allowed_day_is_looked_for_within_a_year() -> None:
    weekend, never = (
        calendar(**WEEKEND),
        calendar(excluded={"weekdays": ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]}),
    )
    saturday = day("2027-01-16")
    assert weekend.next_allowed(saturday) == day("2027-01-18")
    assert weekend.previous_allowed(saturday) == day("2027-01-15")
    assert weekend.next_excluded(day("2027-01-11")) == saturday
    assert (never.next_allowed(saturday), never.previous_allowed(saturday)) == (None, None)
    assert EVERY_DAY.next_excluded(saturday) is None


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 20))), st.integers(-5, 330))
def test_days_are_the_union_of_their_ranges(ranges: list[tuple[int, int]], asked: int) -> None:
    spans = [(first, first + length) for first, length in ranges]
    days = Days(spans)
    assert (asked in days) == any(first <= asked <= last for first, last in spans)
    assert all(
        last + 1 < first for (_, last), (first, _) in zip(days.ranges(), days.ranges()[1:], strict=False)
    )


def test_days_are_written_as_dates_and_ranges() -> None:
    dates, ranges = as_dates_and_ranges([(10, 10), (20, 21), (22, 22), (10, 10), (40, 40)])
    assert [day_number(each) for each in dates] == [10, 40]
    assert [(day_number(each.from_), day_number(each.until)) for each in ranges] == [(20, 22)]
    assert date_of(day_number(dates[0])) == dates[0]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"excluded": {"weekdays": ["SATURDAY"]}}, "literal_error"),
        ({"excluded": {"dates": ["2027-02-30"]}}, "date"),
        ({"excluded": {"dates": ["2027-1-1"]}}, "date"),
        ({"excluded": {"dates": [20270101]}}, "date"),
        ({"excluded": {"dates": ["2027-01-01T00:00:00Z"]}}, "date"),
        ({"excluded": {"dates": ["1969-12-31"]}}, "date_out_of_range"),
        ({"excluded": {"dates": ["2200-01-01"]}}, "date_out_of_range"),
        ({"excluded": {"ranges": [{"from": "2027-01-02", "until": "2027-01-01"}]}}, "end_before_start"),
        ({"excluded": {"dates": ["2027-01-01"] * 2001}}, "too_long"),
        ({"timezone": "Mars/Olympus"}, "unknown_time_zone"),
        ({"colour": "red"}, "extra_forbidden"),
        ({"name": ".."}, "string_pattern_mismatch"),
        ({"name": "a/b"}, "string_pattern_mismatch"),
        ({"name": "a" * 65}, "string_too_long"),
    ],
)
def test_a_calendar_is_refused(content: dict[str, Any], code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        CalendarDefinition.model_validate({"name": "x", **content})
    assert [error["type"] for error in refused.value.errors()] == [code]


def times(schedule: Any) -> Timetable:
    return timetable(SCHEDULE.validate_python(schedule), job_id="job_1", created_ms=NOON - 365 * DAY)


def agenda(*streams: tuple[Any, DayCalendar | None, str], zone_name: str = "UTC") -> Agenda:
    made = []
    for schedule, days, on_excluded in streams:
        local = None if days is None else LocalDays(days, zone(zone_name))
        made.append(stream(times(schedule), local, on_excluded))  # type: ignore[arg-type]
    return Agenda("job_1", made)


def shown(table: Timetable, count: int, after_ms: int = NOON) -> list[str]:
    """Moment and, where it differs, nominal time."""
    found = []
    for at in islice(table.between(after_ms + 1, after_ms + 800 * DAY), count):
        moment, nominal = rfc3339(at)[5:16], rfc3339(table.nominal(at))[5:16]
        found.append(moment if moment == nominal else f"{moment} for {nominal}")
    return found


BRIDGE: dict[str, Any] = {"excluded": {"weekdays": ["SAT", "SUN"], "dates": ["2027-01-18", "2027-01-20"]}}
POLICIES: list[tuple[Any, dict[str, Any], str, list[str], str]] = [
    ("0 9 * * *", WEEKEND, "skip", ["01-18T09:00", "01-19T09:00"], "the weekend is left out"),
    ("0 9 * * *", WEEKEND, "next_allowed_day", ["01-18T09:00", "01-19T09:00"], "Monday's own is the latest"),
    (
        "0 9 * * *",
        WEEKEND,
        "previous_allowed_day",
        ["01-18T09:00", "01-19T09:00"],
        "Friday's nine o'clock has passed",
    ),
    (
        "0 17 * * *",
        WEEKEND,
        "previous_allowed_day",
        ["01-15T17:00 for 01-17T17:00", "01-18T17:00"],
        "Sunday's is the latest of Friday's moment",
    ),
    ("0 9 16 * *", WEEKEND, "next_allowed_day", ["01-18T09:00 for 01-16T09:00", "02-16T09:00"], "moved on"),
    ("0 17 16 * *", WEEKEND, "previous_allowed_day", ["01-15T17:00 for 01-16T17:00", "02-16T17:00"], "back"),
    ("0 9 16 1 *", BRIDGE, "next_allowed_day", ["01-19T09:00 for 01-16T09:00"], "past a holiday"),
    (
        "0 8 16 * *",
        WEEKEND | {"included": {"dates": ["2027-01-16"]}},
        "next_allowed_day",
        ["01-16T08:00", "02-16T08:00"],
        "an included Saturday",
    ),
    (
        "0 9 L * *",
        WEEKEND,
        "previous_allowed_day",
        ["01-29T09:00 for 01-31T09:00", "02-26T09:00 for 02-28T09:00", "03-31T09:00"],
        "the last working day of a month",
    ),
    (
        "0 9,18 * * SAT",
        WEEKEND,
        "next_allowed_day",
        ["01-18T09:00 for 01-16T09:00", "01-18T18:00 for 01-16T18:00"],
        "two moments keep their times of day",
    ),
]


@pytest.mark.parametrize(
    ("schedule", "content", "policy", "expected", "reason"), POLICIES, ids=[row[4] for row in POLICIES]
)
def test_occurrences_on_excluded_days(
    schedule: Any, content: dict[str, Any], policy: str, expected: list[str], reason: str
) -> None:
    table = agenda((schedule, calendar(**content), policy))
    assert shown(table, len(expected)) == expected, reason


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("skip", [("01-16T09:00", "01-17T09:00")]),
        ("next_allowed_day", [("01-16T09:00", "01-17T09:00")]),
        ("previous_allowed_day", [("01-15T09:00", "01-16T09:00")]),
    ],
)
def test_what_a_weekend_costs_a_daily_job_is_one_span(policy: str, expected: list[tuple[str, str]]) -> None:
    table = agenda(("0 9 * * *", calendar(**WEEKEND), policy))
    found = table.skips(NOON - 12 * HOUR, NOON + 5 * DAY)
    assert [(rfc3339(first)[5:16], rfc3339(last)[5:16]) for first, last in found] == expected


def test_an_occurrence_that_cannot_be_moved_is_skipped() -> None:
    never = calendar(excluded={"ranges": [{"from": "2026-01-01", "until": "2029-12-31"}]})
    for policy in ("skip", "next_allowed_day"):
        table = agenda(("0 9 1 6 *", never, policy))
        at = table.place(NOON).at_ms
        assert at is not None
        assert rfc3339(at) == "2027-06-01T09:00:00Z"
        assert table.skips(at, at + 1) == [(at, at)]


def test_a_search_among_excluded_days_stops() -> None:
    never = calendar(excluded={"ranges": [{"from": "2026-01-01", "until": "2199-12-31"}]})
    for policy in ("skip", "next_allowed_day", "previous_allowed_day"):
        table = agenda(("0 9 * * *", never, policy))
        step = table.seek(NOON)
        assert step.at_ms is None
        assert step.resume_ms is None or step.resume_ms > NOON + 365 * DAY


def test_the_clock_of_a_moved_occurrence_is_that_of_its_day() -> None:
    table = agenda(("0 2 * * SAT", calendar(**WEEKEND), "next_allowed_day"), zone_name="America/New_York")
    before = datetime(2027, 3, 12, tzinfo=UTC).timestamp() * 1000
    [moment] = list(islice(table.between(round(before), round(before) + 9 * DAY), 1))
    assert rfc3339(table.nominal(moment)) == "2027-03-13T02:00:00Z", (
        "Friday evening in New York is no Saturday"
    )
    assert moment == table.nominal(moment)


def test_days_are_those_of_the_zone() -> None:
    days = LocalDays(calendar(**WEEKEND), zone("Asia/Tokyo"))
    friday = round(datetime(2027, 1, 15, 14, 59, tzinfo=UTC).timestamp() * 1000)
    assert (days.day_of(friday), days.day_of(friday + MINUTE)) == (day("2027-01-15"), day("2027-01-16"))
    assert days.start_of(day("2027-01-16")) == friday + MINUTE
    assert days.moved(friday, day("2027-01-18")) == friday + 3 * DAY


def test_a_moved_occurrence_in_a_gap_of_the_clock_comes_after_it() -> None:
    days = LocalDays(EVERY_DAY, zone("Europe/Berlin"))
    saturday = round(datetime(2027, 3, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000)
    assert rfc3339(days.moved(saturday, day("2027-03-28"))) == "2027-03-28T01:00:00Z"


def test_schedules_have_calendars_of_their_own() -> None:
    weekend = calendar(**WEEKEND)
    table = agenda(
        ("0 9 * * *", weekend, "skip"),
        ("0 10 * * SAT", None, "skip"),
        ("0 9 * * SUN", weekend, "next_allowed_day"),
    )
    assert shown(table, 3) == ["01-16T10:00", "01-18T09:00", "01-19T09:00"]
    assert table.skips(NOON + 2 * DAY + 12 * HOUR, NOON + 3 * DAY) == [(NOON + 2 * DAY - 3 * HOUR,) * 2], (
        "Sunday's moved one gives way to Monday's own"
    )


def test_jitter_delays_a_moved_occurrence_as_it_would_have_the_nominal() -> None:
    jittered = {"kind": "cron", "expression": "0 9 * * SAT", "jitter_seconds": 600}
    table, plain = agenda((jittered, calendar(**WEEKEND), "next_allowed_day")), times(jittered)
    [moment] = list(islice(table.between(NOON, NOON + 4 * DAY), 1))
    nominal = table.nominal(moment)
    assert table.due(moment) - moment == plain.due(nominal) - nominal > 0
    assert table.jitter_ms == plain.jitter_ms


def test_latest_moments_are_those_that_run() -> None:
    weekend, monday = calendar(**WEEKEND), NOON + 3 * DAY
    for policy in ("skip", "next_allowed_day"):
        table = agenda(("0 9 * * *", weekend, policy))
        assert [rfc3339(at)[5:10] for at in table.latest(NOON - 7 * DAY, monday, 3)] == [
            "01-14",
            "01-15",
            "01-18",
        ]
        assert table.latest(NOON, NOON + 2 * DAY, 3) == []
        assert table.latest(NOON, NOON + 2 * DAY, 0) == []


# What follows compares with the rule as one would say it, over every occurrence one by one.


def by_hand(nominals: list[int], days: DayCalendar, policy: str) -> tuple[dict[int, int], set[int]]:
    """(moment -> nominal of what runs, nominals that are skipped), in UTC."""
    runs, skipped = dict[int, int](), set[int]()
    for nominal in nominals:
        number = nominal // DAY
        if days.excludes(number):
            step = {"skip": 0, "next_allowed_day": 1, "previous_allowed_day": -1}[policy]
            target = next(
                (number + step * n for n in range(367) if step and not days.excludes(number + step * n)), None
            )
            if target is None:
                skipped.add(nominal)
                continue
            moment = target * DAY + nominal % DAY
        else:
            moment = nominal
        if moment in runs:
            skipped.add(min(runs[moment], nominal))
        runs[moment] = max(runs.get(moment, nominal), nominal)
    return runs, skipped


@st.composite
def calendars(draw: st.DrawFn) -> DayCalendar:
    names = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
    start = NOON // DAY
    ranges = [
        {"from": date_of(start + first).isoformat(), "until": date_of(start + first + length).isoformat()}
        for first, length in draw(st.lists(st.tuples(st.integers(-30, 60), st.integers(0, 12)), max_size=4))
    ]
    dates = [date_of(start + each).isoformat() for each in draw(st.lists(st.integers(-20, 50), max_size=5))]
    return calendar(
        excluded={
            "weekdays": draw(st.lists(st.sampled_from(names), unique=True, max_size=6)),
            "ranges": ranges,
        },
        included={"dates": dates},
    )


SCHEDULES = [
    "0 9 * * *",
    "0 9,17 * * *",
    "0 9 * * SAT,MON",
    "30 */6 * * *",
    "0 0 1,15 * *",
    "0 7 13 * 5",
    "0 23 * * 1-5",
]
KINDS = ["skip", "next_allowed_day", "previous_allowed_day"]


@settings(max_examples=120, deadline=None)
@given(calendars(), st.sampled_from(SCHEDULES), st.sampled_from(KINDS), st.integers(-10 * 24, 10 * 24))
def test_an_agenda_is_the_rule_applied_to_each_occurrence(
    days: DayCalendar, schedule: str, policy: str, hours: int
) -> None:
    start, end = NOON + hours * HOUR, NOON + hours * HOUR + 20 * DAY
    nominals = list(times(schedule).between(start - 120 * DAY, end + 120 * DAY))
    runs, skipped = by_hand(nominals, days, policy)
    table = agenda((schedule, days, policy))
    found = list(table.between(start, end))
    assert found == sorted(moment for moment in runs if start <= moment < end)
    assert [table.nominal(moment) for moment in found] == [runs[moment] for moment in found]
    assert table.latest(start - 1, end - 1, 5) == found[-5:]
    landed = {nominal: moment for moment, nominal in runs.items()}
    for nominal in [at for at in nominals if start <= at < end]:
        assert table.lands(nominal) == landed.get(nominal), (
            "where an occurrence lands, None for a skipped one"
        )
    spans = table.skips(start - 60 * DAY, end + 60 * DAY)
    covered = {at for first, last in spans for at in times(schedule).between(first, last + 1)}
    near = {at for at in skipped if start - 40 * DAY <= at < end + 40 * DAY}
    assert near <= covered
    assert not covered & set(runs.values()), "nothing both runs and is skipped"
    kept = {at for first, last in table.runs(start, end) for at in times(schedule).between(first, last + 1)}
    assert kept >= {runs[moment] for moment in found}
    assert not kept & skipped


@settings(max_examples=60, deadline=None)
@given(calendars(), st.sampled_from(SCHEDULES), st.sampled_from(KINDS), st.integers(0, 20 * 24))
def test_starting_an_agenda_anywhere_gives_the_same_sequence(
    days: DayCalendar, schedule: str, policy: str, hours: int
) -> None:
    table, restart, end = agenda((schedule, days, policy)), NOON + hours * HOUR, NOON + 30 * DAY
    assert list(table.between(restart, end)) == [at for at in table.between(NOON, end) if at >= restart]


@settings(max_examples=60, deadline=None)
@given(calendars(), st.sampled_from(SCHEDULES), st.sampled_from(KINDS))
def test_walking_from_place_to_place_meets_every_run_and_every_skip_once(
    days: DayCalendar, schedule: str, policy: str
) -> None:
    table, at, end = agenda((schedule, days, policy)), NOON, NOON + 30 * DAY
    runs, skips = list[int](), list[tuple[int, int]]()
    while (place := table.place(at).place_ms) is not None and place < end:
        assert place > at
        runs += table.between(place, place + 1)
        skips += table.skips(place, place + 1)
        at = place
    assert runs == list(table.between(NOON + 1, end))
    walked = {each for span in skips for each in times(schedule).between(span[0], span[1] + 1)}
    whole = {
        each for span in table.skips(NOON + 1, end) for each in times(schedule).between(span[0], span[1] + 1)
    }
    assert walked == whole


class Counting(Timetable):
    """Counts how often it is asked."""

    def __init__(self, inner: Timetable) -> None:
        self.inner, self.asked, self.job_id = inner, 0, inner.job_id

    @property
    def jitter_ms(self) -> int:
        return self.inner.jitter_ms

    def covers(self, at_ms: int) -> bool:
        return self.inner.covers(at_ms)

    def due(self, nominal_ms: int) -> int:
        return self.inner.due(nominal_ms)

    def seek(self, after_ms: int) -> Step:
        self.asked += 1
        return self.inner.seek(after_ms)

    def latest(self, after_ms: int, until_ms: int, count: int = 1) -> list[int]:
        self.asked += 1
        return self.inner.latest(after_ms, until_ms, count)


@settings(max_examples=60, deadline=None)
@given(calendars(), st.sampled_from([*SCHEDULES, "*/15 * * * *"]), st.sampled_from(KINDS))
def test_every_search_of_an_agenda_is_bounded_in_steps(days: DayCalendar, schedule: str, policy: str) -> None:
    counting = Counting(times(schedule))
    table = Agenda("job_1", [stream(counting, LocalDays(days, zone("Europe/Berlin")), policy)])  # type: ignore[arg-type]
    for search in (table.seek, table.place):
        counting.asked = 0
        search(NOON)
        assert counting.asked <= 2 * MAX_MOVED


def test_a_long_closure_with_many_occurrences_is_bounded_too_and_its_latest_win() -> None:
    closed = calendar(excluded={"ranges": [{"from": "2027-01-16", "until": "2027-06-30"}]})
    counting = Counting(times("*/15 * * * *"))
    table = Agenda("job_1", [stream(counting, LocalDays(closed, zone("UTC")), "previous_allowed_day")])
    [moment] = list(islice(table.between(NOON, NOON + DAY), 1))
    assert rfc3339(table.nominal(moment)) == "2027-06-30T12:00:00Z"
    assert counting.asked <= 6 * MAX_MOVED
    spans = table.skips(NOON - 12 * HOUR, NOON + 12 * HOUR)
    skipped = {at for first, last in spans for at in times("*/15 * * * *").between(first, last + 1)}
    assert len(skipped) == 96 * 166, "of 167 days, all but the last one's"
