"""The examples of docs/schedules.md are accepted, and mean what the page says."""

import json
import re
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import pytest

from chalicelib.domain.calendars import CalendarDefinition
from chalicelib.domain.cron import END_MS
from chalicelib.domain.instants import epoch_ms, rfc3339
from chalicelib.domain.job import JobDefinition
from chalicelib.domain.occurrences import timetable
from chalicelib.domain.schedule import MAX_JITTER_SECONDS, MAX_RUNS, SCHEDULE
from chalicelib.domain.schedule_warnings import WarningCode

PAGE = (Path(__file__).parents[3] / "docs" / "schedules.md").read_text()
BLOCKS: list[dict[str, Any]] = [
    json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
]
PREVIEWS = [block for block in BLOCKS if "occurrences" in block]
CALENDARS = [block for block in BLOCKS if "excluded" in block]
JOBS = [block for block in BLOCKS if "name" in block and block not in CALENDARS]
PARTS = [block for block in BLOCKS if block.keys() <= {"schedule", "exclude", "calendar"}]
"""Parts of a job's definition."""
SCHEDULES = [block for block in BLOCKS if "kind" in block]
EXPRESSIONS = re.findall(
    r"^\| `([^`]+)` \|", PAGE.partition("| expression |")[2].partition("\n\n")[0], re.MULTILINE
)


def test_every_block_is_of_a_form_that_is_checked() -> None:
    assert sum(map(len, (PREVIEWS, JOBS, SCHEDULES, CALENDARS, PARTS))) == len(BLOCKS)
    assert CALENDARS
    assert PARTS
    assert {block["kind"] for block in SCHEDULES} == {"cron", "interval", "once", "manual"}
    assert {block["schedule"].get("dst") for block in PREVIEWS} >= {"once", "skip", "literal"}


@pytest.mark.parametrize("schedule", SCHEDULES, ids=json.dumps)
def test_a_schedule_on_the_page_is_accepted(schedule: dict[str, Any]) -> None:
    stored = SCHEDULE.dump_python(SCHEDULE.validate_python(schedule), mode="json", exclude_unset=True)
    assert set(stored) == set(schedule)


@pytest.mark.parametrize("job", JOBS, ids=json.dumps)
def test_a_job_on_the_page_is_accepted(job: dict[str, Any]) -> None:
    assert JobDefinition.model_validate(job).model_fields_set == set(job)


@pytest.mark.parametrize("part", PARTS, ids=json.dumps)
def test_a_part_of_a_job_on_the_page_is_accepted(part: dict[str, Any]) -> None:
    job = {"name": "nightly", "type": "dummy", **part}
    assert JobDefinition.model_validate(job).model_fields_set == set(job)


@pytest.mark.parametrize("calendar", CALENDARS, ids=json.dumps)
def test_a_calendar_on_the_page_is_accepted(calendar: dict[str, Any]) -> None:
    assert CalendarDefinition.model_validate(calendar).model_fields_set == set(calendar)


@pytest.mark.parametrize("preview", PREVIEWS, ids=json.dumps)
def test_occurrences_on_the_page_are_those_of_the_schedule(preview: dict[str, Any]) -> None:
    start_ms = epoch_ms(datetime.fromisoformat(preview["from"]))
    times = timetable(
        SCHEDULE.validate_python(preview["schedule"]), job_id="preview", created_ms=start_ms
    ).between(start_ms, END_MS)
    expected = preview["occurrences"]
    assert [rfc3339(at) for at in islice(times, len(expected))] == expected


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_on_the_page_is_accepted(expression: str) -> None:
    SCHEDULE.validate_python(expression)


def test_the_page_has_expressions_limits_and_all_warnings() -> None:
    assert len(EXPRESSIONS) >= 10
    assert f"1 to {MAX_RUNS:,} occurrences" in PAGE
    assert f"0 to {MAX_JITTER_SECONDS:,}:" in PAGE
    assert all(f"`{code}`" in PAGE for code in get_args(WarningCode))


def test_what_the_page_calls_impossible_is_refused() -> None:
    [expression] = re.findall(r"What can never fire \(`([^`]+)`\)", PAGE)
    with pytest.raises(ValueError, match="never fires"):
        SCHEDULE.validate_python(expression)
