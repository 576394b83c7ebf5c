"""The time that a run stands for: the windows of a schedule's runs join, whatever the clocks do."""

from itertools import pairwise
from typing import Any

import pytest
from pydantic import TypeAdapter

from chalicelib.domain.occurrences import Timetable, timetable, window_start
from chalicelib.domain.sources import AnySchedule
from tests.support.world import NOON

DAY = 86_400_000


def table_of(schedule: dict[str, Any]) -> Timetable:
    read: AnySchedule = TypeAdapter(AnySchedule).validate_python(schedule)
    return timetable(read, job_id="job_1", created_ms=NOON)


@pytest.mark.parametrize(
    "schedule",
    [
        {"kind": "cron", "expression": "0 0 9 * * MON-FRI", "timezone": "Europe/Berlin"},
        {"kind": "cron", "expression": "0 30 2 * * *", "timezone": "Europe/Berlin"},
        {
            "kind": "cron",
            "expression": "0 */20 1-3 * * SUN",
            "timezone": "Europe/Berlin",
            "jitter_seconds": 60,
        },
        {"kind": "cron", "expression": "0 0 0 29 2 *"},
        {"kind": "interval", "every": "PT36H"},
    ],
    ids=lambda schedule: str(schedule.get("expression", "interval")),
)
def test_windows_follow_each_other_without_a_gap(schedule: dict[str, Any]) -> None:
    table = table_of(schedule)
    moments = list(table.between(NOON - 3000 * DAY, NOON + 400 * DAY))
    assert len(moments) > 1
    for before, nominal in pairwise(moments[-300:]):
        assert window_start(table, nominal, NOON) == before
        assert window_start(table, nominal - 1, NOON) == before, "as of a trigger just before it"
        assert window_start(table, nominal + 1, NOON) == nominal, "and just after it"


def test_what_is_older_than_its_job_and_has_no_moment_before_stands_for_nothing() -> None:
    table = table_of({"kind": "manual"})
    assert window_start(table, NOON - DAY, NOON) == NOON - DAY
