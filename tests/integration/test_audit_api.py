"""The audit trail over the API: what it tells, that it is found again, and that nobody can tamper with it."""

import csv
import hashlib
import io
import json
from typing import Any

import pytest

from chalicelib.engine.core import Engine
from chalicelib.identity.trail.entries import entry_key, head_key
from chalicelib.ports.table import Delete, Update
from tests.support.api import HTTP_JOB, ApiClient
from tests.support.memory import FakeClock
from tests.support.plans import subscribe
from tests.support.principals import TENANT, Asking, principal

SECRET = "correct-horse"


@pytest.fixture
def asking() -> Asking:
    return Asking(principal("owner", actor="user_ada"))


@pytest.fixture
def api(engine: Engine, asking: Asking) -> ApiClient:
    return ApiClient(engine, asking)


def items(api: ApiClient, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"/audit{query}").json["items"]
    return found


def verification(api: ApiClient, anchor: str = "") -> Any:
    return api.get("/audit/verification" + (f"?anchor={anchor}" if anchor else "")).json


def test_an_entry_tells_who_did_what_to_what_from_where_and_how_it_was_before(api: ApiClient) -> None:
    config = {"url": f"https://example.com/hook?api_key={SECRET}", "headers": {"Authorization": SECRET}}
    job_id = api.create(config=config)["id"]
    headers = {"User-Agent": "a test"}
    changed = {"name": "weekly", "config": {"headers": {"Authorization": f"{SECRET} 2"}}}
    assert api.patch(f"/jobs/{job_id}", changed, headers=headers).status == 200
    entry, first = items(api)
    assert first["changes"][0]["after"]["config"]["url"] == "https://example.com/hook?api_key=***"
    assert (entry["operation"], entry["outcome"], entry["status"]) == ("PATCH /jobs/{job_id}", "done", 200)
    assert (entry["actor"]["id"], entry["actor"]["role"]) == ("user_ada", "owner")
    assert entry["object"] == {"kind": "job", "id": job_id}
    assert (entry["origin"]["agent"], bool(entry["origin"]["address"])) == ("a test", True)
    assert entry["origin"]["request_id"]
    [change] = entry["changes"]
    assert (change["before"]["name"], change["after"]["name"]) == ("nightly", "weekly")
    assert change["after"]["config"]["headers"] == {"Authorization": "***"}
    assert "schedule" not in change["after"]
    assert api.get(f"/audit/{entry['seq']}").json == entry
    assert SECRET not in api.get("/audit/export").text


def test_a_repeat_a_trial_and_a_refusal_leave_no_entry(api: ApiClient) -> None:
    headers = {"Idempotency-Key": "k"}
    for _ in range(2):
        assert api.post("/jobs", HTTP_JOB, headers=headers).status == 201
    pause = {"action": "pause", "filter": {"all": True}}
    for _ in range(2):
        assert api.post("/jobs/bulk", pause, headers=headers).status == 200
    assert api.post("/jobs/bulk", {**pause, "dry_run": True}).status == 200
    assert api.post("/jobs", {"name": 1}).status == 422
    assert api.delete("/calendars/none").status == 404
    assert [entry["operation"] for entry in items(api)] == ["POST /jobs/bulk", "POST /jobs"]


def test_who_may_not_is_told(api: ApiClient, asking: Asking) -> None:
    asking.who = principal("viewer", actor="user_eve")
    assert api.post("/jobs", HTTP_JOB).status == 403
    assert api.get("/audit").status == 403
    asking.who = principal("admin")
    [entry] = items(api, "?outcome=refused")
    assert (entry["actor"]["id"], entry["code"]) == ("user_eve", "forbidden")


def test_another_tenant_has_a_trail_of_its_own(api: ApiClient, asking: Asking) -> None:
    api.create()
    cursor = api.get("/audit?limit=1").json
    asking.who = principal("owner", tenant="other")
    assert (items(api), cursor["next_cursor"]) == ([], None)
    assert api.get("/audit/1").json["code"] == "not_found"
    api.create()
    assert [entry["seq"] for entry in items(api)] == [1]
    assert verification(api)["verified_to"] == 1


def test_entries_are_found_by_what_they_tell_and_read_in_both_directions(
    api: ApiClient, asking: Asking, clock: FakeClock
) -> None:
    for name in ("a", "b"):
        api.post("/calendars", {"name": name})
        clock.ms += 60_000
    asking.who = principal("owner", actor="user_bob")
    job_id = api.create()["id"]
    api.post(f"/jobs/{job_id}/pause")
    expected = {
        "?actor=user_bob": [4, 3],
        "?operation=POST%20/calendars": [2, 1],
        "?kind=calendar&object=b": [2],
        f"?object={job_id}&sort=seq": [3, 4],
        "?from=2027-01-15T12:01:00Z&to=2027-01-15T12:02:00Z": [2],
        "?from=2027-01-15T12:01:00Z&sort=seq": [2, 3, 4],
        "?address=192.0.2.1": [],
        "?outcome=done": [4, 3, 2, 1],
    }
    assert {query: [entry["seq"] for entry in items(api, query)] for query in expected} == expected
    for sort, order in (("-seq", [4, 3, 2, 1]), ("seq", [1, 2, 3, 4])):
        page = api.get(f"/audit?limit=3&sort={sort}").json
        rest = items(api, f"?limit=3&sort={sort}&cursor={page['next_cursor']}")
        assert [entry["seq"] for entry in (*page["items"], *rest)] == order
    assert api.get("/audit?from=2027-01-15T12:00:00Z&to=2027-01-15T12:00:00Z").pointers == {
        "/query/to": "end_before_start"
    }
    assert [api.get(f"/audit/{seq}").status for seq in ("9", "0", "x", "9" * 13)] == [404] * 4


def test_an_exported_entry_is_what_its_hash_was_made_of(api: ApiClient) -> None:
    for name in ("a", "b", "c"):
        api.post("/calendars", {"name": name})
    first = api.get("/audit/export?limit=2&sort=seq")
    rest = api.get(f"/audit/export?limit=2&sort=seq&cursor={first.headers['Next-Cursor']}")
    assert "Next-Cursor" not in rest.headers
    lines = (first.text + rest.text).splitlines()
    assert [json.loads(line)["entry"]["seq"] for line in lines] == [1, 2, 3]
    before = "0" * 64
    for line in lines:
        row = json.loads(line)
        text = json.dumps(row["entry"], sort_keys=True, separators=(",", ":"))
        assert row["entry"]["previous"]["hash"] == before
        before = hashlib.sha256(text.encode()).hexdigest()
        assert row["hash"] == before


def test_a_table_of_entries_has_no_formulas(api: ApiClient) -> None:
    api.post("/calendars", {"name": "a"}, headers={"User-Agent": "=cmd|' /C calc'!A0"})
    answer = api.get("/audit/export?format=csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert (row["agent"][:2], row["operation"], row["seq"]) == ("'=", "POST /calendars", "1")


def test_a_trail_is_verified_in_parts_and_by_an_anchor(api: ApiClient) -> None:
    assert verification(api) == {
        **verification(api),
        "ok": True,
        "complete": True,
        "verified_from": None,
        "head": {"seq": 0, "hash": "0" * 64},
    }
    for name in ("a", "b"):
        api.post("/calendars", {"name": name})
    found = verification(api)
    assert (found["ok"], found["complete"], found["verified_to"], found["signed_to"]) == (True, True, 2, 2)
    api.post("/calendars", {"name": "c"})
    later = verification(api, found["anchor"])
    assert (later["ok"], later["verified_from"], later["verified_to"]) == (True, 2, 3)
    assert api.get("/audit/verification?anchor=1").status == 422


@pytest.mark.parametrize(
    ("writes", "code", "seq"),
    [
        ([("audit", Update(entry_key(TENANT, 2), {"doc": "{}"}))], "changed", 2),
        ([("audit", Delete(entry_key(TENANT, 2)))], "missing", 2),
        ([("audit", Delete(entry_key(TENANT, 3)))], "truncated", 3),
        ([("audit", Update(entry_key(TENANT, 2), {"expires_at": 1}))], "changed", 2),
        ([("catalog", Update(head_key(TENANT), {"seq": 1}))], "set_back", 2),
    ],
    ids=["changed", "taken out", "cut off", "expired", "head set back"],
)
def test_tampering_shows(api: ApiClient, engine: Engine, writes: Any, code: str, seq: int) -> None:
    for name in ("a", "b", "c"):
        api.post("/calendars", {"name": name})
    for name, write in writes:
        getattr(engine.db, name).write(write)
    found = verification(api)
    assert (found["ok"], found["problem"]["code"], found["problem"]["seq"]) == (False, code, seq)
    assert api.post("/calendars", {"name": "d"}).status == 201, "life goes on"
    assert verification(api)["ok"] == (code == "set_back"), "and what is gone stays gone"


def test_entries_are_shown_as_long_as_the_tenants_plan_says(
    api: ApiClient, engine: Engine, clock: FakeClock
) -> None:
    subscribe(engine.db, "free")
    for name in ("a", "b"):
        api.post("/calendars", {"name": name})
        clock.ms += 29 * 86_400_000
    assert [entry["seq"] for entry in items(api)] == [2]
    assert (api.get("/audit/1").status, api.get("/audit/2").status) == (404, 200)
    assert verification(api)["count"] == 2, "what lies there is verified, shown or not"
