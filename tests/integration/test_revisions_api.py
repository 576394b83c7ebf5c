"""Revisions over HTTP, on DynamoDB as moto knows it."""

import json
from typing import Any

import pytest

from chalicelib.engine.core import Engine
from chalicelib.engine.ledger.revisions import KEPT_DAYS, read_revision, revision_key
from chalicelib.ports.table import Put
from tests.support.api import HTTP_JOB, ApiClient
from tests.support.memory import FakeClock
from tests.support.world import NOON

UNKNOWN = "job_" + "0" * 26
DAY = 86_400


def edited(api: ApiClient, clock: FakeClock) -> str:
    """A job renamed, rescheduled, paused and resumed, a minute each: its path."""
    url = f"/jobs/{api.create()['id']}"
    for change in (
        lambda: api.patch(url, {"name": "weekly"}),
        lambda: api.patch(url, {"schedule": {"timezone": "Asia/Tokyo"}}),
        lambda: api.post(f"{url}/pause"),
        lambda: api.post(f"{url}/resume"),
    ):
        clock.ms += 60_000
        assert change().status == 200
    return url


def test_each_change_is_a_revision_and_says_what_changed(api: ApiClient, clock: FakeClock) -> None:
    items = api.get(f"{edited(api, clock)}/revisions").json["items"]
    assert [(item["revision"], item["status"], item["changed"]) for item in items] == [
        (5, "active", ["/status"]),
        (4, "paused", ["/status"]),
        (3, "active", ["/schedule/timezone"]),
        (2, "active", ["/name"]),
        (1, "active", []),
    ]
    assert [item["saved_at"] for item in items][-2:] == ["2027-01-15T12:01:00Z", "2027-01-15T12:00:00Z"]
    assert {item["saved_by"] for item in items} == {"key_of_a_test"}


def test_a_change_that_changes_nothing_is_no_revision(api: ApiClient) -> None:
    url = f"/jobs/{api.create()['id']}"
    api.put(url, HTTP_JOB)
    assert len(api.get(f"{url}/revisions").json["items"]) == 1


def test_revisions_are_walked_page_by_page_and_each_still_says_what_changed(
    api: ApiClient, clock: FakeClock
) -> None:
    url = edited(api, clock)
    seen, cursor = list[tuple[int, list[str]]](), ""
    while cursor is not None:
        page = api.get(f"{url}/revisions?limit=2" + (f"&cursor={cursor}" if cursor else "")).json
        seen += [(item["revision"], item["changed"]) for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [(5, ["/status"]), (4, ["/status"]), (3, ["/schedule/timezone"]), (2, ["/name"]), (1, [])]


def test_a_revision_has_the_definition_of_its_time(api: ApiClient, clock: FakeClock) -> None:
    view = api.get(f"{edited(api, clock)}/revisions/1").json
    assert view["definition"]["name"] == HTTP_JOB["name"]
    assert view["definition"]["schedule"]["timezone"] == "Europe/Berlin"
    assert "tenant" not in json.dumps(view)


DIFFS: list[tuple[str, dict[str, Any], str]] = [
    ("3/diff", {"/schedule/timezone": ("Europe/Berlin", "Asia/Tokyo")}, "against the one before"),
    (
        "4/diff?against=1",
        {
            "/name": ("nightly", "weekly"),
            "/schedule/timezone": ("Europe/Berlin", "Asia/Tokyo"),
            "/status": ("active", "paused"),
        },
        "over several",
    ),
    ("1/diff?against=2", {"/name": ("weekly", "nightly")}, "backwards"),
    ("2/diff?against=2", {}, "with itself"),
    ("1/diff", {}, "the first has none before it"),
]


@pytest.mark.parametrize(("path", "expected", "reason"), DIFFS, ids=[row[2] for row in DIFFS])
def test_two_revisions_are_compared_place_by_place(
    api: ApiClient, clock: FakeClock, path: str, expected: dict[str, Any], reason: str
) -> None:
    answer = api.get(f"{edited(api, clock)}/revisions/{path}")
    found = {each["pointer"]: (each["before"], each["after"]) for each in answer.json["changes"]}
    assert found == expected, reason


@pytest.mark.parametrize("path", ["9", "0", "-1", "x", "1e3", "9" * 40, "2/diff?against=9", "9/diff", "²"])
def test_an_unknown_revision_is_not_found(api: ApiClient, clock: FakeClock, path: str) -> None:
    assert api.get(f"{edited(api, clock)}/revisions/{path}").status == 404


@pytest.mark.parametrize("path", ["revisions", "revisions/1", "revisions/1/diff"])
@pytest.mark.parametrize("job", [UNKNOWN, "nonsense", "run_" + "0" * 26])
def test_an_unknown_job_has_no_revisions(api: ApiClient, job: str, path: str) -> None:
    assert api.get(f"/jobs/{job}/{path}").status == 404


def test_a_rollback_is_a_new_revision_with_the_old_definition(api: ApiClient, clock: FakeClock) -> None:
    url = edited(api, clock)
    answer = api.post(f"{url}/rollback", {"revision": 1}, headers={"If-Match": '"5"'})
    assert (answer.status, answer.headers["ETag"]) == (200, '"6"')
    assert (answer.json["name"], answer.json["next_run_at"]) == (HTTP_JOB["name"], "2027-01-16T01:30:00Z")
    assert api.get(f"{url}/revisions/6/diff?against=1").json["changes"] == []


def test_a_rollback_of_a_paused_job_leaves_it_paused(api: ApiClient, clock: FakeClock) -> None:
    url = edited(api, clock)
    api.post(f"{url}/pause")
    assert api.post(f"{url}/rollback", {"revision": 1}).json["status"] == "paused"


def test_a_rollback_to_what_the_job_is_changes_nothing(api: ApiClient, clock: FakeClock) -> None:
    url = edited(api, clock)
    assert api.post(f"{url}/rollback", {"revision": 3}).headers["ETag"] == '"5"'


def test_a_rollback_with_a_stale_etag_is_refused(api: ApiClient, clock: FakeClock) -> None:
    url = edited(api, clock)
    assert api.post(f"{url}/rollback", {"revision": 1}, headers={"If-Match": '"4"'}).status == 412


BAD_ROLLBACKS: list[tuple[Any, dict[str, str], str]] = [
    ({}, {"/revision": "required"}, "which one"),
    ({"revision": 9}, {"/revision": "unknown_revision"}, "never was"),
    ({"revision": 0}, {"/revision": "greater_than_equal"}, "counted from 1"),
    ({"revision": "1"}, {"/revision": "int_type"}, "a number"),
    ({"revision": True}, {"/revision": "int_type"}, "true is no number"),
    ({"revision": 1, "name": "x"}, {"/name": "unknown_field"}, "nothing else"),
]


@pytest.mark.parametrize(("body", "problems", "reason"), BAD_ROLLBACKS, ids=[r[2] for r in BAD_ROLLBACKS])
def test_a_rollback_to_nowhere_is_refused(
    api: ApiClient, body: Any, problems: dict[str, str], reason: str
) -> None:
    answer = api.post(f"/jobs/{api.create()['id']}/rollback", body)
    assert (answer.status, answer.pointers) == (422, problems), reason


def test_a_rollback_to_what_is_not_valid_any_more_is_refused_and_says_why(
    api: ApiClient, engine: Engine
) -> None:
    job_id = api.create()["id"]
    api.patch(f"/jobs/{job_id}", {"name": "weekly"})
    revision = read_revision(engine, "local", job_id, 1)
    assert revision
    pk, sk = revision_key("local", job_id, 1)
    outdated = {**revision.document, "config": {"method": "BREW"}, "colour": "red"}
    engine.db.catalog.write(Put({"pk": pk, "sk": sk, "doc": json.dumps(outdated)}))
    answer = api.post(f"/jobs/{job_id}/rollback", {"revision": 1})
    assert answer.status == 422
    told = " ".join(problem["message"] for problem in answer.json["errors"])
    assert {problem["pointer"] for problem in answer.json["errors"]} == {"/revision"}
    assert "/config/url" in told
    assert "/colour" in told
    assert api.get(f"/jobs/{job_id}/revisions/1").json["definition"]["colour"] == "red", (
        "it can still be read"
    )


def test_a_deleted_job_leaves_its_revisions_and_who_deleted_it_for_as_long_as_its_runs(
    api: ApiClient, engine: Engine, clock: FakeClock
) -> None:
    url = edited(api, clock)
    api.delete(url)
    items = api.get(f"{url}/revisions").json["items"]
    assert [(item["revision"], item["status"]) for item in items[:2]] == [(6, "deleted"), (5, "active")]
    assert api.post(f"{url}/rollback", {"revision": 1}).status == 404
    stored = engine.db.catalog.query(f"local#{url.rpartition('/')[2]}").items
    assert {item["expires_at"] for item in stored} == {clock.now_ms() // 1000 + 30 * DAY}


def test_a_followed_revision_expires_some_day_and_the_present_one_never(
    api: ApiClient, engine: Engine
) -> None:
    job_id = api.create()["id"]
    api.patch(f"/jobs/{job_id}", {"name": "weekly"})
    stored = engine.db.catalog.query(f"local#{job_id}", low="revision#").items
    assert [item.get("expires_at") for item in stored] == [NOON // 1000 + KEPT_DAYS * DAY, None]


def test_a_revision_saved_after_a_pause_has_ended_by_itself_is_active(
    api: ApiClient, clock: FakeClock
) -> None:
    url = f"/jobs/{api.create()['id']}"
    api.post(f"{url}/pause", {"note": "the movers are here", "until": "2027-01-15T13:00:00Z"})
    clock.ms += 2 * 3_600_000
    api.patch(url, {"name": "weekly"})
    newest = api.get(f"{url}/revisions").json["items"][0]
    assert (newest["status"], newest["changed"]) == (
        "active",
        ["/name", "/pause_note", "/paused_until", "/status"],
    )
