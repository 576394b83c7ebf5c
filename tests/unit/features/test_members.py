"""Members: who may give which role, who may take whom out, and that an owner is never the last to go."""

import itertools
from typing import get_args

import pytest

from chalicelib.domain.permissions import ROLES, Role
from chalicelib.identity.keys import count_key
from chalicelib.identity.members import memberships, read_member
from tests.support.api import Answer
from tests.support.callers import Caller, member
from tests.support.interference import Interfered, interfered
from tests.support.signed_in import joined, user_named
from tests.support.world import TENANT, World

MEMBERS: list[Role] = [role for role in get_args(Role) if role != "service"]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def db(world: World) -> Interfered:
    return interfered(world)


@pytest.fixture
def owner(world: World, db: Interfered) -> Caller:
    return member(world, "owner", email="owner@example.com")


def other(world: World, role: Role, email: str = "grace@example.com") -> str:
    """The id of another member."""
    return joined(world.engine, user_named(world.engine, email), role).user


def role_of(world: World, user: str) -> str | None:
    found = read_member(world.engine, TENANT, user)
    seen = [each.role for each in memberships(world.engine, user) if each.tenant == TENANT]
    assert seen == ([found.role] if found else []), "both sides say the same"
    return found.role if found else None


@pytest.mark.parametrize("own", MEMBERS)
def test_nobody_gives_more_than_they_have_or_changes_who_may_more(
    world: World, own: Role, owner: Caller
) -> None:
    caller = member(world, own, email="caller@example.com")
    for before, after in itertools.product(MEMBERS, MEMBERS):
        user = other(world, before)
        answer = caller("PATCH", f"/tenant/members/{user}", {"role": after})
        allowed = "members:write" in ROLES[own] and ROLES[before] | ROLES[after] <= ROLES[own]
        assert (answer.status == 200) is allowed, (own, before, after, answer.text)
        assert answer.status in {200, 403, 422}
        assert role_of(world, user) == (after if allowed else before)


@pytest.mark.parametrize("own", MEMBERS)
def test_nobody_takes_out_who_may_more(world: World, own: Role, owner: Caller) -> None:
    caller = member(world, own, email="caller@example.com")
    for role in MEMBERS:
        user = other(world, role)
        answer = caller("DELETE", f"/tenant/members/{user}")
        allowed = "members:write" in ROLES[own] and ROLES[role] <= ROLES[own]
        assert answer.status == (204 if allowed else 403), (own, role, answer.text)
        assert role_of(world, user) == (None if allowed else role)


def test_a_key_for_members_makes_nobody_what_it_may_not(owner: Caller, world: World) -> None:
    narrow = owner.with_key(owner.make(role="admin", scopes=["members:write"])["api_key"])
    user = other(world, "viewer")
    assert narrow("PATCH", f"/tenant/members/{user}", {"role": "admin"}).status == 403
    assert narrow("POST", "/tenant/invitations", {"email": "a@b.example", "role": "viewer"}).status == 422


@pytest.mark.parametrize("role", ["service", "root", "", None, "Owner"])
def test_what_is_no_role_of_a_member_is_refused(owner: Caller, world: World, role: object) -> None:
    answer = owner("PATCH", f"/tenant/members/{other(world, 'viewer')}", {"role": role})
    assert (answer.status, list(answer.pointers)) == (422, ["/role"])


def test_another_role_holds_from_the_next_request_on(owner: Caller, world: World) -> None:
    grace = member(world, "viewer", email="grace@example.com")
    assert grace("POST", "/calendars", {"name": "days"}).status == 403
    answer = owner("PATCH", f"/tenant/members/{grace.user}", {"role": "editor"}, if_match='"1"')
    assert (answer.json["role"], answer.headers["ETag"]) == ("editor", '"2"')
    assert grace("POST", "/calendars", {"name": "days"}).status == 201
    assert owner("PATCH", f"/tenant/members/{grace.user}", {"role": "admin"}, if_match='"1"').status == 412


def test_who_was_taken_out_gets_in_no_more_by_token_or_own_key(owner: Caller, world: World) -> None:
    grace = member(world, "admin", email="grace@example.com")
    own = grace.with_key(grace.make(role="viewer")["api_key"])
    service = grace.with_key(grace.make(role="service")["api_key"])
    assert [each("GET", "/jobs").status for each in (grace, own, service)] == [200, 200, 200]
    assert owner("DELETE", f"/tenant/members/{grace.user}").status == 204
    assert [each("GET", "/jobs").status for each in (grace, own, service)] == [401, 401, 200]
    counted = world.engine.db.catalog.get(count_key(TENANT))
    assert counted is not None
    assert counted["count"] == 1, "their own key is gone"


def test_the_last_owner_stays_and_stays_owner(owner: Caller, world: World) -> None:
    other(world, "admin")
    place = f"/tenant/members/{owner.user}"
    for answer in (
        owner("PATCH", place, {"role": "admin"}),
        owner("DELETE", place),
        owner("POST", "/tenant/leave"),
    ):
        assert (answer.status, answer.json["code"]) == (409, "last_owner")
    assert role_of(world, owner.user) == "owner"


WAYS = list(itertools.product(["demote", "remove", "leave"], repeat=2))


@pytest.mark.parametrize("ways", WAYS, ids="-".join)
def test_of_the_two_last_owners_one_stays_when_both_go_at_once(
    owner: Caller, world: World, db: Interfered, ways: tuple[str, str]
) -> None:
    second = member(world, "owner", email="second@example.com")

    def go(who: Caller, whom: Caller, way: str) -> Answer:
        if way == "leave":
            return whom("POST", "/tenant/leave")
        place = f"/tenant/members/{whom.user}"
        return who("PATCH", place, {"role": "viewer"}) if way == "demote" else who("DELETE", place)

    answers = list[Answer]()
    db.before, db.times = lambda: answers.append(go(second, owner, ways[0])), 1
    answers.append(go(owner, second, ways[1]))
    assert answers[0].status < 300
    assert answers[1].status == 409, answers[1].text
    assert [role_of(world, each.user) for each in (owner, second)].count("owner") == 1


def test_anybody_may_leave(owner: Caller, world: World) -> None:
    grace = member(world, "viewer", email="grace@example.com")
    assert grace("POST", "/tenant/leave").status == 204
    assert grace("GET", "/jobs").status == 401
    assert role_of(world, grace.user) is None


def test_members_are_listed_with_their_addresses_in_pages(owner: Caller, world: World) -> None:
    users = {owner.user, other(world, "viewer"), other(world, "editor", "alan@example.com")}
    first = owner("GET", "/tenant/members?limit=2").json
    second = owner("GET", f"/tenant/members?limit=2&cursor={first['next_cursor']}").json
    found = first["items"] + second["items"]
    assert {each["user_id"] for each in found} == users
    assert {each["email"] for each in found} == {f"{name}@example.com" for name in ("owner", "grace", "alan")}
    assert second["next_cursor"] is None


def test_who_leaves_as_they_are_taken_out_is_told_that_they_are_no_member(
    owner: Caller, world: World, db: Interfered
) -> None:
    grace = member(world, "viewer", email="grace@example.com")
    db.before, db.times = lambda: owner("DELETE", f"/tenant/members/{grace.user}"), 1
    assert grace("POST", "/tenant/leave").status == 404
