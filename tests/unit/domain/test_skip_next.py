"""Leaving out the next occurrences."""

from typing import Any

import pytest

from chalicelib.domain.job import Job
from chalicelib.domain.skip_next import is_unwanted, skipping, unwanted
from chalicelib.engine.wheel.arm import timetable_of
from tests.support.jobs import some_job
from tests.support.world import NOON

HOUR = 3_600_000
HOURLY = "0 * * * *"
TWICE = {"kind": "cron", "expression": HOURLY, "max_runs": 2}


def without_next(job: Job, count: int, after_ms: int = NOON) -> Job:
    return skipping(job, timetable_of(job), count, after_ms=after_ms, now_ms=NOON)


COUNTS: list[tuple[Any, int, list[int], str]] = [
    (HOURLY, 0, [], "none"),
    (HOURLY, 1, [1], "the next"),
    (HOURLY, 3, [1, 2, 3], "three"),
    (TWICE, 5, [1, 2], "as many as there are"),
    ({"kind": "manual"}, 5, [], "there are none"),
]


@pytest.mark.parametrize(("schedule", "count", "hours", "reason"), COUNTS, ids=[row[3] for row in COUNTS])
def test_the_next_occurrences_are_left_out_and_no_others(
    schedule: Any, count: int, hours: list[int], reason: str
) -> None:
    job = without_next(some_job(schedule), count)
    assert [hour for hour in range(-1, 30) if is_unwanted(job, NOON + hour * HOUR)] == hours, reason
    assert unwanted(job, timetable_of(job), NOON) == [NOON + hour * HOUR for hour in hours]


def test_asking_again_counts_from_the_moment_of_asking() -> None:
    job = without_next(without_next(some_job(), 3), 1, NOON + HOUR)
    assert unwanted(job, timetable_of(job), NOON) == [NOON + 2 * HOUR]
    assert job.revision == 3


def test_what_has_passed_is_not_to_come() -> None:
    job = without_next(some_job(), 3)
    assert unwanted(job, timetable_of(job), NOON + 2 * HOUR) == [NOON + 3 * HOUR]


@pytest.mark.parametrize("count", [0, 2])
def test_asking_for_what_is_so_anyway_changes_nothing(count: int) -> None:
    job = without_next(some_job(), count)
    assert without_next(job, count) is job
