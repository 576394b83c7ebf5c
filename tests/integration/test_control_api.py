"""Pausing, skipping, triggering and idempotency keys over HTTP, on DynamoDB and SQS as moto knows them."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.ids import run_id
from chalicelib.domain.outcome import Failed
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.ledger.streak import streak_key
from chalicelib.engine.message import Delivery, RunMessage
from chalicelib.engine.running.work import Worker
from chalicelib.engine.wheel.timers import JobTimer, decode_timer, partition
from tests.support.api import HTTP_JOB, ApiClient, document
from tests.support.memory import FakeClock
from tests.support.world import NOON, Inline

UNKNOWN = "job_" + "0" * 26
HOURLY = {"schedule": "0 * * * *"}
LATER = "2027-01-15T15:30:00Z"
Rung = Callable[[], list[str]]


def job_timers(engine: Engine) -> list[JobTimer]:
    pages = [engine.db.timers.query(partition(shard)) for shard in range(engine.settings.shards)]
    found = [decode_timer(item) for page in pages for item in page.items]
    return [timer for timer in found if isinstance(timer, JobTimer)]


def test_a_pause_shows_its_note_and_its_end(api: ApiClient) -> None:
    url = f"/jobs/{api.create(**HOURLY)['id']}"
    answer = api.post(f"{url}/pause", {"note": "Inventory", "until": "2027-01-15T16:30:00+01:00"})
    assert (answer.status, answer.headers["ETag"], answer.json["status"]) == (200, '"2"', "paused")
    assert answer.json["pause"] == {
        "note": "Inventory",
        "cause": "request",
        "since": "2027-01-15T12:00:00Z",
        "until": LATER,
    }
    assert answer.json["next_run_at"] == "2027-01-15T16:00:00Z"
    assert api.get(url).json == answer.json
    assert api.get("/jobs").json["items"] == [answer.json]


def test_a_pause_with_an_end_parks_a_timer_until_then(api: ApiClient, engine: Engine) -> None:
    url = f"/jobs/{api.create(**HOURLY)['id']}"
    api.post(f"{url}/pause", {"until": LATER})
    [parked] = [timer for timer in job_timers(engine) if timer.schedule_revision == 2]
    assert (parked.nominal_ms, parked.due_ms) == (NOON + 3_600_000, NOON + 12_600_000)


def test_a_resumed_job_shows_no_pause(api: ApiClient) -> None:
    url = f"/jobs/{api.create(**HOURLY)['id']}"
    api.post(f"{url}/pause", {"note": "n"})
    answer = api.post(f"{url}/resume")
    assert (answer.json["status"], answer.json["pause"]) == ("active", None)


BAD_PAUSES: list[tuple[dict[str, Any], dict[str, str], str]] = [
    ({"note": "x" * 501}, {"/note": "string_too_long"}, "a note that is too long"),
    ({"note": 7}, {"/note": "wrong_type"}, "a note that is no text"),
    ({"until": "2027-01-15T12:00:00Z"}, {"/until": "not_in_future"}, "now is not the future"),
    ({"until": "2020-01-01T00:00:00Z"}, {"/until": "not_in_future"}, "the past"),
    ({"until": "2027-02-01"}, {"/until": "moment"}, "a day is no moment"),
    ({"until": "2027-02-01T00:00:00"}, {"/until": "moment_without_offset"}, "a moment without its offset"),
    ({"until": "9999-01-01T00:00:00Z"}, {"/until": "moment_out_of_range"}, "beyond all calendars"),
    ({"until": 1_800_000_000}, {"/until": "moment"}, "a number"),
    ({"till": LATER}, {"/till": "unknown_field"}, "another name"),
]


@pytest.mark.parametrize(("body", "problems", "reason"), BAD_PAUSES, ids=[row[2] for row in BAD_PAUSES])
def test_each_bad_field_of_a_pause_is_named(
    api: ApiClient, body: dict[str, Any], problems: dict[str, str], reason: str
) -> None:
    url = f"/jobs/{api.create()['id']}"
    answer = api.post(f"{url}/pause", body)
    assert (answer.status, answer.pointers) == (422, problems), reason
    assert api.get(url).json["status"] == "active"


def test_the_longest_note_is_kept(api: ApiClient) -> None:
    url = f"/jobs/{api.create()['id']}"
    assert api.post(f"{url}/pause", {"note": "ü" * 500}).json["pause"]["note"] == "ü" * 500


def test_skipped_occurrences_are_answered_marked_and_taken_back(api: ApiClient) -> None:
    url = f"/jobs/{api.create(**HOURLY)['id']}"
    answer = api.post(f"{url}/skip", {"count": 2})
    moments = ["2027-01-15T13:00:00Z", "2027-01-15T14:00:00Z"]
    assert (answer.status, answer.headers["ETag"], answer.json) == (200, '"2"', {"skipped": moments})
    items = api.get(f"{url}/upcoming?count=3").json["items"]
    assert [item["skip_reason"] for item in items] == ["skip_next", "skip_next", None]
    assert api.get(url).json["next_run_at"] == "2027-01-15T15:00:00Z"
    assert api.post(f"{url}/skip", {"count": 0}).json == {"skipped": []}
    assert api.get(url).json["next_run_at"] == moments[0]


BAD_SKIPS: list[tuple[Any, dict[str, str], str]] = [
    ({}, {"/count": "required"}, "how many"),
    ({"count": 101}, {"/count": "less_than_equal"}, "too many"),
    ({"count": -1}, {"/count": "greater_than_equal"}, "fewer than none"),
    ({"count": 1.5}, {"/count": "int_type"}, "no whole number"),
    ({"count": True}, {"/count": "int_type"}, "no number"),
    ({"count": "2"}, {"/count": "int_type"}, "a text"),
]


@pytest.mark.parametrize(("body", "problems", "reason"), BAD_SKIPS, ids=[row[2] for row in BAD_SKIPS])
def test_each_bad_field_of_a_skip_is_named(
    api: ApiClient, body: Any, problems: dict[str, str], reason: str
) -> None:
    answer = api.post(f"/jobs/{api.create()['id']}/skip", body)
    assert (answer.status, answer.pointers) == (422, problems), reason


def test_a_skip_needs_a_body(api: ApiClient) -> None:
    assert api.post(f"/jobs/{api.create()['id']}/skip").status == 415


def test_a_job_that_waits_to_be_resumed_has_nothing_to_skip(api: ApiClient) -> None:
    url = f"/jobs/{api.create()['id']}"
    api.post(f"{url}/pause")
    answer = api.post(f"{url}/skip", {"count": 1})
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert api.post(f"{url}/skip", {"count": 0}).status == 200


def test_a_manual_job_has_nothing_to_skip(api: ApiClient) -> None:
    url = f"/jobs/{api.create(schedule={'kind': 'manual'})['id']}"
    assert api.post(f"{url}/skip", {"count": 3}).json == {"skipped": []}


def test_a_skip_with_a_stale_etag_is_refused(api: ApiClient) -> None:
    url = f"/jobs/{api.create()['id']}/skip"
    assert api.post(url, {"count": 1}, headers={"If-Match": '"7"'}).status == 412
    assert api.post(url, {"count": 1}, headers={"If-Match": '"1"'}).status == 200


def test_an_unknown_job_has_no_occurrences_to_skip(api: ApiClient) -> None:
    assert api.post(f"/jobs/{UNKNOWN}/skip", {"count": 1}).status == 404


def test_a_trigger_takes_a_note_and_a_config_and_shows_them(api: ApiClient, rung: Rung) -> None:
    url = f"/jobs/{api.create()['id']}"
    body = {"config": {"method": "PUT", "headers": {"X-Day": "1"}}, "note": "Again, for Ada"}
    answer = api.post(f"{url}/trigger", body)
    assert (answer.status, answer.json["overrides"], answer.json["note"]) == (
        202,
        body["config"],
        body["note"],
    )
    assert api.get(f"/runs/{answer.json['id']}").json == answer.json
    assert [run["note"] for run in api.get(f"{url}/runs").json["items"]] == [body["note"]]
    [message] = rung()
    assert answer.json["id"] in message
    assert "X-Day" not in message


BAD_TRIGGERS: list[tuple[dict[str, Any], dict[str, str], str]] = [
    ({"config": {"method": "BREW"}}, {"/config/method": "unknown_value"}, "no method"),
    ({"config": {"url": None}}, {"/config/url": "required"}, "taken away"),
    ({"config": {"url": "ftp://example.com"}}, {"/config/url": "invalid"}, "not http"),
    ({"config": {"colour": "red"}}, {"/config/colour": "unknown_field"}, "unknown to the type"),
    ({"config": {"query": {"a": {}}}}, {"/config/query/a": "wrong_type"}, "deep inside"),
    ({"config": []}, {"/config": "wrong_type"}, "no object"),
    ({"config": {"body": "x" * 40_000}}, {"/config": "too_large"}, "too large"),
    ({"note": "x" * 501}, {"/note": "string_too_long"}, "a note that is too long"),
    ({"timeout_seconds": 1}, {"/timeout_seconds": "unknown_field"}, "only the config can be changed"),
]


@pytest.mark.parametrize(("body", "problems", "reason"), BAD_TRIGGERS, ids=[row[2] for row in BAD_TRIGGERS])
def test_each_bad_field_of_a_trigger_is_named(
    api: ApiClient, rung: Rung, body: dict[str, Any], problems: dict[str, str], reason: str
) -> None:
    url = f"/jobs/{api.create()['id']}"
    answer = api.post(f"{url}/trigger", body)
    assert (answer.status, answer.pointers) == (422, problems), reason
    assert (api.get(f"{url}/runs").json["items"], rung()) == ([], [])


BAD_NUMBERS = [("start_deadline_seconds", bad) for bad in (0, -1, 1.5, True, "60", 2_592_001)]
BAD_NUMBERS += [("pause_after_failures", bad) for bad in (0, -1, 1.5, True, "3", 1_001)]


@pytest.mark.parametrize(("field", "bad"), BAD_NUMBERS)
def test_deadlines_and_failures_are_whole_numbers_in_their_ranges(
    api: ApiClient, field: str, bad: Any
) -> None:
    answer = api.post("/jobs", {**HTTP_JOB, field: bad})
    assert (answer.status, list(answer.pointers)) == (422, [f"/{field}"])


def test_deadlines_and_failures_are_kept_and_null_by_default(api: ApiClient) -> None:
    created = api.create()
    assert (created["start_deadline_seconds"], created["pause_after_failures"]) == (None, None)
    created = api.create(start_deadline_seconds=60, pause_after_failures=3)
    shown = api.get(f"/jobs/{created['id']}").json
    assert (shown["start_deadline_seconds"], shown["pause_after_failures"]) == (60, 3)
    cleared = api.patch(f"/jobs/{created['id']}", {"pause_after_failures": None}).json
    assert cleared["pause_after_failures"] is None


def test_failures_in_a_row_are_counted_and_pause_the_job_on_dynamodb(
    api: ApiClient, engine: Engine, clock: FakeClock
) -> None:
    fields = {"retry": {"max_attempts": 1}, "pause_after_failures": 2, "schedule": "0 * * * *"}
    job_id = api.create(type="dummy", config={}, **fields)["id"]
    worker = Worker(engine, "fast", lambda _job, _run, _deadline, _stop: Failed("unknown", "No."), Inline())
    hours = [NOON + 3_600_000, NOON + 7_200_000]
    clock.ms = hours[1]
    messages = [RunMessage("local", job_id, 1, run_id(job_id, hour), hour, hour) for hour in hours]
    for message in [*messages, *messages]:
        deliveries = [Delivery(message.run_id, message.encode())]
        assert worker.work(deliveries, deadline=clock.monotonic() + 50) == []
    shown = api.get(f"/jobs/{job_id}").json
    assert (shown["status"], shown["pause"]["cause"]) == ("paused", "failures")
    counted = engine.db.runs.get(streak_key("local", job_id))
    assert counted
    assert counted["failures"] == 2
    assert api.post(f"/jobs/{job_id}/resume").json["pause"] is None


@pytest.fixture(params=["create", "trigger", "redrive", "backfill"])
def post(request: pytest.FixtureRequest, api: ApiClient) -> tuple[str, Any]:
    """A request that makes something: its path and body."""
    if request.param == "create":
        return "/jobs", HTTP_JOB
    if request.param == "trigger":
        return f"/jobs/{api.create()['id']}/trigger", {"note": "n"}
    if request.param == "backfill":
        stretch = {"start": "2027-01-14T00:00:00Z", "end": "2027-01-14T12:00:00Z"}
        return f"/jobs/{api.create()['id']}/backfills", stretch
    dead: Run = request.getfixturevalue("dead")
    assert dead.status is RunStatus.FAILED
    return f"/dead-letters/{dead.id}/redrive", None


def test_a_post_with_a_key_that_is_repeated_makes_one_thing(api: ApiClient, post: tuple[str, Any]) -> None:
    headers = {"Idempotency-Key": "5f0d"}
    first, second = (api.post(*post, headers=headers) for _ in range(2))
    assert (first.status // 100, second.status, second.json) == (2, first.status, first.json)
    assert second.headers["Location"] == first.headers["Location"]
    if "backfills" in post[0]:
        assert len(api.get(post[0]).json["items"]) == 1


def test_a_key_with_another_payload_is_refused(api: ApiClient) -> None:
    headers = {"Idempotency-Key": "5f0d"}
    api.post("/jobs", HTTP_JOB, headers=headers)
    answer = api.post("/jobs", {**HTTP_JOB, "name": "other"}, headers=headers)
    assert (answer.status, answer.json["code"]) == (422, "idempotency_key_reused")
    assert len(api.get("/jobs").json["items"]) == 1


def test_every_post_documents_the_header(api: ApiClient) -> None:
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            names = [each["name"] for each in operation.get("parameters", []) if each["in"] == "header"]
            assert ("Idempotency-Key" in names) is (method == "post"), (method, path)
            assert method != "post" or "400" in operation["responses"]
