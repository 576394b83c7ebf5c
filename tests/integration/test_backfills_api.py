"""Backfills over HTTP, on DynamoDB and SQS as moto knows them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.ids import run_id
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.backfills import advance
from chalicelib.engine.core import Engine
from tests.support.api import ApiClient
from tests.support.memory import FakeClock
from tests.support.world import NOON

HOUR = 3_600_000
UNKNOWN_JOB, UNKNOWN = "job_" + "0" * 26, "backfill_" + "0" * 26
MORNING = {"start": "2027-01-15T02:00:00Z", "end": "2027-01-15T12:00:00Z"}


def hourly(api: ApiClient, **fields: Any) -> str:
    return str(api.create(type="dummy", config={}, schedule="0 * * * *", **fields)["id"])


def past(job_id: str, hours: int, status: RunStatus) -> Run:
    at_ms = NOON - hours * HOUR
    return Run(run_id(job_id, at_ms), "local", job_id, status, "schedule", at_ms, at_ms, 1, attempt=1)


def test_a_backfill_is_accepted_begun_and_can_be_read(api: ApiClient, rung: Callable[[], list[str]]) -> None:
    job_id = hourly(api)
    answer = api.post(f"/jobs/{job_id}/backfills", {**MORNING, "max_active": 2})
    assert answer.status == 202
    assert answer.headers["Location"] == f"/api/backfills/{answer.json['id']}"
    view = api.get(f"/backfills/{answer.json['id']}")
    assert view.json == answer.json
    assert (view.json["status"], view.json["created_by"]) == ("running", "key_of_a_test")
    assert view.json["progress"] == {
        "total": 10,
        "examined": 2,
        "claimed": 2,
        "active": 2,
        "ended": {},
        "left_out": {},
    }
    assert len(rung()) == 2
    runs = [api.get(f"/runs/{identifier}").json for identifier in view.json["active_runs"]]
    assert [(run["status"], run["trigger"], run["nominal_at"]) for run in runs] == [
        ("PENDING", "backfill", "2027-01-15T02:00:00Z"),
        ("PENDING", "backfill", "2027-01-15T03:00:00Z"),
    ]


def test_a_dry_run_tells_what_would_run_and_why_the_rest_would_not_and_stores_nothing(
    api: ApiClient, kept: Callable[[Run], Run], rung: Callable[[], list[str]]
) -> None:
    job_id = hourly(api)
    done = kept(past(job_id, 3, RunStatus.SUCCEEDED))
    kept(past(job_id, 2, RunStatus.FAILED))
    body = {"start": "2027-01-15T09:00:00Z", "end": "2027-01-15T12:00:00Z", "dry_run": True}
    told = api.post(f"/jobs/{job_id}/backfills", body)
    assert (told.status, told.json["would_run"]) == (200, ["2027-01-15T10:00:00Z", "2027-01-15T11:00:00Z"])
    [left] = told.json["left_out"]
    assert (left["nominal_at"], left["why"], left["run_id"]) == (
        "2027-01-15T09:00:00Z",
        "succeeded",
        done.id,
    )
    assert api.get(f"/jobs/{job_id}/backfills").json["items"] == []
    assert rung() == []


@pytest.mark.parametrize("dead", [True, False], ids=["among the dead letters", "purged from them"])
def test_a_failed_run_is_done_again_by_another_that_names_it(
    api: ApiClient, kept: Callable[[Run], Run], dead: bool
) -> None:
    job_id = hourly(api)
    failed = kept(replace(past(job_id, 2, RunStatus.FAILED), dead=dead))
    begun = api.post(f"/jobs/{job_id}/backfills", {**MORNING, "start": "2027-01-15T10:00:00Z"}).json
    [again] = begun["active_runs"]
    assert api.get(f"/runs/{failed.id}").json["redriven_as"] == again
    assert api.get(f"/runs/{again}").json["redrive_of"] == failed.id
    assert api.get("/dead-letters").json["items"] == []


def test_it_goes_on_when_its_runs_have_ended(
    api: ApiClient, engine: Engine, kept: Callable[[Run], Run]
) -> None:
    job_id = hourly(api)
    begun = api.post(f"/jobs/{job_id}/backfills", {**MORNING, "limit": 3, "max_active": 2}).json
    for hours, identifier in zip((10, 9), begun["active_runs"], strict=True):
        kept(past(job_id, hours, RunStatus.SUCCEEDED))
        assert identifier == run_id(job_id, NOON - hours * HOUR)
    advance(engine, "local", begun["id"])
    view = api.get(f"/backfills/{begun['id']}").json
    assert (view["progress"]["claimed"], view["progress"]["ended"]) == (3, {"SUCCEEDED": 2})
    kept(past(job_id, 8, RunStatus.FAILED))
    advance(engine, "local", begun["id"])
    view = api.get(f"/backfills/{begun['id']}").json
    assert (view["status"], view["progress"]["ended"]) == ("completed", {"SUCCEEDED": 2, "FAILED": 1})


def test_a_cancelled_backfill_waits_for_what_is_active(api: ApiClient) -> None:
    begun = api.post(f"/jobs/{hourly(api)}/backfills", MORNING).json
    cancelled = api.post(f"/backfills/{begun['id']}/cancel")
    assert (cancelled.status, cancelled.json["status"]) == (200, "cancelling")
    assert cancelled.json["active_runs"] == begun["active_runs"]


def test_a_backfill_of_nothing_is_completed_at_once(api: ApiClient) -> None:
    job_id = hourly(api)
    answer = api.post(
        f"/jobs/{job_id}/backfills", {"start": "2027-01-15T10:30:00Z", "end": "2027-01-15T10:40:00Z"}
    )
    assert (answer.json["status"], answer.json["progress"]["total"]) == ("completed", 0)


def test_the_backfills_of_a_job_are_walked_newest_first_page_by_page(
    api: ApiClient, clock: FakeClock
) -> None:
    job_id, begun = hourly(api), list[str]()
    for _ in range(3):
        clock.ms += 1000
        begun.append(api.post(f"/jobs/{job_id}/backfills", MORNING).json["id"])
    first = api.get(f"/jobs/{job_id}/backfills?limit=2").json
    second = api.get(f"/jobs/{job_id}/backfills?limit=2&cursor={first['next_cursor']}").json
    assert [item["id"] for item in first["items"] + second["items"]] == begun[::-1]
    assert second["next_cursor"] is None


BAD_BACKFILLS: list[tuple[dict[str, Any], dict[str, str], str]] = [
    ({}, {"/start": "required", "/end": "required"}, "no time"),
    ({**MORNING, "start": "today"}, {"/start": "moment"}, "no moment"),
    ({**MORNING, "end": MORNING["start"]}, {"/end": "end_before_start"}, "nothing"),
    ({**MORNING, "end": "2027-01-15T12:00:00.001Z"}, {"/end": "in_the_future"}, "what is to come"),
    ({**MORNING, "limit": 0}, {"/limit": "greater_than_equal"}, "nothing"),
    ({**MORNING, "limit": 10_001}, {"/limit": "less_than_equal"}, "too much"),
    ({**MORNING, "max_active": 101}, {"/max_active": "less_than_equal"}, "too many at a time"),
    ({**MORNING, "max_active": True}, {"/max_active": "int_type"}, "no number"),
    ({**MORNING, "order": "random"}, {"/order": "unknown_value"}, "no order"),
    ({**MORNING, "reprocess": "some"}, {"/reprocess": "unknown_value"}, "no rule"),
    ({**MORNING, "dry_run": "yes"}, {"/dry_run": "bool_type"}, "no boolean"),
    ({**MORNING, "job_id": "x"}, {"/job_id": "unknown_field"}, "unknown"),
    ({**MORNING, "start": "2025-01-01T00:00:00Z"}, {"/end": "too_many_occurrences"}, "too much at once"),
]


@pytest.mark.parametrize(("body", "problems", "reason"), BAD_BACKFILLS, ids=[r[2] for r in BAD_BACKFILLS])
def test_a_bad_backfill_is_refused(
    api: ApiClient, body: dict[str, Any], problems: dict[str, str], reason: str
) -> None:
    answer = api.post(f"/jobs/{hourly(api)}/backfills", body)
    assert (answer.status, answer.pointers) == (422, problems), reason


@pytest.mark.parametrize("identifier", [UNKNOWN, "nonsense", UNKNOWN_JOB, "a" * 2000])
def test_an_unknown_backfill_is_not_found(api: ApiClient, identifier: str) -> None:
    assert api.get(f"/backfills/{identifier}").status == 404
    assert api.post(f"/backfills/{identifier}/cancel").status == 404


@pytest.mark.parametrize("job", [UNKNOWN_JOB, "nonsense"])
def test_an_unknown_job_has_no_backfills(api: ApiClient, job: str) -> None:
    assert api.get(f"/jobs/{job}/backfills").status == 404
    assert api.post(f"/jobs/{job}/backfills", MORNING).status == 404
