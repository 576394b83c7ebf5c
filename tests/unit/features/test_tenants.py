"""Tenants over HTTP: renamed, founded, and ended for ever."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.features.tenants.service import MAX_OWNED
from chalicelib.identity.members import member_key
from tests.support.api import Answer
from tests.support.callers import Caller, member
from tests.support.interference import Interfered, interfered
from tests.support.signed_in import joined, user_named
from tests.support.world import World

ACME = "tenant_" + "0" * 26
GOODBYE = {"name": ACME.capitalize()}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def db(world: World) -> Interfered:
    return interfered(world)


@pytest.fixture
def owner(world: World, db: Interfered) -> Caller:
    return member(world, "owner", ACME)


def test_a_tenant_is_renamed_at_the_revision_that_was_seen(owner: Caller) -> None:
    assert owner("GET", "/tenant").json["plan"] == "pro"
    renamed = owner("PATCH", "/tenant", {"name": " Rocket Works "}, if_match='"1"')
    assert (renamed.json["name"], renamed.headers["ETag"]) == ("Rocket Works", '"2"')
    assert owner("PATCH", "/tenant", {"name": "Late"}, if_match='"1"').status == 412
    for body in ({"plan": "enterprise"}, {"name": "x", "id": "y"}):
        assert owner("PATCH", "/tenant", body).status == 422


def test_a_user_founds_a_tenant_and_owns_it(owner: Caller) -> None:
    made = owner("POST", "/tenants", {"name": "Moon Works"}).json
    assert made["plan"] == "free"
    mine = {each["id"]: each for each in owner("GET", "/tenants").json["items"]}
    assert {each: (mine[each]["role"], mine[each]["current"]) for each in mine} == {
        ACME: ("owner", True),
        made["id"]: ("owner", False),
    }


def test_a_repeated_founding_makes_one_tenant_and_tells_nobody_elses(owner: Caller, world: World) -> None:
    first, second = (owner("POST", "/tenants", {"name": "Moon"}, idempotency_key="m") for _ in range(2))
    assert (first.status, first.json) == (second.status, second.json)
    grace = member(world, "viewer", ACME, "grace@example.com")
    assert grace("POST", "/tenants", {"name": "Moon"}, idempotency_key="m").status == 409


def test_nobody_founds_more_than_so_many_not_even_two_at_once(owner: Caller, db: Interfered) -> None:
    for number in range(MAX_OWNED - 2):
        assert owner("POST", "/tenants", {"name": f"No {number}"}).status == 201
    answers = list[Answer]()
    db.before, db.times = lambda: answers.append(owner("POST", "/tenants", {"name": "One"})), 1
    answers.append(owner("POST", "/tenants", {"name": "Two"}))
    assert [each.status for each in answers] == [201, 409]
    assert len(owner("GET", "/tenants").json["items"]) == MAX_OWNED


def test_where_registering_is_closed_only_owners_found_others(owner: Caller, world: World) -> None:
    grace = member(world, "admin", ACME, "grace@example.com")
    settings = replace(world.engine.settings, open_to_all=False)
    object.__setattr__(world.engine, "settings", settings)
    answers = [who("POST", "/tenants", {"name": "Moon"}) for who in (grace, owner)]
    assert [each.status for each in answers] == [403, 201]
    assert answers[0].json["code"] == "registration_closed"


def test_ones_tenants_are_listed_in_pages(owner: Caller) -> None:
    for number in range(2):
        owner("POST", "/tenants", {"name": f"No {number}"})
    first = owner("GET", "/tenants?limit=2").json
    second = owner("GET", f"/tenants?limit=2&cursor={first['next_cursor']}").json
    assert [len(each["items"]) for each in (first, second)] == [2, 1]
    assert len({each["id"] for each in first["items"] + second["items"]}) == 3


def test_a_tenant_that_is_deleted_is_open_to_nobody(owner: Caller, world: World) -> None:
    admin = member(world, "admin", ACME, "grace@example.com")
    keys = [owner.with_key(owner.make(role=role)["api_key"]) for role in ("service", "viewer")]
    owner("POST", "/calendars", {"name": "days"})
    owner("PUT", "/limits/tenant", {"concurrency": 3})
    assert owner("DELETE", "/tenant", GOODBYE, if_match='"1"').status == 204
    assert [each("GET", "/jobs").status for each in (owner, admin, *keys)] == [401] * 4
    left = {key: item for key, item in world.db.catalog.items.items() if ACME in key[0] or ACME in key[1]}
    assert not [key for key, item in left.items() if "expires_at" not in item]


@pytest.mark.parametrize(
    ("body", "status"),
    [({"name": "acme"}, 422), ({}, 422), ({"name": ACME}, 422), (None, 415)],
    ids=["another name", "no name", "the id", "no body"],
)
def test_a_tenant_is_not_deleted_by_mistake(owner: Caller, body: Any, status: int) -> None:
    assert owner("DELETE", "/tenant", body).status == status
    assert owner("GET", "/tenant").status == 200


def test_a_tenant_with_jobs_is_not_deleted(owner: Caller, db: Interfered) -> None:
    jobs = [{"name": "j", "type": "dummy"}, {"name": "at once", "type": "dummy"}]
    made = [owner("POST", "/jobs", jobs[0]).json["id"]]
    assert owner("DELETE", "/tenant", GOODBYE).status == 409
    owner("DELETE", f"/jobs/{made[0]}")
    db.before, db.times = lambda: made.append(owner("POST", "/jobs", jobs[1]).json["id"]), 1
    assert owner("DELETE", "/tenant", GOODBYE).status == 409
    owner("DELETE", f"/jobs/{made[1]}")
    assert owner("DELETE", "/tenant", GOODBYE).status == 204


def test_the_first_tenant_of_a_deployment_is_not_deleted(world: World, db: Interfered) -> None:
    assert member(world, "owner")("DELETE", "/tenant", {"name": "Local"}).status == 409


def test_nobody_comes_into_a_tenant_while_it_is_deleted(owner: Caller, world: World, db: Interfered) -> None:
    owner("POST", "/tenant/invitations", {"email": "grace@example.com"})
    grace = member(world, "viewer", "elsewhere", "grace@example.com")
    late = list[Answer]()

    def come() -> None:
        late.append(grace("POST", "/invitations/accept", {"token": world.mailer.token("grace@example.com")}))
        late.append(owner("POST", "/api-keys", {"name": "late", "role": "service"}))
        late.append(owner("POST", "/jobs", {"name": "late", "type": "dummy"}))

    marked = db.transact

    def then_come(*writes: Any) -> None:
        marked(*writes)
        if not late:
            db.transact = marked  # type: ignore[method-assign]
            come()

    db.transact = then_come  # type: ignore[method-assign]
    assert owner("DELETE", "/tenant", GOODBYE).status == 204
    assert [each.status for each in late] == [409, 409, 409]
    assert grace("GET", "/tenants").json["items"][0]["id"] == "elsewhere"


def test_an_end_that_broke_off_is_gone_on_with(owner: Caller, world: World, db: Interfered) -> None:
    user = joined(world.engine, user_named(world.engine, "grace@example.com"), "admin", ACME).user
    renamed = owner("PATCH", "/tenant", GOODBYE)
    assert renamed.status == 200
    whole = db.catalog.delete_all

    def break_off(_keys: Any) -> None:
        raise Unavailable("DynamoDB did not answer.")

    db.catalog.delete_all = break_off  # type: ignore[method-assign]
    assert owner("DELETE", "/tenant", GOODBYE).status == 503
    db.catalog.delete_all = whole  # type: ignore[method-assign]
    assert owner("PATCH", "/tenant", {"name": "No"}).status == 409
    assert owner("DELETE", "/tenant", GOODBYE).status == 204
    assert world.engine.db.catalog.get(member_key(ACME, user)) is None
