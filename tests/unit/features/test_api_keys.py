"""API keys over HTTP: who can make which, what is shown of them, and what a changed one opens."""

from typing import Any

import pytest

from chalicelib.identity.keys import MAX_KEYS, count_key
from chalicelib.ports.table import Put
from tests.support.api import Answer
from tests.support.callers import Caller, member
from tests.support.interference import Interfered, interfered
from tests.support.world import TENANT, World

KEY = {"Idempotency-Key": "k-1"}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def db(world: World) -> Interfered:
    return interfered(world)


@pytest.fixture
def admin(world: World, db: Interfered) -> Caller:
    return member(world)


def test_a_key_is_shown_once_and_works_from_then_on(admin: Caller, db: Interfered) -> None:
    made = admin.make(role="operator", expires_at="2027-02-01T00:00:00Z")
    shown = admin("GET", f"/api-keys/{made['id']}").json
    assert shown.items() == {name: value for name, value in made.items() if name != "api_key"}.items()
    assert made["api_key"].startswith(shown["prefix"])
    assert admin.with_key(made["api_key"])("GET", "/jobs").status == 200
    assert admin("GET", f"/api-keys/{made['id']}").json["last_used_at"] == "2027-01-15T12:00:00Z"
    secret = made["api_key"].rpartition("_")[2]
    assert secret not in str(db.catalog.items)
    assert [each["id"] for each in admin("GET", "/api-keys").json["items"]] == [made["id"]]


def test_a_key_that_was_deleted_opens_nothing_from_then_on(admin: Caller) -> None:
    made = admin.make()
    own = admin.with_key(made["api_key"])
    assert own("GET", "/jobs").status == 200
    assert admin("DELETE", f"/api-keys/{made['id']}", if_match=f'"{made["revision"]}"').status == 204
    assert own("GET", "/jobs").status == 401
    assert admin("GET", f"/api-keys/{made['id']}").status == 404


ESCALATIONS: list[tuple[str, dict[str, Any], dict[str, Any], int, str]] = [
    ("an owner", {}, {"role": "owner"}, 422, "/role"),
    ("no role", {}, {"role": "root"}, 422, "/role"),
    ("an admin by a key for keys", {"scopes": ["keys:write"]}, {"role": "admin"}, 422, "/role"),
    ("a viewer by a key for keys", {"scopes": ["keys:write"]}, {"role": "viewer"}, 422, "/role"),
    ("another scope", {"scopes": ["keys:write", "jobs:read"]}, {"scopes": ["runs:read"]}, 422, "/scopes"),
    ("the tenant's end", {}, {"role": "admin", "scopes": ["tenant:own"]}, 422, "/scopes"),
    ("an account's own", {}, {"role": "admin", "scopes": ["account:write"]}, 422, "/scopes"),
    ("more than the role", {}, {"role": "viewer", "scopes": ["jobs:write"]}, 422, "/scopes"),
    ("an unknown scope", {}, {"scopes": ["jobs:all"]}, 422, "/scopes"),
    ("no scope", {}, {"scopes": []}, 422, "/scopes"),
    ("a key by an editor's key", {"role": "editor"}, {}, 403, ""),
    ("a key by a service", {"role": "service"}, {}, 403, ""),
    ("another tenant", {}, {"tenant": "other"}, 422, "/tenant"),
    ("a past end", {}, {"expires_at": "2027-01-15T12:00:00Z"}, 422, "/expires_at"),
]


@pytest.mark.parametrize(
    ("_what", "own", "wanted", "status", "place"), ESCALATIONS, ids=[e[0] for e in ESCALATIONS]
)
def test_nobody_makes_a_key_that_may_more_than_they(
    admin: Caller, _what: str, own: dict[str, Any], wanted: dict[str, Any], status: int, place: str
) -> None:
    who = (
        admin.with_key(admin.make(role="admin", **own)["api_key"])
        if "role" not in own
        else admin.with_key(admin.make(**own)["api_key"])
    )
    answer = who("POST", "/api-keys", {"name": "more", **wanted})
    assert answer.status == status, answer.text
    assert not place or place in answer.pointers
    assert len(admin("GET", "/api-keys").json["items"]) == 1


def test_a_key_for_keys_makes_one_that_may_as_much(admin: Caller) -> None:
    own = admin.with_key(admin.make(role="admin", scopes=["keys:write", "jobs:read"])["api_key"])
    made = own.make(role="admin", scopes=["jobs:read"])
    assert (made["role"], made["scopes"]) == ("admin", ["jobs:read"])
    assert made["member"] == admin("GET", "/tenant/members").json["items"][0]["user_id"], (
        "it stays its member's"
    )


def test_a_rotated_key_has_another_text_and_the_former_is_good_for_a_while(
    admin: Caller, world: World
) -> None:
    made = admin.make()
    first = admin.with_key(made["api_key"])
    rotated = admin("POST", f"/api-keys/{made['id']}/rotate", {"overlap_seconds": 60}).json
    assert rotated["former_until"] == "2027-01-15T12:01:00Z"
    second = admin.with_key(rotated["api_key"])
    assert [each("GET", "/jobs").status for each in (first, second)] == [200, 200]
    world.advance(60)
    assert [each("GET", "/jobs").status for each in (first, second)] == [401, 200]
    at_once = admin("POST", f"/api-keys/{made['id']}/rotate").json
    assert [each("GET", "/jobs").status for each in (second, admin.with_key(at_once["api_key"]))] == [
        401,
        200,
    ]


def test_of_two_rotations_at_once_one_is_refused(admin: Caller, db: Interfered) -> None:
    made = admin.make()
    path, answers = f"/api-keys/{made['id']}/rotate", list[Answer]()
    db.before, db.times = lambda: answers.append(admin("POST", path)), 1
    answers.append(admin("POST", path))
    assert [each.status for each in answers] == [200, 409]
    assert admin.with_key(answers[0].json["api_key"])("GET", "/jobs").status == 200


def test_whose_key_it_is_not_takes_it_back_and_does_not_get_hold_of_it(admin: Caller, world: World) -> None:
    made = admin.make(role="viewer")
    other = member(world, "owner", email="grace@example.com")
    path = f"/api-keys/{made['id']}"
    assert other("POST", f"{path}/rotate").status == 403
    assert other("DELETE", path).status == 204


def test_a_key_for_keys_does_not_get_hold_of_one_that_may_more(admin: Caller) -> None:
    narrow = admin.with_key(admin.make(role="admin", scopes=["keys:write", "keys:read"])["api_key"])
    for role in ("admin", "service"):
        assert narrow("POST", f"/api-keys/{admin.make(role=role)['id']}/rotate").status == 403


@pytest.mark.parametrize("made_first", [True, False], ids=["a repeat", "both at once"])
def test_with_an_idempotency_key_one_is_made_and_a_repeat_is_told_its_id_alone(
    admin: Caller, db: Interfered, made_first: bool
) -> None:
    answers = list[Answer]()

    def ask() -> None:
        answers.append(admin("POST", "/api-keys", {"name": "ci"}, idempotency_key="once"))

    if not made_first:
        db.before, db.times = ask, 1
    else:
        ask()
    ask()
    assert [each.status for each in answers] == [201, 409]
    assert answers[1].json["code"] == "shown_once"
    assert answers[0].json["id"] in answers[1].json["detail"]
    assert len(admin("GET", "/api-keys").json["items"]) == 1
    assert answers[0].json["api_key"].rpartition("_")[2] not in str(db.catalog.items)


def test_a_repeated_rotation_leaves_the_new_text_good(admin: Caller) -> None:
    path = f"/api-keys/{admin.make()['id']}/rotate"
    first, second = (admin("POST", path, {}, idempotency_key="r") for _ in range(2))
    assert (first.status, second.status, second.json["code"]) == (200, 409, "shown_once")
    assert admin.with_key(first.json["api_key"])("GET", "/jobs").status == 200


def test_a_key_is_renamed_at_the_revision_that_was_seen(admin: Caller) -> None:
    path = f"/api-keys/{admin.make()['id']}"
    renamed = admin("PATCH", path, {"name": "nightly"}, if_match='"1"')
    assert (renamed.json["name"], renamed.headers["ETag"]) == ("nightly", '"2"')
    assert admin("PATCH", path, {"name": "late"}, if_match='"1"').status == 412
    assert admin("PATCH", path, {"role": "admin"}).status == 422


def test_a_tenant_has_so_many_keys_and_no_more(admin: Caller, world: World) -> None:
    pk, sk = count_key(TENANT)
    world.engine.db.catalog.write(Put({"pk": pk, "sk": sk, "count": MAX_KEYS - 1}))
    made = admin.make()
    assert admin("POST", "/api-keys", {"name": "one more"}).status == 409
    admin("DELETE", f"/api-keys/{made['id']}")
    assert admin("POST", "/api-keys", {"name": "one more"}).status == 201


def test_another_tenants_key_is_answered_like_none(admin: Caller, world: World) -> None:
    other = member(world, "owner", "other", "eve@example.com")
    made, missing = admin.make()["id"], "key_" + "0" * 26
    for method, rest, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("POST", "/rotate", {}),
    ):
        answers = [other(method, f"/api-keys/{each}{rest}", body) for each in (made, missing)]
        assert [each.status for each in answers] == [404, 404]
        assert answers[0].json["detail"] == answers[1].json["detail"]


def test_keys_are_listed_in_pages(admin: Caller) -> None:
    made = [admin.make(name=f"key {number}")["id"] for number in range(3)]
    first = admin("GET", "/api-keys?limit=2").json
    second = admin("GET", f"/api-keys?limit=2&cursor={first['next_cursor']}").json
    assert [each["id"] for each in first["items"] + second["items"]] == made
    assert second["next_cursor"] is None


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\nb", "a\u202eb", "a\u0000b", 7, None])
def test_what_is_no_name_is_refused(admin: Caller, name: Any) -> None:
    answer = admin("POST", "/api-keys", {"name": name})
    assert (answer.status, list(answer.pointers)) == (422, ["/name"])
