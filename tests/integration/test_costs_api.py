"""Estimates and sums of costs over HTTP, on DynamoDB as moto knows it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.domain.ids import run_id
from chalicelib.domain.run import Run, RunStatus
from tests.support.api import HTTP_JOB, ApiClient
from tests.support.memory import FakeClock
from tests.support.world import NOON

DAY = 86_400_000
UNKNOWN = "job_" + "0" * 26


def job(schedule: object, **fields: object) -> dict[str, object]:
    return {**HTTP_JOB, "schedule": schedule, **fields}


@pytest.mark.parametrize(
    ("schedule", "runs", "counted", "why"),
    [
        ("0 12 * * *", 29, True, "daily at noon, now not included"),
        ("* * * * *", 43_199, True, "each minute"),
        ({"kind": "interval", "every": 1}, 2_592_000, False, "each second: as it began"),
        ({"kind": "once", "at": "2027-01-16T00:00:00Z"}, 1, True, "once"),
        ({"kind": "once", "at": "2028-01-16T00:00:00Z"}, 0, True, "not in these 30 days"),
        ({"kind": "manual"}, 0, True, "never by itself"),
        (["0 6 * * *", "0 18 * * *"], 60, True, "two schedules"),
    ],
)
def test_an_estimate_counts_the_occurrences_of_thirty_days(
    api: ApiClient, schedule: object, runs: int, counted: bool, why: str
) -> None:
    found = api.post("/jobs/estimate", job(schedule)).json
    assert (found["runs"], found["counted"]) == (pytest.approx(runs, abs=2), counted), why
    assert (found["from_at"], found["until_at"]) == ("2027-01-15T12:00:00Z", "2027-02-14T12:00:00Z")


def test_an_estimate_has_bounds_that_add_up(api: ApiClient) -> None:
    found = api.post("/jobs/estimate?seconds=2", job("*/5 * * * *")).json
    low, high = found["at_least"], found["at_most"]
    assert 0 < low["usd"] < high["usd"]
    for bound in (low, high):
        assert sum(item["usd"] for item in bound["items"]) == pytest.approx(bound["usd"], abs=1e-5)
        assert bound["usd"] == pytest.approx(found["runs"] * bound["usd_per_run"], rel=1e-3)
    assert any("2 s" in each for each in found["assumptions"])


def test_a_longer_attempt_costs_more_and_a_calendar_less(api: ApiClient) -> None:
    short, long_ = (
        api.post(f"/jobs/estimate?seconds={seconds}", job("0 * * * *")).json["at_most"]["usd"]
        for seconds in (0.1, 60)
    )
    assert long_ > 10 * short
    assert (
        api.post("/calendars", {"name": "weekdays", "excluded": {"weekdays": ["SAT", "SUN"]}}).status == 201
    )
    weekly = job("0 * * * *", calendar={"name": "weekdays", "on_excluded": "skip"})
    assert api.post("/jobs/estimate", weekly).json["runs"] < 24 * 23


def test_an_estimate_saves_nothing(api: ApiClient) -> None:
    api.post("/jobs/estimate", job("0 * * * *"))
    assert api.get("/jobs").json["items"] == []


@pytest.mark.parametrize(
    ("path", "body", "pointers"),
    [
        ("/jobs/estimate", job("0 0 30 2 *"), {"/schedule"}),
        ("/jobs/estimate", {"name": "x"}, {"/type"}),
        ("/jobs/estimate", job("0 * * * *", calendar={"name": "gone"}), {"/calendar"}),
        ("/jobs/estimate?seconds=-1", job("0 * * * *"), {"/query/seconds"}),
        ("/jobs/estimate?seconds=nan", job("0 * * * *"), {"/query/seconds"}),
        ("/jobs/estimate?seconds=9999", job("0 * * * *"), {"/query/seconds"}),
        ("/jobs/estimate?minutes=1", job("0 * * * *"), {"/query/minutes"}),
    ],
)
def test_what_could_not_be_saved_cannot_be_estimated(
    api: ApiClient, path: str, body: object, pointers: set[str]
) -> None:
    answer = api.post(path, body)
    assert answer.status == 422
    assert {each for pointer in pointers for each in answer.pointers if each.startswith(pointer)}, answer.text


def ended(job_id: str, at: int, **fields: object) -> Run:
    run = Run(run_id(job_id, at), "local", job_id, RunStatus.SUCCEEDED, "schedule", at, at, 1)
    return replace(run, starts=1, attempt=1, mb_ms=256_000, shares=1000, **fields)  # type: ignore[arg-type]


@pytest.fixture
def with_runs(api: ApiClient, clock: FakeClock, kept: Callable[[Run], Run]) -> str:
    """A job with five daily runs, the last of them now."""
    job_id = str(api.create(type="dummy", config={}, schedule="0 12 * * *")["id"])
    for day in range(5):
        kept(ended(job_id, NOON + day * DAY))
    clock.ms = NOON + 4 * DAY + 1
    return job_id


def test_what_runs_have_cost_is_summed_up(api: ApiClient, with_runs: str) -> None:
    found = api.get(f"/jobs/{with_runs}/cost").json
    assert (found["runs"], found["attempts"], found["next_cursor"]) == (5, 5, None)
    one = api.get(f"/runs/{run_id(with_runs, NOON)}").json["cost"]
    assert found["usd"] == pytest.approx(5 * one["usd"], abs=1e-6)
    assert one["gb_seconds"] == pytest.approx(0.25, abs=0.01)
    assert sum(item["usd"] for item in found["items"]) == pytest.approx(found["usd"], abs=1e-5)


def test_a_sum_may_be_taken_in_parts(api: ApiClient, with_runs: str) -> None:
    runs, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/jobs/{with_runs}/cost?limit=2{cursor}").json
        runs.append(page["runs"])
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert runs == [2, 2, 1]


def test_a_sum_has_the_runs_of_its_window_only(api: ApiClient, with_runs: str) -> None:
    window = "from=2027-01-16T12:00:00Z&to=2027-01-18T12:00:00Z"
    assert api.get(f"/jobs/{with_runs}/cost?{window}").json["runs"] == 2
    assert (
        api.get(f"/jobs/{with_runs}/cost?from=2026-12-20T00:00:00Z&to=2026-12-21T00:00:00Z").json["runs"] == 0
    )


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/jobs/{UNKNOWN}/cost", 404, "not_found"),
        ("/jobs/nonsense/cost", 404, "not_found"),
        (f"/jobs/{UNKNOWN}/cost?limit=0", 422, "invalid"),
        (f"/jobs/{UNKNOWN}/cost?cursor=x", 422, "invalid"),
        (f"/jobs/{UNKNOWN}/cost?from=2027-01-02T00:00:00Z&to=2027-01-01T00:00:00Z", 422, "invalid"),
        (f"/jobs/{UNKNOWN}/cost?from=2020-01-02T00:00:00Z", 422, "invalid"),
    ],
)
def test_what_cannot_be_summed_up_says_why(api: ApiClient, path: str, status: int, code: str) -> None:
    answer = api.get(path)
    assert (answer.status, answer.json["code"]) == (status, code)
