"""Which of the missed occurrences run, and how the others are written down: hours after noon, of an hourly job."""

from typing import Any

import pytest

from chalicelib.engine.wheel.arm import timetable_of
from chalicelib.engine.wheel.missed import left_out, made_up
from tests.support.jobs import due_job, some_job
from tests.support.world import NOON

HOUR = 3_600_000

Range = tuple[int, int, str]


def hours(**moments: float) -> dict[str, int]:
    return {name: NOON + round(hour * HOUR) for name, hour in moments.items()}


PAUSE = hours(paused_ms=2.5, paused_until_ms=4.5)
SKIP = hours(skip_from_ms=3, skip_until_ms=4)

CASES: list[tuple[dict[str, int], int, list[int], list[Range], str]] = [
    ({}, 0, [], [(1, 6, "misfire")], "none runs"),
    ({}, 1, [6], [(1, 5, "misfire")], "the latest runs"),
    ({}, 9, [1, 2, 3, 4, 5, 6], [], "all run"),
    (
        PAUSE,
        0,
        [],
        [(1, 2, "misfire"), (3, 4, "paused"), (5, 6, "misfire")],
        "an outage before and after a pause",
    ),
    (
        PAUSE,
        1,
        [6],
        [(1, 2, "misfire"), (3, 4, "paused"), (5, 5, "misfire")],
        "the latest after the pause runs",
    ),
    (PAUSE, 3, [4, 5, 6], [(1, 2, "misfire"), (3, 3, "paused")], "one of the pause is made up"),
    (hours(paused_ms=0.5), 0, [], [(1, 6, "paused")], "a pause without an end"),
    (SKIP, 0, [], [(1, 2, "misfire"), (3, 4, "skip_next"), (5, 6, "misfire")], "some are left out anyway"),
    (
        SKIP,
        1,
        [6],
        [(1, 2, "misfire"), (3, 4, "skip_next"), (5, 5, "misfire")],
        "they come before the kept one",
    ),
    (SKIP, 3, [2, 5, 6], [(1, 1, "misfire"), (3, 4, "skip_next")], "they lie among the kept ones"),
    (SKIP, 9, [1, 2, 5, 6], [(3, 4, "skip_next")], "all others run"),
    (
        hours(skip_from_ms=5, skip_until_ms=9),
        1,
        [4],
        [(1, 3, "misfire"), (5, 6, "skip_next")],
        "the latest are left out",
    ),
    (hours(skip_from_ms=1, skip_until_ms=9), 1, [], [(1, 6, "skip_next")], "all are left out"),
    (
        PAUSE | SKIP,
        0,
        [],
        [(1, 2, "misfire"), (3, 4, "skip_next"), (5, 6, "misfire")],
        "who leaves out says why",
    ),
    (
        PAUSE | hours(skip_from_ms=4, skip_until_ms=5),
        1,
        [6],
        [(1, 2, "misfire"), (3, 3, "paused"), (4, 5, "skip_next")],
        "a pause and a skip that overlap",
    ),
]


@pytest.mark.parametrize(
    ("fields", "count", "runs", "ranges", "reason"), CASES, ids=[row[4] for row in CASES]
)
def test_each_missed_occurrence_runs_or_is_in_one_range_with_its_reason(
    fields: dict[str, Any], count: int, runs: list[int], ranges: list[Range], reason: str
) -> None:
    job = due_job(some_job(**fields))
    table, last_ms = timetable_of(job), NOON + 6 * HOUR + 60_000
    kept = made_up(job, table, NOON, last_ms, count)
    skipped = left_out(job, table, NOON + HOUR, last_ms, kept)
    assert [(each - NOON) // HOUR for each in kept] == runs, reason
    assert [
        ((each.first_ms - NOON) // HOUR, (each.last_ms - NOON) // HOUR, each.reason) for each in skipped
    ] == ranges
