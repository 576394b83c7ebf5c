"""Bulk operations: what is meant, what becomes of each, and that one request's failure is not another's."""

from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.permissions import permissions_of
from chalicelib.features.bulk.service import BUDGET_MS
from chalicelib.identity.principal import Principal
from tests.support.api import ApiClient
from tests.support.interference import Interfered, interfered
from tests.support.principals import TENANT
from tests.support.world import World

KEY = {"Idempotency-Key": "k1"}
WEB = {"tags": {"team": "web"}}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def db(world: World) -> Interfered:
    return interfered(world)


@pytest.fixture
def api(world: World, db: Interfered) -> ApiClient:
    client = ApiClient(world.engine)
    for name, team in (("a", "web"), ("b", "web"), ("c", "data")):
        client.create(name=name, tags={"team": team})
    return client


def bulk(api: ApiClient, action: str, filter_: dict[str, Any], **more: Any) -> Any:
    answer = api.post("/jobs/bulk", {"action": action, "filter": filter_, **more})
    assert answer.status == 200, answer.text
    return answer.json


def outcomes(result: Any) -> dict[str, str]:
    return {item["name"]: item["outcome"] for item in result["items"]}


def names(api: ApiClient, query: str = "") -> set[str]:
    return {job["name"] for job in api.get(f"/jobs?{query}").json["items"]}


def test_the_jobs_that_are_meant_are_paused_and_then_resumed(api: ApiClient) -> None:
    assert outcomes(bulk(api, "pause", WEB, note="n")) == {"a": "done", "b": "done"}
    assert names(api, "status=paused") == {"a", "b"}
    assert api.get("/jobs?name=a").json["items"][0]["pause"]["note"] == "n"
    assert outcomes(bulk(api, "resume", {"all": True})) == {"a": "done", "b": "done", "c": "unchanged"}
    assert names(api, "status=paused") == set()


def test_jobs_are_deleted(api: ApiClient) -> None:
    result = bulk(api, "delete", WEB)
    assert [item["revision"] for item in result["items"]] == [None, None]
    assert names(api) == {"c"}


def test_jobs_are_tagged(api: ApiClient) -> None:
    change = {"set_tags": {"tier": "1"}, "remove_tags": ["team"]}
    assert outcomes(bulk(api, "tag", WEB, **change)) == {"a": "done", "b": "done"}
    assert names(api, "tags=tier=1") == {"a", "b"}
    assert outcomes(bulk(api, "tag", {"tags": {"tier": None}}, **change)) == {
        "a": "unchanged",
        "b": "unchanged",
    }


def test_each_triggered_job_has_its_run(api: ApiClient) -> None:
    for item in bulk(api, "trigger", WEB, note="again")["items"]:
        run = api.get(f"/runs/{item['run_id']}").json
        assert (run["job_id"], run["trigger"], run["note"]) == (item["job_id"], "manual", "again")


def test_a_dry_run_tells_and_changes_nothing(api: ApiClient) -> None:
    assert outcomes(bulk(api, "delete", WEB, dry_run=True)) == {"a": "would", "b": "would"}
    assert names(api) == {"a", "b", "c"}


def test_a_cursor_goes_on_and_belongs_to_what_was_asked(api: ApiClient) -> None:
    first = bulk(api, "pause", {"all": True}, limit=2)
    assert outcomes(first) == {"c": "done", "b": "done"}
    second = bulk(api, "pause", {"all": True}, limit=2, cursor=first["next_cursor"])
    assert (outcomes(second), second["next_cursor"]) == ({"a": "done"}, None)
    other = {"action": "delete", "filter": {"all": True}, "cursor": first["next_cursor"]}
    assert api.post("/jobs/bulk", other).pointers == {"/cursor": "bad_cursor"}


def test_one_that_fails_stops_no_other_and_says_why(api: ApiClient, db: Interfered) -> None:
    def fails() -> None:
        raise Unavailable("DynamoDB did not answer.")

    db.before, db.times = fails, 1
    result = bulk(api, "pause", {"all": True})
    assert (outcomes(result), result["failed"]) == ({"c": "failed", "b": "done", "a": "done"}, 1)
    error = result["items"][0]["error"]
    assert error == {"code": "unavailable", "message": "DynamoDB did not answer."}
    assert outcomes(bulk(api, "pause", {"all": True}))["c"] == "done"


def test_too_many_tags_are_that_jobs_failure(api: ApiClient) -> None:
    many = {f"t{number}": "" for number in range(50)}
    result = bulk(api, "tag", {"name": "a"}, set_tags=many)
    assert result["items"][0]["error"]["message"].startswith("It would have 51 tags")


def test_what_takes_long_is_cut_off_and_goes_on_by_its_cursor(
    api: ApiClient, world: World, db: Interfered
) -> None:
    db.before, db.times = lambda: world.clock.sleep(BUDGET_MS / 1000 + 1), 1
    first = bulk(api, "pause", {"all": True})
    assert outcomes(first) == {"c": "done"}
    rest = bulk(api, "pause", {"all": True}, cursor=first["next_cursor"])
    assert outcomes(rest) == {"b": "done", "a": "done"}


def test_a_request_that_comes_again_with_its_key_triggers_nothing_twice(
    api: ApiClient, db: Interfered
) -> None:
    body = {"action": "trigger", "filter": WEB}
    first = api.post("/jobs/bulk", body, headers=KEY)
    db.catalog.items.pop(("local#idempotency", "/jobs/bulk#k1"))  # as if the first had died before its answer
    second = api.post("/jobs/bulk", body, headers=KEY)
    third = api.post("/jobs/bulk", body, headers=KEY)
    assert first.json == second.json == third.json
    assert len(api.get("/runs").json["items"]) == 2
    assert third.headers["Idempotency-Replayed"] == "true"


def test_to_trigger_needs_the_permission_of_runs_too(world: World, api: ApiClient) -> None:
    keeper = Principal(
        TENANT, "key_of_a_test", "service", permissions_of("service", ["jobs:read", "jobs:operate"])
    )
    limited = ApiClient(world.engine, lambda _engine, _authorization: keeper)
    for dry_run in (True, False):
        refused = bulk(limited, "trigger", WEB, dry_run=dry_run)["items"]
        assert [item["error"]["code"] for item in refused] == ["forbidden", "forbidden"]
        assert "runs:write" in refused[0]["error"]["message"]
    assert api.get("/runs").json["items"] == []
    assert outcomes(bulk(limited, "pause", WEB)) == {"a": "done", "b": "done"}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"action": "pause", "filter": {}}, "a filter that names nothing"),
        ({"action": "pause"}, "no filter"),
        ({"action": "explode", "filter": WEB}, "no such action"),
        ({"action": "tag", "filter": WEB}, "no tags"),
        ({"action": "pause", "filter": WEB, "set_tags": {"a": "b"}}, "tags of another action"),
        ({"action": "delete", "filter": WEB, "note": "n"}, "a note of another action"),
        ({"action": "pause", "filter": WEB, "limit": 101}, "too many at once"),
        ({"action": "pause", "filter": {"color": "red"}}, "no such filter"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(api: ApiClient, body: dict[str, Any], why: str) -> None:
    assert api.post("/jobs/bulk", body).status == 422, why
