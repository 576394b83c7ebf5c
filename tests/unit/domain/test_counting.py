"""The n-th occurrence by arithmetic against a walk from one occurrence to the next."""

from itertools import islice

import pytest

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.occurrences import timetable
from chalicelib.domain.schedule import MAX_RUNS, CronSchedule, IntervalSchedule
from tests.support.clock_changes import DAY_S, Change, kinds
from tests.support.expressions import generate
from tests.support.steps import STEPS_IN_50_MS, at_most
from tests.support.wall_clock import RULES

EXPRESSIONS = [made.text for made in generate(60, seed=50, seconds=0.2)]
CREATED_MS = 1_795_000_000_000
END_OF_2199_MS = 7_258_118_400_000


def last(schedule: CronSchedule | IntervalSchedule, created_ms: int = CREATED_MS) -> int | None:
    return timetable(schedule, job_id="job", created_ms=created_ms).last_ms


@pytest.mark.parametrize("change", kinds(), ids=lambda change: f"{change.kind} ({change.zone})")
def test_counting_ends_where_walking_ends(change: Change) -> None:
    for number, text in enumerate(EXPRESSIONS):
        start_ms = (change.at - (number % 5) * DAY_S // 2) * 1000 - 1
        count = (1, 2, 7, 40, 100)[number // 5 % 5]
        for dst in RULES:
            schedule = CronSchedule(expression=text, timezone=change.zone, dst=dst)
            walk = timetable(schedule, job_id="job", created_ms=0).between(start_ms + 1, END_OF_2199_MS)
            walked = next(islice(walk, count - 1, None), None)
            counted = last(schedule.model_copy(update={"max_runs": count}), start_ms)
            assert counted == walked, (text, change.zone, dst, count)


@pytest.mark.parametrize("dst", RULES)
@pytest.mark.parametrize(
    "expression", ["30 2 * * *", "15 3 * * SUN", "*/15 2 * * *", "0 0 29 2 *", "0 */6 L * *"]
)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca"])
def test_counting_over_centuries_ends_where_walking_ends(zone: str, expression: str, dst: str) -> None:
    schedule = CronSchedule(expression=expression, timezone=zone, dst=dst)
    walk = list(timetable(schedule, job_id="job", created_ms=0).between(CREATED_MS + 1, END_OF_2199_MS))
    for count in (1000, 9000, MAX_RUNS):
        walked = walk[count - 1] if count <= len(walk) else None
        assert last(schedule.model_copy(update={"max_runs": count})) == walked, count


@pytest.mark.parametrize(
    ("expression", "zone", "reason"),
    [
        ("0 9 * * MON", "Europe/Berlin", "each change until 2199: the longest way"),
        ("0 9 * * *", "America/New_York", "27 years"),
        ("* * * * * *", "Africa/Cairo", "three hours"),
        ("0 0 29 2 MON", "Asia/Tokyo", "there are not so many"),
        ("0 0 1 * *", "Asia/Gaza", "nor so many of these, in a zone with changes to come"),
    ],
)
@pytest.mark.parametrize("dst", RULES)
def test_the_first_timetable_with_the_most_runs_is_cheap(
    expression: str, zone: str, dst: str, reason: str
) -> None:
    schedule = CronSchedule(expression=expression, timezone=zone, dst=dst, day_match="all", max_runs=MAX_RUNS)
    with at_most(STEPS_IN_50_MS):
        timetable(schedule, job_id=reason, created_ms=CREATED_MS).next_after(CREATED_MS)


@pytest.mark.parametrize(
    ("every", "count", "expected", "reason"),
    [
        (
            60,
            3,
            "2026-11-18T11:09:40Z",
            "three minutes after the creation, which is the anchor and does not count",
        ),
        ("P3660D", MAX_RUNS, None, "the calendar ends before"),
    ],
)
def test_intervals_are_counted_too(every: int | str, count: int, expected: str | None, reason: str) -> None:
    found = last(IntervalSchedule(every=every, max_runs=count))
    assert (found and rfc3339(found)) == expected, reason
