"""Runs and dead letters over HTTP."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chalicelib.domain.ids import run_id
from chalicelib.domain.progress import Progress
from chalicelib.domain.run import Attempt, Run, RunStatus
from chalicelib.domain.trace import trace_id
from chalicelib.engine.core import Engine
from tests.support.api import ApiClient
from tests.support.memory import FakeClock
from tests.support.world import NOON

UNKNOWN = "run_" + "0" * 26
Keep = Callable[[Run], Run]


def some_run(job_id: str, nominal_ms: int = NOON, status: RunStatus = RunStatus.SUCCEEDED) -> Run:
    return Run(
        id=run_id(job_id, nominal_ms),
        tenant="local",
        job_id=job_id,
        status=status,
        trigger="schedule",
        nominal_ms=nominal_ms,
        due_ms=nominal_ms,
        schedule_revision=1,
    )


def test_a_finished_run_shows_its_times_its_drift_and_its_attempts(api: ApiClient, kept: Keep) -> None:
    job_id = api.create()["id"]
    error = {"kind": "http_5xx", "message": "The answer was 502.", "status": 502}
    run = kept(
        replace(
            some_run(job_id),
            attempt=2,
            first_started_ms=NOON + 12,
            started_ms=NOON + 10_000,
            finished_ms=NOON + 10_250,
            attempts=(
                Attempt(1, NOON + 12, NOON + 100, "failed", error, None),
                Attempt(2, NOON + 10_000, NOON + 10_250, "succeeded", None, {"status": 200}),
            ),
        )
    )
    answer = api.get(f"/runs/{run.id}")
    assert answer.status == 200
    shown = answer.json
    assert shown.pop("cost")["usd"] > 0
    assert shown.pop("trace_id") == trace_id(run.id, None)
    assert shown.pop("request_id") is None
    assert shown == {
        "id": run.id,
        "job_id": job_id,
        "status": "SUCCEEDED",
        "trigger": "schedule",
        "nominal_at": "2027-01-15T12:00:00Z",
        "scheduled_at": "2027-01-15T12:00:00Z",
        "started_at": "2027-01-15T12:00:00.012Z",
        "finished_at": "2027-01-15T12:00:10.250Z",
        "attempt": 2,
        "drift_ms": 12,
        "next_attempt_at": None,
        "waiting_at": None,
        "callback_by": None,
        "skip_reason": None,
        "cancel_requested_at": None,
        "progress": None,
        "note": None,
        "redrive_of": None,
        "redriven_as": None,
        "overrides": None,
        "attempts": [
            {
                "number": 1,
                "started_at": "2027-01-15T12:00:00.012Z",
                "finished_at": "2027-01-15T12:00:00.100Z",
                "outcome": "failed",
                "error": error,
                "result": None,
                "outputs": [],
            },
            {
                "number": 2,
                "started_at": "2027-01-15T12:00:10Z",
                "finished_at": "2027-01-15T12:00:10.250Z",
                "outcome": "succeeded",
                "error": None,
                "result": {"status": 200},
                "outputs": [],
            },
        ],
    }


def test_a_run_shows_how_far_it_has_come_also_in_lists(api: ApiClient, kept: Keep) -> None:
    job_id = api.create()["id"]
    run = kept(replace(some_run(job_id), progress=Progress(12.5, NOON, "two of sixteen", {"rows": 2})))
    shown = {"percent": 12.5, "message": "two of sixteen", "data": {"rows": 2}, "at": "2027-01-15T12:00:00Z"}
    assert api.get(f"/runs/{run.id}").json["progress"] == shown
    assert api.get("/runs").json["items"][0]["progress"] == shown


def test_a_running_run_shows_the_attempt_under_way(api: ApiClient, kept: Keep) -> None:
    running = replace(
        some_run(api.create()["id"], status=RunStatus.RUNNING),
        attempt=1,
        first_started_ms=NOON,
        started_ms=NOON,
    )
    [attempt] = api.get(f"/runs/{kept(running).id}").json["attempts"]
    assert (attempt["number"], attempt["outcome"], attempt["finished_at"]) == (1, "running", None)


def test_a_retrying_run_shows_when_its_next_attempt_is_due(api: ApiClient, kept: Keep) -> None:
    retrying = replace(
        some_run(api.create()["id"], status=RunStatus.RETRYING), attempt=1, retry_ms=NOON + 10_000
    )
    assert api.get(f"/runs/{kept(retrying).id}").json["next_attempt_at"] == "2027-01-15T12:00:10Z"


def test_a_skipped_run_shows_its_reason(api: ApiClient, kept: Keep) -> None:
    skipped = replace(some_run(api.create()["id"], status=RunStatus.SKIPPED), skip_reason="superseded")
    assert api.get(f"/runs/{kept(skipped).id}").json["skip_reason"] == "superseded"


@pytest.mark.parametrize(
    "identifier", [UNKNOWN, "nonsense", "job_" + "0" * 26, "RUN_" + "0" * 26, "x" * 3000]
)
@pytest.mark.parametrize("place", ["runs", "dead-letters"])
def test_an_unknown_run_is_not_found(api: ApiClient, identifier: str, place: str) -> None:
    answer = api.get(f"/{place}/{identifier}")
    assert (answer.status, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("name", ["runs", "executions"])
def test_a_job_lists_its_own_runs_latest_first_page_by_page(api: ApiClient, kept: Keep, name: str) -> None:
    job_id, other = api.create()["id"], api.create()["id"]
    mine = [kept(some_run(job_id, NOON + second * 1000)).id for second in range(5)]
    kept(some_run(other))
    first = api.get(f"/jobs/{job_id}/{name}?limit=3").json
    second = api.get(f"/jobs/{job_id}/{name}?limit=3&cursor={first['next_cursor']}").json
    assert [run["id"] for run in first["items"] + second["items"]] == mine[::-1]
    assert second["next_cursor"] is None


@pytest.mark.parametrize("path", ["/runs", "/executions"])
def test_all_runs_are_listed_latest_first_page_by_page(api: ApiClient, kept: Keep, path: str) -> None:
    jobs = [api.create()["id"] for _ in range(2)]
    runs = [kept(some_run(jobs[second % 2], NOON + second * 1000)).id for second in range(3)]
    seen, cursor, pages = list[str](), "", 0
    while cursor is not None:
        page = api.get(f"{path}?limit=2" + (f"&cursor={cursor}" if cursor else "")).json
        seen += [run["id"] for run in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert (seen, pages) == (runs[::-1], 2)


def failed_with(run: Run, kind: str, message: str) -> Run:
    attempt = Attempt(1, run.nominal_ms, run.nominal_ms + 1, "failed", {"kind": kind, "message": message})
    return replace(run, attempts=(attempt,))


@pytest.fixture
def several(api: ApiClient, kept: Keep) -> list[str]:
    """The job, and its runs of four seconds: one done, one failed, one too late, one triggered; other jobs' too."""
    job_id, other = api.create()["id"], api.create()["id"]
    failed = some_run(job_id, NOON + 1000, RunStatus.FAILED)
    late = some_run(job_id, NOON + 2000, RunStatus.TIMED_OUT)
    runs = [
        some_run(job_id, NOON),
        failed_with(replace(failed, dead=True), "http_5xx", "The answer was 502."),
        failed_with(replace(late, dead=True), "timeout", "It took too long."),
        replace(some_run(job_id, NOON + 3000), trigger="manual", note="Again for the Auditors"),
    ]
    kept(failed_with(replace(some_run(other, NOON + 1500, RunStatus.FAILED), dead=True), "timeout", "Late."))
    return [job_id, *(kept(run).id for run in runs)]


FILTERS = [
    ("", [4, 3, 2, 1]),
    ("sort=nominal_at", [1, 2, 3, 4]),
    ("status=failed,TIMED_OUT", [3, 2]),
    ("status=SUCCEEDED&sort=nominal_at", [1, 4]),
    ("trigger=manual,redrive", [4]),
    ("trigger=backfill", []),
    ("error_kind=timeout", [3]),
    ("error_kind=timeout,http_5xx&status=FAILED", [2]),
    ("text=auditors", [4]),
    ("text=answer was", [2]),
    ("from=2027-01-15T12:00:01Z", [4, 3, 2]),
    ("to=2027-01-15T12:00:01Z", [1]),
    ("from=2027-01-15T12:00:01Z&to=2027-01-15T13:00:03%2B01:00", [3, 2]),
    ("from=2027-01-15T12:00:01Z&to=2027-01-15T12:00:03Z&sort=nominal_at", [2, 3]),
    ("from=2027-01-16T00:00:00Z", []),
]


@pytest.mark.parametrize(("query", "places"), FILTERS)
def test_runs_are_filtered_and_sorted(
    api: ApiClient, several: list[str], query: str, places: list[int]
) -> None:
    job_id = several[0]
    for path in (f"/jobs/{job_id}/runs?", f"/runs?job={job_id}&"):
        found, cursor = list[str](), ""
        while cursor is not None:
            page = api.get(f"{path}limit=1&{query}" + (f"&cursor={cursor}" if cursor else "")).json
            found += [run["id"] for run in page["items"]]
            cursor = page["next_cursor"]
        assert found == [several[place] for place in places]


@pytest.mark.parametrize(("query", "places"), FILTERS)
def test_dead_letters_are_filtered_and_sorted_as_runs_are(
    api: ApiClient, several: list[str], query: str, places: list[int]
) -> None:
    found = api.get(f"/dead-letters?job={several[0]}&{query}").json["items"]
    assert [run["id"] for run in found] == [several[place] for place in places if place in (2, 3)]


def test_a_filtered_page_is_filled_from_further_back(api: ApiClient, kept: Keep) -> None:
    job_id = api.create()["id"]
    oldest = kept(some_run(job_id, NOON, RunStatus.FAILED)).id
    for second in range(1, 4):
        kept(some_run(job_id, NOON + second * 1000))
    for path in ("/runs", f"/jobs/{job_id}/runs"):
        page = api.get(f"{path}?status=FAILED&limit=2").json
        assert [run["id"] for run in page["items"]] == [oldest]


def test_the_runs_of_a_deleted_job_can_still_be_read(api: ApiClient, kept: Keep) -> None:
    job_id = api.create()["id"]
    run = kept(some_run(job_id))
    api.delete(f"/jobs/{job_id}")
    assert [item["id"] for item in api.get(f"/jobs/{job_id}/runs").json["items"]] == [run.id]


def test_a_job_that_never_was_has_no_list_of_runs(api: ApiClient) -> None:
    assert api.get("/jobs/job_" + "0" * 26 + "/runs").status == 404
    assert api.get("/jobs/nonsense/runs").status == 404
    assert api.get(f"/jobs/{api.create()['id']}/runs").json["items"] == []


def test_a_dead_letter_shows_why_it_died_and_what_it_would_do_again(api: ApiClient, dead: Run) -> None:
    shown = api.get(f"/dead-letters/{dead.id}").json
    assert (shown["id"], shown["status"], shown["job_name"], shown["job_type"]) == (
        dead.id,
        "FAILED",
        "nightly",
        "dummy",
    )
    assert shown["payload"] == {"outcome": "failure"}
    assert shown["error"] == {"kind": "http_5xx", "message": "The answer was 502.", "status": 502}
    [listed] = api.get("/dead-letters").json["items"]
    assert listed == {name: shown[name] for name in listed}


def test_a_run_that_is_not_dead_is_no_dead_letter(api: ApiClient, kept: Keep) -> None:
    run = kept(some_run(api.create()["id"]))
    assert api.get(f"/dead-letters/{run.id}").status == 404
    assert api.post(f"/dead-letters/{run.id}/redrive").status == 404
    assert api.delete(f"/dead-letters/{run.id}").status == 404


def test_a_redriven_dead_letter_becomes_a_new_run_of_the_same_occurrence(
    api: ApiClient, dead: Run, rung: Callable[[], list[str]]
) -> None:
    answer = api.post(f"/dead-letters/{dead.id}/redrive")
    again = answer.json
    assert (answer.status, answer.headers["Location"]) == (202, f"/api/runs/{again['id']}")
    assert (again["trigger"], again["status"], again["redrive_of"]) == ("redrive", "PENDING", dead.id)
    assert (again["nominal_at"], again["scheduled_at"]) == ("2027-01-15T11:59:00Z", "2027-01-15T12:00:00Z")
    assert api.get("/dead-letters").json["items"] == []
    assert api.get(f"/runs/{dead.id}").json["redriven_as"] == again["id"]
    [message] = rung()
    assert again["id"] in message


def test_a_dead_letter_is_redriven_once(api: ApiClient, dead: Run) -> None:
    api.post(f"/dead-letters/{dead.id}/redrive")
    answer = api.post(f"/dead-letters/{dead.id}/redrive")
    assert (answer.status, answer.json["code"]) == (409, "conflict")


def test_a_dead_letter_of_a_deleted_job_can_be_read_but_not_redriven(api: ApiClient, dead: Run) -> None:
    api.delete(f"/jobs/{dead.job_id}")
    assert api.get(f"/dead-letters/{dead.id}").json["job_name"] is None
    assert [item["job_name"] for item in api.get("/dead-letters").json["items"]] == [None]
    assert api.post(f"/dead-letters/{dead.id}/redrive").status == 409


def test_a_purged_dead_letter_leaves_the_list_and_stays_a_run(api: ApiClient, dead: Run) -> None:
    assert api.delete(f"/dead-letters/{dead.id}").status == 204
    assert api.get("/dead-letters").json["items"] == []
    assert api.delete(f"/dead-letters/{dead.id}").status == 404
    assert api.get(f"/runs/{dead.id}").json["status"] == "FAILED"


def test_dead_letters_are_listed_page_by_page(api: ApiClient, kept: Keep, dead: Run) -> None:
    older = kept(replace(some_run(dead.job_id, NOON - 120_000, RunStatus.TIMED_OUT), dead=True))
    first = api.get("/dead-letters?limit=1").json
    second = api.get(f"/dead-letters?limit=1&cursor={first['next_cursor']}").json
    assert [page["items"][0]["id"] for page in (first, second)] == [dead.id, older.id]
    assert second["next_cursor"] is None


def test_health_tells_of_the_tables_and_of_the_dispatcher(
    api: ApiClient, engine: Engine, clock: FakeClock
) -> None:
    tables = {"catalog": "ok", "timers": "ok", "runs": "ok"}
    unseen = {"state": "not_seen", "age_seconds": None, "groups": 4, "groups_alive": 0}
    silent = {"state": "not_seen", "behind_seconds": None, "findings_last_hour": 0, "findings_last_day": 0}
    assert api.get("/health").json["checks"] == {"tables": tables, "dispatcher": unseen, "auditor": silent}
    engine.db.timers.put_all([{"pk": "heartbeat", "sk": "dispatcher#00", "at_ms": clock.now_ms()}])
    clock.ms += 30_000
    assert api.get("/health").json["checks"]["dispatcher"] == {
        "state": "ok",
        "age_seconds": 30.0,
        "groups": 4,
        "groups_alive": 1,
    }
    clock.ms += 180_000
    late = api.get("/health")
    assert (late.status, late.json["status"]) == (200, "degraded")


def test_a_trigger_that_has_not_started_is_cancelled_at_once(api: ApiClient) -> None:
    run = api.post(f"/jobs/{api.create()['id']}/trigger").json
    answer = api.post(f"/runs/{run['id']}/cancel")
    assert answer.status == 200
    assert answer.json["status"] == "CANCELLED"
    assert answer.json["cancel_requested_at"] == answer.json["finished_at"] == "2027-01-15T12:00:00Z"
    assert api.get(f"/runs/{run['id']}").json == answer.json


def test_a_run_under_way_is_asked_to_stop(api: ApiClient, kept: Keep) -> None:
    run = kept(some_run(api.create()["id"], status=RunStatus.RUNNING))
    answer = api.post(f"/runs/{run.id}/cancel")
    assert answer.status == 202
    assert answer.json["status"] == "RUNNING"
    assert answer.json["cancel_requested_at"] == "2027-01-15T12:00:00Z"
    assert api.post(f"/runs/{run.id}/cancel").status == 202, "asking again is fine"


def test_a_run_that_is_over_cannot_be_cancelled(api: ApiClient, kept: Keep) -> None:
    run = kept(some_run(api.create()["id"]))
    refused = api.post(f"/runs/{run.id}/cancel")
    assert (refused.status, refused.json["code"]) == (409, "conflict")
    assert "SUCCEEDED" in refused.json["detail"]


def test_an_unknown_run_cannot_be_cancelled(api: ApiClient) -> None:
    assert api.post(f"/runs/{UNKNOWN}/cancel").status == 404


def test_a_run_of_a_job_that_is_gone_can_be_cancelled(api: ApiClient) -> None:
    job_id = api.create()["id"]
    run = api.post(f"/jobs/{job_id}/trigger").json
    api.delete(f"/jobs/{job_id}")
    assert api.post(f"/runs/{run['id']}/cancel").json["status"] == "CANCELLED"
