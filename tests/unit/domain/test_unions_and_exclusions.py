"""Several schedules are one sequence; what is excluded is no occurrence; and no search goes on for ever."""

from datetime import datetime
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from chalicelib.domain.exclusions import Exclusion
from chalicelib.domain.instants import rfc3339
from chalicelib.domain.occurrences import Timetable, timetable, timetables
from chalicelib.domain.schedules import MAX_SCHEDULES, SCHEDULES, warnings_of, words_of
from chalicelib.domain.sources import BUDGET, Step, first_step
from tests.support.clock_changes import moments
from tests.support.expressions import generate

EXCLUSIONS: TypeAdapter[tuple[Exclusion, ...]] = TypeAdapter(tuple[Exclusion, ...])
NOON = 1_800_014_400_000
"""2027-01-15T12:00:00Z, a Friday."""
HOUR, DAY = 3_600_000, 86_400_000
EXPRESSIONS = [made.text for made in generate(200, seed=5)]


def table(schedule: Any, exclude: Any = (), created_ms: int = NOON, job_id: str = "job_1") -> Timetable:
    return timetable(
        SCHEDULES.validate_python(schedule),
        job_id=job_id,
        created_ms=created_ms,
        exclude=EXCLUSIONS.validate_python(exclude),
    )


def first(times: Timetable, count: int, after_ms: int = NOON) -> list[str]:
    return [rfc3339(at)[5:16] for at in islice(times.between(after_ms + 1, after_ms + 400 * DAY), count)]


UNIONS: list[tuple[Any, list[str], str]] = [
    (["0 9 * * *"], ["01-16T09:00", "01-17T09:00"], "a list of one"),
    (["0 9 * * *", "0 17 * * *"], ["01-15T17:00", "01-16T09:00", "01-16T17:00"], "in order of time"),
    (
        ["0 9 * * *", "0 9 * * MON"],
        ["01-16T09:00", "01-17T09:00", "01-18T09:00"],
        "a shared moment counts once",
    ),
    (
        [{"kind": "cron", "expression": "0 9 * * *", "max_runs": 1}, "0 10 * * *"],
        ["01-16T09:00", "01-16T10:00", "01-17T10:00"],
        "a count is its own schedule's",
    ),
    (
        [{"kind": "cron", "expression": "0 9 * * *", "end_at": "2027-01-17T00:00:00Z"}, "0 10 * * SUN"],
        ["01-16T09:00", "01-17T10:00", "01-24T10:00"],
        "an end is its own schedule's",
    ),
    (
        [{"kind": "once", "at": "2027-01-15T12:30:00Z"}, {"kind": "interval", "every": "PT1H"}],
        ["01-15T12:30", "01-15T13:00", "01-15T14:00"],
        "of different kinds",
    ),
    ([{"kind": "manual"}, "0 9 * * *"], ["01-16T09:00"], "one that never fires adds nothing"),
    ([{"kind": "manual"}, {"kind": "manual"}], [], "none at all"),
]


@pytest.mark.parametrize(("schedules", "expected", "reason"), UNIONS, ids=[row[2] for row in UNIONS])
def test_several_schedules_are_put_together(schedules: Any, expected: list[str], reason: str) -> None:
    assert first(table(schedules), max(len(expected), 1)) == expected, reason


def test_an_occurrence_that_several_schedules_have_is_due_when_it_is_due_soonest() -> None:
    late, later = (
        {"kind": "cron", "expression": "0 9 * * *", "jitter_seconds": each} for each in (600, 3600)
    )
    nominal = table("0 9 * * *").next_after(NOON)
    assert nominal is not None
    dues = [table(each).due(nominal) for each in (late, later)]
    assert dues[0] != dues[1]
    assert table([late, later]).due(nominal) == min(dues)
    assert table([late, "0 9 * * *"]).due(nominal) == nominal, "without jitter it is due at its nominal time"
    other = table([late, "0 10 * * *"])
    assert other.due(nominal) == dues[0], "only schedules that have the occurrence count"
    assert other.jitter_ms == 600_000


@pytest.mark.parametrize(
    ("schedules", "code"),
    [([], "too_short"), (["* * * * *"] * (MAX_SCHEDULES + 1), "too_long"), ([["* * * * *"]], None)],
)
def test_a_list_has_one_to_ten_schedules_and_no_lists(schedules: Any, code: str | None) -> None:
    with pytest.raises(ValidationError) as refused:
        SCHEDULES.validate_python(schedules)
    assert code in (None, refused.value.errors()[0]["type"])


def test_a_list_of_schedules_is_put_in_words_and_warned_of_one_by_one() -> None:
    schedules = SCHEDULES.validate_python(["0 9 * * *", "0 0 13 * 5"])
    assert words_of(schedules) == "At 09:00 (UTC); and At 00:00, on day 13 of the month, or on Friday (UTC)"
    [warning] = warnings_of(schedules, now_ms=NOON)
    assert (warning.code, warning.message[:12]) == ("day_rule", "Schedule 2: ")
    assert words_of(SCHEDULES.validate_python("0 9 * * *")) == "At 09:00 (UTC)"


HOURLY = "0 * * * *"
EXCLUDED: list[tuple[Any, Any, list[str], str]] = [
    ("0 9 * * *", ["0 9 16 1 *"], ["01-17T09:00", "01-18T09:00"], "one date"),
    ("0 9 * * *", ["1 9 16 1 *"], ["01-16T09:00"], "a minute beside it does not matter"),
    ("0 9 * * *", ["* * * * * SAT,SUN"], ["01-18T09:00"], "every second of the weekend"),
    (HOURLY, ["* 0-59 13-17 * * *"], ["01-15T18:00", "01-15T19:00"], "hours, second by second"),
    ("30 0 13 * * *", ["0 13 * * *"], ["01-15T13:00"], "a cron of minutes names their first seconds"),
    (
        {"kind": "interval", "every": 0.5 + 1, "anchor": "2027-01-15T12:00:00Z"},
        ["1 0 12 * * *"],
        ["01-15T12:00", "01-15T12:00"],
        "parts of a second belong to it",
    ),
    (
        HOURLY,
        [{"kind": "range", "from": "2027-01-15T13:00:00Z", "until": "2027-01-15T15:00:00Z"}],
        ["01-15T15:00", "01-15T16:00"],
        "a range without its end",
    ),
    (
        HOURLY,
        [{"kind": "cron", "expression": "* * * * *", "end_at": "2027-01-15T15:00:00Z"}],
        ["01-15T15:00"],
        "an exclusion with bounds",
    ),
    (
        {"kind": "cron", "expression": "0 9 * * *", "max_runs": 2},
        ["0 9 16 1 *"],
        ["01-17T09:00", "01-18T09:00"],
        "what is excluded does not count",
    ),
    (["0 9 * * *", "0 10 * * *"], ["0 9 * * *"], ["01-16T10:00"], "of all the schedules"),
    (
        {"kind": "cron", "expression": "0 9 * * *", "timezone": "Asia/Tokyo"},
        ["0 9 * * *"],
        ["01-16T00:00"],
        "each by its own zone",
    ),
    ("0 9 16 1 *", ["0 9 * * *"], [], "nothing is left until the end of the calendar"),
]


@pytest.mark.parametrize(
    ("schedule", "exclude", "expected", "reason"), EXCLUDED, ids=[row[3] for row in EXCLUDED]
)
def test_excluded_moments_are_no_occurrences(
    schedule: Any, exclude: Any, expected: list[str], reason: str
) -> None:
    assert first(table(schedule, exclude), max(len(expected), 1)) == expected, reason


def in_berlin(expression: str, dst: str) -> list[Any]:
    return [{"kind": "cron", "expression": expression, "timezone": "Europe/Berlin", "dst": dst}]


AUTUMN, SPRING = "2026-10-25T00:00:00Z", "2026-03-29T00:00:00Z"
CLOCK_CHANGES: list[tuple[list[Any], str, list[str], str]] = [
    (
        in_berlin("* 0-59 0-4 * * *", "once"),
        AUTUMN,
        ["01:00", "01:30", "04:00"],
        "the hour's second showing stays",
    ),
    (in_berlin("* 0-59 0-4 * * *", "skip"), AUTUMN, ["01:00", "01:30", "04:00"], "with skip too"),
    (in_berlin("* 0-59 0-4 * * *", "literal"), AUTUMN, ["04:00"], "literal names it twice"),
    (in_berlin("* * 0-4 * * *", "once"), AUTUMN, ["04:00"], "a wildcard goes by elapsed time"),
    (in_berlin("30 2 * * *", "once"), SPRING, ["00:30", "01:30"], "a lost moment is excluded after the gap"),
    (in_berlin("30 2 * * *", "skip"), SPRING, ["00:30", "01:00"], "or not at all"),
    (in_berlin("* 0-59 1-2 * * *", "once"), SPRING, ["01:30"], "a lost hour takes the moment after it"),
]


@pytest.mark.parametrize(
    ("exclude", "after", "expected", "reason"), CLOCK_CHANGES, ids=[row[3] for row in CLOCK_CHANGES]
)
def test_an_exclusion_names_what_its_cron_would_fire(
    exclude: list[Any], after: str, expected: list[str], reason: str
) -> None:
    after_ms = round(datetime.fromisoformat(after).timestamp() * 1000)
    found = first(table("*/30 * * * *", exclude), len(expected), after_ms)
    assert [at[6:] for at in found] == expected, reason


def test_half_seconds_of_an_excluded_second_are_excluded() -> None:
    interval = {"kind": "interval", "every": 1.5, "anchor": "2027-01-15T12:00:00Z"}
    found = list(table(interval, ["1 0 12 * * *"]).between(NOON, NOON + 6000))
    assert [at - NOON for at in found] == [0, 3000, 4500]


@pytest.mark.parametrize(
    ("exclude", "code", "reason"),
    [
        ([{"kind": "cron", "expression": "* * * * *", "max_runs": 3}], "not_for_exclusions", "no count"),
        (
            [{"kind": "cron", "expression": "* * * * *", "jitter_seconds": 3}],
            "not_for_exclusions",
            "no jitter",
        ),
        ([{"kind": "cron", "expression": "* * * * *", "calendar": "x"}], "not_for_exclusions", "no calendar"),
        ([{"kind": "interval", "every": 60}], "exclusion_kind", "no intervals"),
        ([{"kind": "range", "from": "2027-01-15T13:00:00Z"}], "missing", "an open range"),
        (
            [{"kind": "range", "from": "2027-01-15T13:00:00Z", "until": "2027-01-15T13:00:00Z"}],
            "end_before_start",
            "an empty range",
        ),
        (["61 * * * *"], "cron_expression", "no cron"),
        ([5], "model_attributes_type", "no object"),
    ],
)
def test_an_exclusion_is_refused(exclude: Any, code: str, reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        EXCLUSIONS.validate_python(exclude)
    assert [error["type"] for error in refused.value.errors()] == [code], reason


def test_exclusions_come_back_as_they_were_stored() -> None:
    given = [
        "* * 12 * * *",
        {"kind": "range", "from": "2027-01-15T13:00:00Z", "until": "2027-01-16T13:00:00Z"},
    ]
    found = EXCLUSIONS.validate_python(given)
    assert EXCLUSIONS.validate_json(EXCLUSIONS.dump_json(found)) == found
    assert EXCLUSIONS.dump_python(found, mode="json")[1]["from"] == "2027-01-15T13:00:00Z"


STEPS = [
    ([Step(5), Step(3)], Step(3), "the first of two"),
    ([Step(5), Step(None, 3)], Step(None, 3), "one search stopped before the other's find"),
    ([Step(3), Step(None, 5)], Step(3), "it stopped behind it"),
    ([Step(3), Step(None, 3)], Step(None, 3), "what it stopped at may be an occurrence too"),
    ([Step(), Step(4)], Step(4), "one is at its end"),
    ([Step(), Step(None, 4)], Step(None, 4), "one is at its end, one stopped"),
    ([Step(), Step()], Step(), "both are at their end"),
]


@pytest.mark.parametrize(("steps", "expected", "reason"), STEPS, ids=[row[2] for row in STEPS])
def test_searches_are_put_together(steps: list[Step], expected: Step, reason: str) -> None:
    assert first_step(steps) == expected, reason


ODD_AND_EVEN = ["*/2 * * * * *", "1-59/2 * * * * *"]


def test_a_search_among_excluded_moments_stops_and_can_be_taken_up_again() -> None:
    times = table("* * * * * *", ODD_AND_EVEN)
    step = times.seek(NOON)
    assert step.at_ms is None
    assert step.resume_ms is not None
    assert NOON < step.resume_ms <= NOON + BUDGET * 1000
    again = times.seek(step.resume_ms - 1)
    assert again.at_ms is None
    assert again.resume_ms is not None
    assert again.resume_ms > step.resume_ms, "each search gets further"


def test_a_stopped_search_ends_where_the_schedule_does() -> None:
    ending = {"kind": "cron", "expression": "* * * * * *", "end_at": "2027-01-15T12:00:10Z"}
    assert table(ending, ODD_AND_EVEN).seek(NOON) == Step()


def test_an_excluded_block_is_leapt_over_whatever_its_length() -> None:
    times = table("* * * * * *", ["* * * * 1-11 *"])
    assert times.next_after(NOON) == NOON + 319 * DAY + 12 * HOUR, "in December"
    times = table("* * * * * *", ["* * 6-23 * * *", "* * 0-5 * * *", "30 * * 20 1 *"])
    assert times.seek(NOON).at_ms is None, "everything is excluded, by turns"


def test_a_count_of_excluded_occurrences_is_bounded_too() -> None:
    counted = {"kind": "cron", "expression": "* * * * * *", "max_runs": 10_000}
    assert table(counted, ODD_AND_EVEN).next_after(NOON) is None


def test_the_latest_before_a_moment_leap_over_what_is_excluded() -> None:
    times = table("* * * * * *", ["* * 6-11 * * *"])
    assert times.latest(NOON - DAY, NOON - 1, 2) == [NOON - 6 * HOUR - 2000, NOON - 6 * HOUR - 1000]
    assert table("* * * * * *", ODD_AND_EVEN).latest(NOON - DAY, NOON, 2) == []


def test_what_runs_in_a_window_is_one_span() -> None:
    times = table([HOURLY, "30 * * * *"])
    assert times.runs(NOON + 1, NOON + 2 * HOUR) == [(NOON + HOUR // 2, NOON + HOUR * 3 // 2)]
    assert times.runs(NOON + 1, NOON + HOUR // 2) == []
    assert times.skips(NOON, NOON + DAY) == []


@st.composite
def several(draw: st.DrawFn) -> tuple[list[Any], list[Any], int]:
    """Some schedules and exclusions, and a moment near a change of their zone's clock."""
    zone, change = draw(st.sampled_from(moments()))
    dst = st.sampled_from(["once", "skip", "literal"])

    def cron() -> dict[str, Any]:
        seconds = draw(st.sampled_from(["", "*/20 ", "* ", "0,30 ", ""]))
        expression = seconds + draw(st.sampled_from(EXPRESSIONS))
        return {"kind": "cron", "expression": expression, "timezone": zone, "dst": draw(dst)}

    start = change * 1000 + draw(st.sampled_from([-26, -13, -2, -1, 0, 1])) * HOUR
    schedules = [cron() for _ in range(draw(st.integers(1, 3)))]
    if draw(st.booleans()):
        schedules.append({"kind": "interval", "every": draw(st.integers(60, 9000))})
    exclude: list[Any] = [cron() for _ in range(draw(st.integers(0, 2)))]
    if draw(st.booleans()):
        begin = start + draw(st.integers(0, 80)) * 60_000
        exclude.append({"kind": "range", "from": rfc3339(begin), "until": rfc3339(begin + 2 * HOUR)})
    return schedules, exclude, start


def all_of(times: Timetable, start: int, end: int) -> set[int]:
    return set(islice(times.between(start, end), 20_000))


@settings(max_examples=80, deadline=None)
@given(several())
def test_a_union_is_the_set_union_and_an_exclusion_the_set_difference(
    made: tuple[list[Any], list[Any], int],
) -> None:
    schedules, exclude, start = made
    end = start + 3 * HOUR // 2
    wanted = {at for each in schedules for at in all_of(table(each, created_ms=start), start, end)}
    for each in exclude:
        if each["kind"] == "cron":
            seconds = {at // 1000 for at in all_of(table(each, created_ms=start), start, end)}
            wanted = {at for at in wanted if at // 1000 not in seconds}
        else:
            low, high = (
                round(datetime.fromisoformat(each[name]).timestamp() * 1000) for name in ("from", "until")
            )
            wanted = {at for at in wanted if not low <= at < high}
    times = table(schedules, exclude, created_ms=start)
    found, at = list[int](), start - 1
    while (place := (step := times.seek(at)).place_ms) is not None and place < end:
        assert place > at, "every search gets further"
        at = place if step.at_ms is not None else place - 1
        if step.at_ms is not None:
            found.append(step.at_ms)
    assert found == sorted(wanted)


@settings(max_examples=60, deadline=None)
@given(several(), st.integers(0, 6 * HOUR))
def test_starting_a_union_anywhere_gives_the_same_sequence(
    made: tuple[list[Any], list[Any], int], later: int
) -> None:
    schedules, exclude, start = made
    times = table(schedules, exclude, created_ms=start)
    whole = [at for at in islice(times.between(start, start + 8 * HOUR), 200) if at >= start + later]
    assert list(islice(times.between(start + later, start + 8 * HOUR), len(whole))) == whole


@settings(max_examples=40, deadline=None)
@given(several(), st.integers(1, 50))
def test_the_latest_of_a_union_are_the_tail_of_all(
    made: tuple[list[Any], list[Any], int], count: int
) -> None:
    schedules, exclude, start = made
    times = table(schedules, exclude, created_ms=start)
    everything = list(islice(times.between(start, start + HOUR), 4000))
    assert times.latest(start - 1, start + HOUR - 1, count) == everything[-count:]


@settings(max_examples=80, deadline=None)
@given(several())
def test_every_schedule_and_search_is_bounded_in_steps(made: tuple[list[Any], list[Any], int]) -> None:
    schedules, exclude, start = made
    for part in timetables(
        SCHEDULES.validate_python(schedules),
        job_id="job",
        created_ms=start,
        exclude=EXCLUSIONS.validate_python([*exclude, *ODD_AND_EVEN]),
    ):
        step = part.seek(start)
        assert step.at_ms is None, "everything on a whole second is excluded"
