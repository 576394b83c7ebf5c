"""Reports of runs: their rows, their sums by day and job, and the windows that they are of."""

import csv
import io
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.ids import run_id
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.run import Attempt, Run, RunStatus
from chalicelib.ports.contact import Contact
from chalicelib.ports.run_history import PastRun, TooManyRuns, WantedRuns
from tests.support.calls import call_of, perform
from tests.support.doubles import MemoryOutputs, MemoryRunHistory

NOW = 1_777_636_800_000
"""2026-05-01T12:00:00Z, the nominal time of the calls."""
HOUR, DAY = 3_600_000, 86_400_000
JOB = "job_01KVB7TYZ0A1B2C3D4E5F6G7H8"


def past(
    hours_ago: float, status: RunStatus = RunStatus.SUCCEEDED, name: str | None = "nightly", **others: Any
) -> PastRun:
    at_ms = NOW - int(hours_ago * HOUR)
    error = {"kind": "http_5xx", "message": "It said no.", "status": 500}
    attempt = Attempt(1, at_ms, at_ms + 2000, "failed", error if status is RunStatus.FAILED else None)
    run = Run(
        run_id(JOB, at_ms), "local", JOB, status, "schedule", at_ms, at_ms, 1, attempt=1, attempts=(attempt,)
    )
    started = {"first_started_ms": at_ms + 40, "finished_ms": at_ms + 2040}
    return PastRun(replace(run, **(started | others)), name, 0.000001)


def reported(
    source: dict[str, Any], *pages: Any, history: MemoryRunHistory | None = None, **given: Any
) -> tuple[Outcome, list[list[str]]]:
    """The outcome of a report of runs, and the rows of its file."""
    outputs, section = MemoryOutputs(), given.pop("section", {})
    sections = [{"title": "Runs", "source": {"kind": "runs", **source}, **section}]
    config = {"title": "Runs", "format": "csv", "sections": sections}
    call = call_of("report", config, outputs=outputs, history=history or MemoryRunHistory(*pages), **given)
    found = perform(call, "report")
    return found, list(csv.reader(io.StringIO(outputs.files.get("report.csv", b"").decode())))


def test_each_run_is_a_row() -> None:
    failed = past(1, RunStatus.FAILED)
    skipped = past(
        2,
        RunStatus.SKIPPED,
        None,
        first_started_ms=None,
        finished_ms=None,
        skip_reason="overlap",
        attempts=(),
        attempt=0,
    )
    _, rows = reported({}, [failed], [], [skipped])
    assert [dict(zip(rows[0], row, strict=True)) for row in rows[1:]] == [
        {
            "job": "nightly",
            "status": "FAILED",
            "trigger": "schedule",
            "nominal_at": "2026-05-01T11:00:00Z",
            "started_at": "2026-05-01T11:00:00.040Z",
            "finished_at": "2026-05-01T11:00:02.040Z",
            "seconds": "2.0",
            "drift_ms": "40",
            "attempts": "1",
            "error_kind": "http_5xx",
            "error": "It said no.",
            "skip_reason": "",
            "cost_usd": "1e-06",
            "run_id": failed.run.id,
            "job_id": JOB,
        },
        dict.fromkeys(rows[0], "")
        | {
            "job": JOB,
            "status": "SKIPPED",
            "trigger": "schedule",
            "nominal_at": "2026-05-01T10:00:00Z",
            "attempts": "0",
            "skip_reason": "overlap",
            "cost_usd": "1e-06",
            "run_id": skipped.run.id,
            "job_id": JOB,
        },
    ]


def test_days_are_those_of_a_zone_and_none_is_left_out() -> None:
    runs = [past(13), past(13.5, RunStatus.FAILED), past(15), past(60, RunStatus.RUNNING, finished_ms=None)]
    _, rows = reported({"last": "P3D", "per": "day", "timezone": "Europe/Berlin"}, runs)
    shown = [
        [row[rows[0].index(name)] for name in ("day", "runs", "succeeded", "failed", "unfinished")]
        for row in rows[1:]
    ]
    assert shown == [
        ["2026-04-28", "0", "0", "0", "0"],
        ["2026-04-29", "1", "0", "0", "1"],
        ["2026-04-30", "1", "1", "0", "0"],
        ["2026-05-01", "2", "1", "1", "0"],
    ]


def test_sums_of_jobs_have_times_and_costs() -> None:
    slow = past(2, finished_ms=NOW - 2 * HOUR + 4040, first_started_ms=NOW - 2 * HOUR + 100)
    _, rows = reported({"per": "job"}, [past(1, name="b"), past(1), slow])
    sums = {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[1:]}
    assert list(sums) == ["b", "nightly"]
    wanted = {
        "runs": "2",
        "succeeded": "2",
        "mean_seconds": "2.97",
        "max_seconds": "3.94",
        "max_drift_ms": "100",
    }
    assert sums["nightly"].items() >= (wanted | {"cost_usd": "2e-06", "job_id": JOB}).items()


def test_no_run_is_an_empty_report_by_day_too() -> None:
    assert reported({"per": "day"}, [])[0] == Succeeded(
        {"rows": [0], "output": {"name": "report.csv", "bytes": 113}}
    )


@pytest.mark.parametrize(
    ("source", "start", "end"),
    [
        ({}, NOW - DAY, NOW),
        ({"last": "PT6H"}, NOW - 6 * HOUR, NOW),
        ({"last": "P1D", "until": "2026-04-30T12:00:00Z"}, NOW - 2 * DAY, NOW - DAY),
        ({"from": "2026-04-29T12:00:00Z"}, NOW - 2 * DAY, NOW),
        ({"from": "2026-04-29T12:00:00Z", "until": "2026-04-30T14:00:00+02:00"}, NOW - 2 * DAY, NOW - DAY),
    ],
    ids=str,
)
def test_a_window_ends_where_it_says_or_at_the_nominal_time(
    source: dict[str, Any], start: int, end: int
) -> None:
    history = MemoryRunHistory()
    reported(source, history=history)
    assert [(each.start_ms, each.end_ms) for each in history.wanted] == [(start, end)]


def test_what_the_source_names_is_asked_for() -> None:
    history = MemoryRunHistory()
    named = {
        "jobs": [JOB],
        "names": ["a"],
        "tags": {"team": None},
        "status": ["FAILED"],
        "trigger": ["manual"],
    }
    reported(named, history=history)
    wanted = WantedRuns(NOW - DAY, NOW, (JOB,), ("a",), {"team": None}, (RunStatus.FAILED,), ("manual",))
    assert history.wanted == [wanted]


@pytest.mark.parametrize(
    ("source", "pages", "section", "said"),
    [
        ({}, [TooManyRuns()], {}, "more than 100,000 runs to look at"),
        ({}, [[past(1)] * 3], {"max_rows": 2}, "more than 2 rows"),
        ({"from": "2020-01-01T00:00:00Z"}, [], {}, "wider than 400 days"),
    ],
    ids=["looked at", "rows", "window"],
)
def test_what_is_too_much_is_told(
    source: dict[str, Any], pages: list[Any], section: dict[str, Any], said: str
) -> None:
    found, _ = reported(source, *pages, section=section)
    assert isinstance(found, Failed)
    assert (found.kind, found.retryable) == ("output", False)
    assert said in found.message


def test_a_table_that_does_not_answer_is_tried_again() -> None:
    found, _ = reported({}, Unavailable("DynamoDB did not answer."))
    assert found == Failed("unknown", "Runs: the runs cannot be read now. DynamoDB did not answer.")


def test_time_is_looked_at_between_pages_that_hold_nothing() -> None:
    stop = Contact()
    stop.want()
    found, _ = reported({}, [], [past(1)], stop=stop)
    assert isinstance(found, Failed)
    assert found.kind == "timeout"
