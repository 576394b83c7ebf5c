"""Whose a job is, who else may change it, and that every way to a job asks that."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.permissions import Role, permissions_of
from chalicelib.identity.keys import ApiKey, creation_writes
from chalicelib.identity.members import Member, member_puts
from chalicelib.identity.principal import Principal
from tests.support.api import Answer, ApiClient
from tests.support.principals import Asking, principal
from tests.support.world import NOON, World

ANN, BOB, EVE, ADMIN = ("user_" + letter * 26 for letter in "ABEZ")
THEIRS = "key_" + "4" * 26
ROLES: dict[str, Role] = {ANN: "editor", BOB: "viewer", EVE: "editor"}
MANUAL = {"schedule": {"kind": "manual"}}


@pytest.fixture
def world() -> World:
    world = World()
    for user, role in ROLES.items():
        for put in member_puts(Member("local", user, role, NOON)):
            world.db.catalog.write(put)
    for put in member_puts(Member("elsewhere", "user_" + "F" * 26, "owner", NOON)):
        world.db.catalog.write(put)
    theirs = ApiKey(THEIRS, "elsewhere", "theirs", "service", "0" * 64, NOON, "deployment")
    world.db.transact(*creation_writes(theirs))
    return world


@pytest.fixture
def asking() -> Asking:
    return Asking(principal())


@pytest.fixture
def api(world: World, asking: Asking) -> ApiClient:
    return ApiClient(world.engine, asking)


@pytest.fixture
def as_(api: ApiClient, asking: Asking) -> Callable[[str], ApiClient]:
    """The API as somebody uses it."""

    def let(user: str) -> ApiClient:
        asking.who = principal(ROLES.get(user, "owner"), actor=user)
        return api

    return let


@pytest.fixture
def job(as_: Callable[[str], ApiClient]) -> str:
    """One of Ann's."""
    found: str = as_(ANN).create(**MANUAL)["id"]
    return found


def settle(api: ApiClient, job: str, **wanted: Any) -> Answer:
    return api.put(f"/jobs/{job}/access", wanted)


def test_a_new_job_is_its_creators_and_open(as_: Callable[[str], ApiClient], job: str) -> None:
    assert as_(BOB).get(f"/jobs/{job}/access").json == {"owner": ANN, "restricted": False, "grants": {}}
    shown = as_(BOB).get(f"/jobs/{job}").json
    assert (shown["owner"], shown["restricted"]) == (ANN, False)


def test_a_viewer_operates_the_job_that_was_granted_and_no_other(
    as_: Callable[[str], ApiClient], job: str
) -> None:
    other = as_(ANN).create(**MANUAL)["id"]
    assert settle(as_(ANN), job, grants={BOB: "operator"}).status == 200
    run = as_(BOB).post(f"/jobs/{job}/trigger")
    assert run.status == 202
    assert as_(BOB).post(f"/runs/{run.json['id']}/cancel").status == 200
    assert as_(BOB).post(f"/jobs/{other}/trigger").status == 403
    assert as_(BOB).patch(f"/jobs/{job}", {"name": "mine"}).status == 403


def test_a_grant_that_is_taken_back_ends_at_once(as_: Callable[[str], ApiClient], job: str) -> None:
    settle(as_(ANN), job, grants={BOB: "operator"})
    key = {"Idempotency-Key": "k1"}
    assert as_(BOB).post(f"/jobs/{job}/pause", headers=key).status == 200
    settle(as_(ANN), job)
    assert as_(BOB).post(f"/jobs/{job}/pause", headers=key).status == 403


CHANGES: list[tuple[str, str, Any]] = [
    ("PATCH", "/jobs/{job}", {"name": "mine"}),
    ("PUT", "/jobs/{job}", {"name": "mine", "type": "dummy"}),
    ("DELETE", "/jobs/{job}", None),
    ("POST", "/jobs/{job}/pause", None),
    ("POST", "/jobs/{job}/resume", None),
    ("POST", "/jobs/{job}/skip", {"count": 1}),
    ("POST", "/jobs/{job}/trigger", None),
    ("POST", "/jobs/{job}/rollback", {"revision": 1}),
    ("POST", "/jobs/{job}/backfills", {"start": "2027-01-01T00:00:00Z", "end": "2027-01-02T00:00:00Z"}),
    ("PUT", "/jobs/{job}/access", {}),
    ("POST", "/runs/{run}/cancel", None),
    ("POST", "/dead-letters/{run}/redrive", None),
    ("DELETE", "/dead-letters/{run}", None),
    ("POST", "/backfills/{backfill}/cancel", None),
]


def test_a_restricted_job_is_changed_in_no_way_by_another_editor(
    as_: Callable[[str], ApiClient], job: str
) -> None:
    run = as_(ANN).post(f"/jobs/{job}/trigger").json["id"]
    stretch = {"start": "2027-01-01T00:00:00Z", "end": "2027-01-02T00:00:00Z"}
    backfill = as_(ANN).post(f"/jobs/{job}/backfills", stretch).json["id"]
    settle(as_(ANN), job, restricted=True)
    before = as_(ANN).get(f"/jobs/{job}").text
    for method, path, body in CHANGES:
        answer = as_(EVE)(method, path.format(job=job, run=run, backfill=backfill), body)
        assert (answer.status, answer.json["code"]) == (403, "forbidden"), (method, path, answer.text)
    assert as_(EVE).get(f"/jobs/{job}").text == before


def test_many_at_once_and_an_import_ask_for_each_job(as_: Callable[[str], ApiClient], job: str) -> None:
    open_job = as_(ANN).create(name="open", **MANUAL)["id"]
    settle(as_(ANN), job, restricted=True)
    for dry_run, fine in ((True, "would"), (False, "done")):
        wanted = {"action": "pause", "filter": {"all": True}, "dry_run": dry_run}
        items = as_(EVE).post("/jobs/bulk", wanted).json["items"]
        assert {item["job_id"]: item["outcome"] for item in items} == {job: "failed", open_job: fine}
        assert [item["error"]["code"] for item in items if item["error"]] == ["forbidden"]
    definition = {"name": "nightly", "type": "dummy"}
    for dry_run in ("true", "false"):
        url = f"/jobs/import?on_conflict=replace&dry_run={dry_run}"
        (item,) = as_(EVE).post(url, {"jobs": [definition]}).json["items"]
        assert (item["outcome"], item["error"]["code"]) == ("failed", "forbidden")
    assert as_(EVE).get(f"/jobs/{job}").json["type"] == "http"


@pytest.mark.parametrize(
    ("action", "outcome"), [("pause", "done"), ("trigger", "done"), ("delete", "failed")]
)
def test_many_at_once_takes_what_one_of_them_does(
    api: ApiClient, asking: Asking, job: str, action: str, outcome: str
) -> None:
    asking.who = principal("operator", actor=BOB)
    items = api.post("/jobs/bulk", {"action": action, "filter": {"all": True}}).json["items"]
    assert [item["outcome"] for item in items] == [outcome]


def test_who_may_only_operate_sends_a_job_nowhere_else(as_: Callable[[str], ApiClient], job: str) -> None:
    settle(as_(ANN), job, grants={BOB: "operator"})
    elsewhere = {"config": {"url": "https://example.org/"}}
    assert as_(BOB).post(f"/jobs/{job}/trigger", elsewhere).status == 403
    assert as_(EVE).post(f"/jobs/{job}/trigger", elsewhere).status == 202


def test_a_job_is_given_away_and_an_admin_may_always_take_it_back(
    as_: Callable[[str], ApiClient], job: str
) -> None:
    assert settle(as_(ANN), job, owner=EVE, restricted=True).json["owner"] == EVE
    assert as_(ANN).patch(f"/jobs/{job}", {"name": "still mine"}).status == 403
    assert [each["id"] for each in as_(ANN).get(f"/jobs?owner={EVE}").json["items"]] == [job]
    assert settle(as_(EVE), job, restricted=True).json["owner"] == EVE, "left out, it stays"
    assert settle(as_(ADMIN), job, owner=ANN).json == {"owner": ANN, "restricted": False, "grants": {}}


def test_a_granted_editor_may_not_grant_further(as_: Callable[[str], ApiClient], job: str) -> None:
    settle(as_(ANN), job, grants={BOB: "editor"})
    assert as_(BOB).patch(f"/jobs/{job}", {"name": "ours"}).status == 200
    assert settle(as_(BOB), job, owner=BOB).status == 403


@pytest.mark.parametrize(
    ("wanted", "pointers"),
    [
        ({"owner": "somebody"}, {"/owner": "string_pattern_mismatch"}),
        ({"owner": "user_" + "F" * 26}, {"/owner": "unknown_principal"}),
        ({"grants": {"user_" + "F" * 26: "editor"}}, {"/grants/user_" + "F" * 26: "unknown_principal"}),
        ({"grants": {"key_" + "F" * 26: "editor"}}, {"/grants/key_" + "F" * 26: "unknown_principal"}),
        ({"grants": {THEIRS: "editor"}}, {"/grants/" + THEIRS: "unknown_principal"}),
        ({"grants": {BOB: "owner"}}, {"/grants/" + BOB: "unknown_value"}),
        ({"grants": {f"user_{n:026d}": "editor" for n in range(21)}}, {"/grants": "too_long"}),
        ({"restricted": "yes"}, {"/restricted": "bool_type"}),
        ({"tenant": "elsewhere"}, {"/tenant": "unknown_field"}),
    ],
)
def test_only_members_and_keys_of_the_tenant_are_named(
    as_: Callable[[str], ApiClient], job: str, wanted: dict[str, Any], pointers: dict[str, str]
) -> None:
    answer = as_(ANN).put(f"/jobs/{job}/access", wanted)
    assert (answer.status, answer.pointers) == (422, pointers)


def test_two_who_settle_it_at_once_do_not_both_win(as_: Callable[[str], ApiClient], job: str) -> None:
    first = as_(ANN).put(f"/jobs/{job}/access", {"restricted": True}, headers={"If-Match": '"1"'})
    second = as_(ADMIN).put(f"/jobs/{job}/access", {"owner": EVE}, headers={"If-Match": '"1"'})
    assert (first.status, first.headers["ETag"], second.status) == (200, '"2"', 412)


def test_settling_the_same_again_changes_nothing(as_: Callable[[str], ApiClient], job: str) -> None:
    assert settle(as_(ANN), job, owner=ANN).headers["ETag"] == '"1"'


@pytest.mark.parametrize("field", [{"owner": BOB}, {"access": {"restricted": True}}, {"restricted": True}])
def test_no_definition_settles_it(as_: Callable[[str], ApiClient], job: str, field: dict[str, Any]) -> None:
    (name,) = field
    definition = {"name": "nightly", "type": "dummy", **field}
    for answer in (
        as_(ANN).post("/jobs", definition),
        as_(ANN).put(f"/jobs/{job}", definition),
        as_(ANN).patch(f"/jobs/{job}", field),
    ):
        assert (answer.status, answer.pointers) == (422, {f"/{name}": "unknown_field"})
    imported = as_(ANN).post("/jobs/import", {"jobs": [definition]})
    assert (imported.status, imported.pointers) == (422, {f"/jobs/0/{name}": "unknown_field"})


def test_definitions_go_without_it_and_revisions_show_it(as_: Callable[[str], ApiClient], job: str) -> None:
    settle(as_(ANN), job, owner=EVE, restricted=True, grants={BOB: "editor"})
    (exported,) = as_(ANN).get("/jobs/export").json["jobs"]
    assert not {"owner", "access", "restricted"} & set(exported)
    changes = as_(ANN).get(f"/jobs/{job}/revisions/2/diff").json["changes"]
    assert {each["pointer"] for each in changes} == {"/owner", "/access"}
    as_(EVE).patch(f"/jobs/{job}", {"name": "renamed"})
    assert as_(EVE).post(f"/jobs/{job}/rollback", {"revision": 1}).json["restricted"] is True
    assert as_(EVE).get(f"/jobs/{job}/access").json["owner"] == EVE


def test_a_key_is_bounded_by_its_scopes_where_it_was_granted_more(
    api: ApiClient, asking: Asking, as_: Callable[[str], ApiClient], job: str
) -> None:
    settle(as_(ANN), job, grants={BOB: "editor"})
    scopes = frozenset({"jobs:read", "jobs:operate"})
    asking.who = Principal("local", BOB, "viewer", permissions_of("viewer", scopes), scopes=scopes)
    assert api.post(f"/jobs/{job}/pause").status == 200
    assert api.post(f"/jobs/{job}/trigger").status == 403


def test_a_run_whose_job_is_gone_is_a_matter_of_the_role(as_: Callable[[str], ApiClient], job: str) -> None:
    run = as_(ANN).post(f"/jobs/{job}/trigger").json["id"]
    as_(ANN).delete(f"/jobs/{job}")
    assert as_(BOB).post(f"/runs/{run}/cancel").status == 403
    assert as_(EVE).post(f"/runs/{run}/cancel").status == 200
