"""Jobs over HTTP, on DynamoDB and SQS as moto knows them."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.engine.core import Engine
from chalicelib.engine.records import decode_job, job_key
from chalicelib.engine.wheel.timers import JobTimer, decode_timer, partition
from chalicelib.executors import registry
from tests.support.api import HTTP_JOB, ApiClient
from tests.support.memory import FakeClock
from tests.support.plans import subscribe

UNKNOWN = "job_" + "0" * 26


def timers(engine: Engine) -> list[Any]:
    pages = [engine.db.timers.query(partition(shard)) for shard in range(engine.settings.shards)]
    return [decode_timer(item) for page in pages for item in page.items]


def test_a_created_job_is_answered_in_full_and_lies_in_the_catalog_with_its_first_timer(
    api: ApiClient, engine: Engine
) -> None:
    answer = api.post("/jobs", HTTP_JOB)
    assert answer.status == 201
    assert answer.headers["Location"] == f"/api/jobs/{answer.json['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert answer.json["jobId"] == answer.json["id"]
    assert answer.json["next_run_at"] == "2027-01-16T01:30:00Z"
    stored = engine.db.catalog.get(job_key("local", answer.json["id"]))
    assert stored
    job = decode_job(stored)
    assert timers(engine) == [JobTimer(job.shard, "local", job.id, 1, 1_800_063_000_000)]


def test_a_created_job_can_be_read_and_is_in_the_list(api: ApiClient) -> None:
    created = api.create()
    read = api.get(f"/jobs/{created['id']}")
    assert read.status == 200
    assert read.json == {name: value for name, value in created.items() if name not in ("jobId", "warnings")}
    assert api.get("/jobs").json == {"items": [read.json], "next_cursor": None}


def test_the_short_form_of_the_earlier_system_becomes_an_http_post(api: ApiClient) -> None:
    body = {"schedule": "31 10-15 1 * * MON-FRI", "api": "https://example.com/hook", "type": "ATLEAST_ONCE"}
    answer = api.post("/jobs", body)
    assert answer.status == 201
    assert answer.json["jobId"] == answer.json["id"]
    assert (answer.json["type"], answer.json["name"]) == ("http", "example.com/hook")
    assert answer.json["config"] == {"url": "https://example.com/hook", "method": "POST"}
    assert answer.json["next_run_at"] == "2027-01-18T01:10:31Z"


def test_an_occurrence_inside_the_horizon_is_rung_at_once(
    api: ApiClient, rung: Callable[[], list[str]], clock: FakeClock
) -> None:
    once = {"kind": "once", "at": "2027-01-15T12:00:01Z"}
    created = api.create(schedule=once)
    [message] = rung()
    assert created["id"] in message


def test_a_job_of_the_day_after_is_not_rung_yet(api: ApiClient, rung: Callable[[], list[str]]) -> None:
    api.create()
    assert rung() == []


def test_a_schedule_with_both_day_fields_is_saved_with_a_warning(api: ApiClient) -> None:
    created = api.create(schedule="0 9 13 * FRI")
    assert [warning["code"] for warning in created["warnings"]] == ["day_rule"]


BAD_JOBS: list[tuple[dict[str, Any], dict[str, str], str]] = [
    ({}, {"/name": "required", "/type": "required"}, "nothing"),
    ({**HTTP_JOB, "type": "teleport"}, {"/type": "unknown_type"}, "unknown type"),
    ({**HTTP_JOB, "schedule": "61 * * * *"}, {"/schedule": "cron_expression"}, "bad cron, as a string"),
    (
        {**HTTP_JOB, "schedule": {"kind": "cron", "expression": "* *"}},
        {"/schedule/expression": "cron_expression"},
        "cron",
    ),
    ({**HTTP_JOB, "schedule": "0 0 30 2 *"}, {"/schedule": "never_fires"}, "30 February"),
    (
        {**HTTP_JOB, "schedule": {"kind": "cron", "expression": "* * * * *", "timezone": "Mars/Olympus"}},
        {"/schedule/timezone": "unknown_time_zone"},
        "unknown zone",
    ),
    ({**HTTP_JOB, "schedule": {"kind": "lunar"}}, {"/schedule": "schedule_kind"}, "unknown kind"),
    ({**HTTP_JOB, "schedule": {"kind": "interval"}}, {"/schedule/every": "required"}, "interval of what"),
    ({**HTTP_JOB, "config": {}}, {"/config/url": "required"}, "no url"),
    ({**HTTP_JOB, "config": {"url": "ftp://example.com"}}, {"/config/url": "invalid"}, "not http"),
    (
        {**HTTP_JOB, "config": {"url": "https://example.com", "query": {"a/b": {}}}},
        {"/config/query/a~1b": "wrong_type"},
        "a slash in a name is escaped",
    ),
    ({**HTTP_JOB, "config": []}, {"/config": "wrong_type"}, "config is no object"),
    (
        {**HTTP_JOB, "id": "job_1", "revision": 7},
        {"/id": "unknown_field", "/revision": "unknown_field"},
        "ours to set",
    ),
    ({**HTTP_JOB, "tenant": "other"}, {"/tenant": "unknown_field"}, "protected"),
    (
        {**HTTP_JOB, "timeout_seconds": 1e9},
        {"/timeout_seconds": "less_than_equal"},
        "longer than a worker lives",
    ),
    (
        {**HTTP_JOB, "retry": {"retry_on": ["http_5xx", "moon"]}},
        {"/retry/retry_on/1": "unknown_value"},
        "second item",
    ),
    ({**HTTP_JOB, "rate": {"per_seconds": 1}}, {"/rate/limit": "required"}, "a rate of what"),
    (
        {**HTTP_JOB, "rate": {"limit": 0, "per_seconds": 86_401, "burst": 1001}},
        {
            "/rate/limit": "greater_than_equal",
            "/rate/per_seconds": "less_than_equal",
            "/rate/burst": "less_than_equal",
        },
        "rates have bounds",
    ),
    ({**HTTP_JOB, "priority": "urgent"}, {"/priority": "unknown_value"}, "no such priority"),
    (
        {"schedule": "* * * * *", "api": "nowhere", "type": "ATLEAST_ONCE"},
        {"/api": "invalid"},
        "short form's field",
    ),
    (
        {"schedule": "* * * * *", "api": "https://example.com", "type": "EXACTLY_ONCE"},
        {"/type": "unknown_type"},
        "short",
    ),
    (
        {"api": "https://example.com", "type": "ATLEAST_ONCE"},
        {"/schedule": "required"},
        "short form without schedule",
    ),
]


@pytest.mark.parametrize(("body", "problems", "reason"), BAD_JOBS, ids=[row[2] for row in BAD_JOBS])
def test_each_bad_field_of_a_job_is_named_by_its_pointer(
    api: ApiClient, body: dict[str, Any], problems: dict[str, str], reason: str
) -> None:
    answer = api.post("/jobs", body)
    assert (answer.status, answer.pointers) == (422, problems), reason


def test_all_that_is_wrong_with_a_job_is_told_at_once(api: ApiClient) -> None:
    answer = api.post(
        "/jobs", {"type": "http", "config": {"method": "BREW"}, "schedule": "x", "colour": "red"}
    )
    assert set(answer.pointers) == {"/name", "/config/url", "/config/method", "/schedule", "/colour"}


def test_a_refusal_names_the_job_types_that_there_are(api: ApiClient) -> None:
    answer = api.post("/jobs", {**HTTP_JOB, "type": "teleport"})
    assert f"Known are: {', '.join(registry.types())}." in answer.json["errors"][0]["message"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("identifier", [UNKNOWN, "nonsense", "run_" + "0" * 26, "job_%00", "a" * 2000])
def test_an_unknown_job_is_not_found(api: ApiClient, method: str, identifier: str) -> None:
    body = {"PUT": HTTP_JOB, "PATCH": {"name": "x"}}.get(method)
    answer = api(method, f"/jobs/{identifier}", body)
    assert (answer.status, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize("action", ["pause", "resume", "trigger"])
def test_an_unknown_job_has_no_actions(api: ApiClient, action: str) -> None:
    assert api.post(f"/jobs/{UNKNOWN}/{action}").status == 404


def test_a_replaced_schedule_makes_older_messages_stale_and_sets_a_new_timer(
    api: ApiClient, engine: Engine
) -> None:
    created = api.create()
    answer = api.put(f"/jobs/{created['id']}", {**HTTP_JOB, "schedule": "0 3 * * *"})
    assert (answer.status, answer.headers["ETag"]) == (200, '"2"')
    assert answer.json["next_run_at"] == "2027-01-16T03:00:00Z"
    assert {timer.schedule_revision for timer in timers(engine)} == {1, 2}


def test_a_replaced_name_leaves_the_timers_alone(api: ApiClient, engine: Engine) -> None:
    created = api.create()
    answer = api.put(f"/jobs/{created['id']}", {**HTTP_JOB, "name": "weekly"})
    assert (answer.json["name"], answer.json["revision"]) == ("weekly", 2)
    assert [timer.schedule_revision for timer in timers(engine)] == [1]


def test_a_replacement_that_changes_nothing_keeps_the_revision(api: ApiClient) -> None:
    created = api.create()
    assert api.put(f"/jobs/{created['id']}", HTTP_JOB).json["revision"] == 1


PATCHES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"name": "weekly"}, {"name": "weekly"}, "one field"),
    (
        {"schedule": {"timezone": "Asia/Tokyo"}},
        {"next_run_at": "2027-01-15T17:30:00Z"},
        "inside the schedule",
    ),
    ({"schedule": "0 3 * * *"}, {"next_run_at": "2027-01-16T03:00:00Z"}, "a string replaces the schedule"),
    ({"schedule": {"kind": "manual"}}, {"next_run_at": None}, "another kind starts afresh"),
    (
        {"config": {"method": "PUT"}},
        {"config": {"url": "https://example.com/hook", "method": "PUT"}},
        "merged",
    ),
    ({"type": "dummy", "config": {}}, {"type": "dummy", "config": {}}, "another type starts afresh"),
    ({"tags": {"team": "a"}}, {"tags": {"team": "a"}}, "into an empty object"),
    ({"description": None}, {"description": ""}, "null gives the default back"),
]


@pytest.mark.parametrize(("patch", "expected", "reason"), PATCHES, ids=[row[2] for row in PATCHES])
@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "application/json"])
def test_a_merge_patch_changes_what_it_names(
    api: ApiClient, patch: dict[str, Any], expected: dict[str, Any], reason: str, media_type: str
) -> None:
    created = api.create()
    answer = api.patch(f"/jobs/{created['id']}", patch, media_type=media_type)
    assert answer.status == 200, reason
    assert {name: answer.json[name] for name in expected} == expected


def test_a_patch_that_leaves_a_job_invalid_is_refused_with_its_pointer(api: ApiClient) -> None:
    created = api.create()
    answer = api.patch(f"/jobs/{created['id']}", {"config": {"url": None}, "name": None})
    assert (answer.status, answer.pointers) == (422, {"/config/url": "required", "/name": "required"})


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "", {**HTTP_JOB, "name": "weekly"}),
        ("PATCH", "", {"name": "weekly"}),
        ("POST", "/pause", None),
        ("POST", "/resume", None),
        ("DELETE", "", None),
    ],
)
def test_a_change_with_a_stale_etag_is_refused_and_one_with_the_present_etag_is_not(
    api: ApiClient, method: str, path: str, body: Any
) -> None:
    url = f"/jobs/{api.create()['id']}{path}"
    for stale in ('"7"', 'W/"1"', "1", "*1"):
        assert api(method, url, body, headers={"If-Match": stale}).status == 412, stale
    assert api(method, url, body, headers={"If-Match": '"9", "1"'}).status in (200, 204)


def test_a_deleted_job_is_gone(api: ApiClient) -> None:
    url = f"/jobs/{api.create()['id']}"
    assert api.delete(url).status == 204
    assert api.get(url).status == 404
    assert api.delete(url).status == 404
    assert api.get("/jobs").json["items"] == []


def test_pausing_twice_is_pausing_once(api: ApiClient) -> None:
    url = f"/jobs/{api.create()['id']}"
    first, second = api.post(f"{url}/pause"), api.post(f"{url}/pause", {})
    assert (first.json["status"], first.json["next_run_at"], first.json["revision"]) == ("paused", None, 2)
    assert second.json == first.json


def test_a_resumed_job_takes_up_where_its_pause_began(
    api: ApiClient, clock: FakeClock, rung: Callable[[], list[str]]
) -> None:
    url = f"/jobs/{api.create(schedule='0 * * * *')['id']}"
    api.post(f"{url}/pause")
    clock.ms += 10_800_000 + 120_000
    answer = api.post(f"{url}/resume")
    assert (answer.json["status"], answer.json["next_run_at"]) == ("active", "2027-01-15T16:00:00Z")
    [message] = rung()
    assert "1800025200000" in message, "of the three missed hours the latest fires"


def test_resuming_an_active_job_changes_nothing(api: ApiClient) -> None:
    created = api.create()
    assert api.post(f"/jobs/{created['id']}/resume").json["revision"] == 1


@pytest.mark.parametrize("paused", [False, True])
def test_a_triggered_job_has_a_pending_run_which_is_rung_at_once(
    api: ApiClient, rung: Callable[[], list[str]], *, paused: bool
) -> None:
    url = f"/jobs/{api.create()['id']}"
    if paused:
        api.post(f"{url}/pause")
    answer = api.post(f"{url}/trigger")
    assert (answer.status, answer.json["status"], answer.json["trigger"]) == (202, "PENDING", "manual")
    assert answer.headers["Location"] == f"/api/runs/{answer.json['id']}"
    assert api.get(f"/runs/{answer.json['id']}").json == answer.json
    [message] = rung()
    assert answer.json["id"] in message


def test_two_triggers_of_one_moment_are_two_runs(api: ApiClient) -> None:
    url = f"/jobs/{api.create()['id']}"
    assert api.post(f"{url}/trigger").json["id"] != api.post(f"{url}/trigger").json["id"]


def test_upcoming_occurrences_are_those_of_the_schedule(api: ApiClient) -> None:
    url = f"/jobs/{api.create(schedule='0 9 * * *')['id']}"
    answer = api.get(f"{url}/upcoming?count=2")
    assert [item["nominal_at"] for item in answer.json["items"]] == [
        "2027-01-16T09:00:00Z",
        "2027-01-17T09:00:00Z",
    ]
    api.post(f"{url}/pause")
    assert api.get(f"{url}/upcoming").json["items"] == []


def test_a_list_of_jobs_is_walked_newest_first_page_by_page(api: ApiClient, clock: FakeClock) -> None:
    created = []
    for number in range(5):
        clock.ms += 1000
        created.append(api.create(name=f"job {number}")["id"])
    seen, cursor, pages = list[str](), "", 0
    while cursor is not None:
        page = api.get(f"/jobs?limit=2&cursor={cursor}" if cursor else "/jobs?limit=2").json
        seen += [job["id"] for job in page["items"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert (seen, pages) == (created[::-1], 3)


def test_a_list_of_jobs_is_filtered_by_status_and_type(api: ApiClient) -> None:
    http, dummy = api.create()["id"], api.create(type="dummy", config={})["id"]
    api.post(f"/jobs/{http}/pause")
    assert [job["id"] for job in api.get("/jobs?status=paused").json["items"]] == [http]
    assert [job["id"] for job in api.get("/jobs?type=dummy").json["items"]] == [dummy]
    assert api.get("/jobs?status=paused&type=dummy").json["items"] == []


def test_over_dynamodb_a_plan_keeps_the_eleventh_job_out_and_a_deleted_one_makes_room(
    api: ApiClient, engine: Engine
) -> None:
    subscribe(engine.db, "free")
    first, *_ = [api.create(name=f"job {number}")["id"] for number in range(10)]
    refused = api.post("/jobs", HTTP_JOB)
    assert (refused.status, refused.json["quota"]["used"]) == (403, 10)
    assert api.delete(f"/jobs/{first}").status == 204
    assert api.post("/jobs", HTTP_JOB).status == 201
    assert api.get("/tenant/usage").json["jobs"] == {"used": 10, "limit": 10}
