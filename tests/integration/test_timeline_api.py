"""Timelines over HTTP, on DynamoDB as moto knows it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.domain.ids import run_id
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.records import skips_of_job
from tests.support.api import ApiClient
from tests.support.memory import FakeClock
from tests.support.world import NOON

HOUR = 3_600_000
UNKNOWN = "job_" + "0" * 26
WINDOW = "from=2027-01-15T12:00:00Z&to=2027-01-15T18:00:00Z"


def hourly(api: ApiClient) -> str:
    return str(api.create(type="dummy", config={}, schedule="0 * * * *")["id"])


def test_a_timeline_tells_runs_skips_and_what_is_to_come(
    api: ApiClient, engine: Engine, clock: FakeClock, kept: Callable[[Run], Run]
) -> None:
    job_id = hourly(api)
    at = NOON + 3 * HOUR
    run = Run(run_id(job_id, at), "local", job_id, RunStatus.SUCCEEDED, "schedule", at, at, 1)
    kept(replace(run, attempt=1, first_started_ms=at, finished_ms=at + 500))
    skipped = {"pk": skips_of_job("local", job_id), "sk": f"{NOON + HOUR:015d}#misfire"}
    engine.db.runs.put_all([{**skipped, "last_ms": NOON + 2 * HOUR, "schedule_revision": 1}])
    clock.ms = at + 60_000
    told = api.get(f"/jobs/{job_id}/timeline?{WINDOW}").json
    assert [(item["nominal_at"][11:13], item["outcome"], item["reason"]) for item in told["items"]] == [
        ("13", "skipped", "misfire"),
        ("14", "skipped", "misfire"),
        ("15", "run", None),
        ("16", "upcoming", None),
        ("17", "upcoming", None),
    ]
    assert (told["items"][2]["run_id"], told["items"][2]["status"]) == (run.id, "SUCCEEDED")
    assert (told["from_at"], told["until_at"], told["gaps"]) == (
        "2027-01-15T12:00:00Z",
        "2027-01-15T18:00:00Z",
        [],
    )


def test_a_dense_timeline_is_walked_page_by_page(api: ApiClient) -> None:
    job_id = api.create(type="dummy", config={}, schedule="* * * * * *")["id"]
    url = f"/jobs/{job_id}/timeline?from=2027-01-15T12:00:00Z&to=2027-01-15T12:10:00Z&limit=250"
    seen, cursor, pages = list[str](), "", 0
    while cursor is not None:
        page = api.get(url + (f"&cursor={cursor}" if cursor else "")).json
        seen += [item["nominal_at"] for item in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert (len(seen), len(set(seen)), pages) == (599, 599, 3)
    assert seen == sorted(seen)


def test_without_a_window_it_is_the_day_before_and_the_day_after(api: ApiClient) -> None:
    told = api.get(f"/jobs/{hourly(api)}/timeline").json
    assert (told["from_at"], told["until_at"]) == ("2027-01-14T12:00:00Z", "2027-01-16T12:00:00Z")


def test_a_deleted_job_still_has_its_timeline(api: ApiClient, clock: FakeClock) -> None:
    job_id = hourly(api)
    clock.ms += 2 * HOUR + 1
    api.delete(f"/jobs/{job_id}")
    items = api.get(f"/jobs/{job_id}/timeline?{WINDOW}").json["items"]
    assert [item["nominal_at"][11:13] for item in items] == ["13", "14"]
    assert "deleted" in items[0]["explanation"]


def test_what_is_not_known_any_more_is_told_as_a_gap(
    api: ApiClient, engine: Engine, clock: FakeClock
) -> None:
    job_id = hourly(api)
    clock.ms += 2 * HOUR + 1
    api.patch(f"/jobs/{job_id}", {"name": "weekly"})
    engine.db.catalog.delete_all([(f"local#{job_id}", "revision#0000000001")])
    told = api.get(f"/jobs/{job_id}/timeline?{WINDOW}").json
    assert [item["nominal_at"][11:13] for item in told["items"]] == ["15", "16", "17"]
    [gap] = told["gaps"]
    assert (gap["from_at"], gap["until_at"]) == (None, "2027-01-15T14:00:00.001Z")


BAD_QUERIES: list[tuple[str, dict[str, str], str]] = [
    ("from=yesterday", {"/query/from": "moment"}, "no moment"),
    ("from=2027-01-15T12:00:00", {"/query/from": "moment_without_offset"}, "without an offset"),
    (
        "from=2027-01-15T12:00:00Z&to=2027-01-15T12:00:00Z",
        {"/query/to": "end_before_start"},
        "an empty window",
    ),
    ("from=2025-01-01T00:00:00Z&to=2027-01-01T00:00:00Z", {"/query/to": "window_too_wide"}, "two years"),
    ("limit=501", {"/query/limit": "less_than_equal"}, "too many"),
    ("limit=0", {"/query/limit": "greater_than_equal"}, "none"),
    ("cursor=abc", {"/query/cursor": "bad_cursor"}, "no cursor"),
    ("colour=red", {"/query/colour": "unknown_field"}, "unknown"),
    ("from_=2027-01-15T12:00:00Z", {"/query/from_": "unknown_field"}, "its name in the code is not its name"),
]


@pytest.mark.parametrize(("query", "problems", "reason"), BAD_QUERIES, ids=[row[2] for row in BAD_QUERIES])
def test_a_bad_question_is_refused(api: ApiClient, query: str, problems: dict[str, str], reason: str) -> None:
    answer = api.get(f"/jobs/{hourly(api)}/timeline?{query}")
    assert (answer.status, answer.pointers) == (422, problems), reason


def test_a_cursor_of_another_window_is_refused(api: ApiClient) -> None:
    url = f"/jobs/{hourly(api)}/timeline"
    cursor = api.get(f"{url}?{WINDOW}&limit=1").json["next_cursor"]
    assert api.get(f"{url}?from=2027-01-15T13:00:00Z&cursor={cursor}").status == 422


@pytest.mark.parametrize("job", [UNKNOWN, "nonsense", "run_" + "0" * 26])
def test_an_unknown_job_has_no_timeline(api: ApiClient, job: str) -> None:
    assert api.get(f"/jobs/{job}/timeline").status == 404


def test_a_calendar_shows_in_the_timeline_before_it_decides(api: ApiClient, clock: FakeClock) -> None:
    api.post("/calendars", {"name": "week", "excluded": {"weekdays": ["SAT", "SUN"]}})
    fields = {"type": "dummy", "config": {}, "schedule": "0 9 * * SAT,SUN"}
    window = "from=2027-01-16T00:00:00Z&to=2027-01-18T00:00:00Z"
    skipping = api.create(**fields, calendar="week")["id"]
    moving = api.create(**fields, calendar={"name": "week", "on_excluded": "next_allowed_day"})["id"]

    def told(job_id: str) -> list[tuple[str, str, str | None]]:
        items = api.get(f"/jobs/{job_id}/timeline?{window}").json["items"]
        return [(item["outcome"], item["scheduled_at"][5:16], item["reason"]) for item in items]

    excluded = ("upcoming", "01-16T09:00", "calendar"), ("upcoming", "01-17T09:00", "calendar")
    assert told(skipping) == list(excluded)
    assert told(moving) == [excluded[0], ("upcoming", "01-18T09:00", None)], "the later one takes the moment"
    clock.ms += 2 * 86_400_000
    assert [each[0] for each in told(skipping)] == ["skipped", "skipped"]
    assert [each[0] for each in told(moving)] == ["skipped", "upcoming"], "it is not late: it was moved"
