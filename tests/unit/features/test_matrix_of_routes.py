"""Every route x every role x {own, another tenant's, missing}: what is answered follows from the table of permissions,
and another tenant's thing is answered exactly as one that nobody has.
"""

import json
from collections.abc import Mapping
from typing import Any, get_args

import pytest

from chalicelib.domain.permissions import Role
from chalicelib.features.base import Route
from chalicelib.features.permitted import FINDERS
from chalicelib.http.docs import routes
from tests.support.api import Answer
from tests.support.two_tenants import OTHER, Two, label, may_by_role, missing, named_in, things_of, two

ROLES: tuple[str | None, ...] = (*get_args(Role), None)
CLOSED = [route for route in routes() if not route.public]
OF_THINGS = [route for route in CLOSED if "{" in route.path]
INSIDE: dict[str, tuple[set[str], str]] = {
    "PUT /jobs/{job_id}/access": ({"owner", "admin"}, "only the job's own owner beside them"),
}
"""Who else than the permission says is let in, where that depends on the thing itself."""
NO_SSO = {"GET /tenant/sso": 404, "PUT /tenant/sso": 403, "DELETE /tenant/sso": 404}
BY_STATE = {"DELETE /tenant": 409, "POST /invitations/accept": 404, **NO_SSO}
"""What stops those who are let in: the tenant has jobs and a plan without single sign-on, the token of the example is
nobody's."""
OF_ONE = {"DELETE /auth/sessions/{session_id}"}
"""What belongs to one user: in this world to the owner, so that others of the tenant do not find it either."""
WITH_A_PASSWORD = {"POST /auth/password": 422, "DELETE /users/me": 422}
"""The passwords of examples are nobody's."""
_OF_A_REQUEST = {"X-Request-Id", "Date"}


@pytest.fixture
def sides() -> Two:
    both = two()
    both.put_back()
    return both


def is_let_in(route: Route, role: str | None) -> bool:
    inside = INSIDE.get(label(route))
    return may_by_role(role, route.rule) and (inside is None or role in inside[0])


def told(answer: Answer, things: Mapping[str, str]) -> tuple[int, dict[str, str], Any]:
    """All of an answer but what names its request; ids are replaced by their names."""
    text = answer.text
    headers = {name: value for name, value in answer.headers.items() if name not in _OF_A_REQUEST}
    for name, value in things.items():
        if value.isdecimal():
            continue
        text = text.replace(value, name)
        headers = {header: each.replace(value, name) for header, each in headers.items()}
    body = json.loads(text) if "json" in headers.get("Content-Type", "") and text else text
    if isinstance(body, dict):
        body.pop("request_id", None)
    return answer.status, headers, body


@pytest.mark.parametrize("route", CLOSED, ids=label)
def test_a_tenants_own_is_open_to_the_roles_that_may_and_to_nobody_else(sides: Two, route: Route) -> None:
    things = things_of(sides.own, route)
    for role in ROLES:
        sides.put_back()
        answer = sides.ask(route, things, role)
        if role is None:
            assert answer.status == 401, answer.text
        elif is_let_in(route, role):
            good = {BY_STATE[label(route)]} if label(route) in BY_STATE else set(range(200, 300))
            good = {404} if label(route) in OF_ONE and role != "owner" else good
            assert answer.status in good, (role, answer.status, answer.text)
        else:
            assert (answer.status, answer.json["code"]) == (403, "forbidden"), (role, answer.text)


@pytest.mark.parametrize("route", OF_THINGS, ids=label)
def test_anothers_is_answered_exactly_as_what_nobody_has(sides: Two, route: Route) -> None:
    others = things_of(sides.other, route)
    nobodys = missing(others)
    before = sides.of_the_other()
    for role in ROLES:
        sides.put_back()
        answer = sides.ask(route, others, role)
        assert sides.of_the_other() == before, "what is another's was changed"
        sides.put_back()
        as_missing = sides.ask(route, nobodys, role)
        assert told(answer, others) == told(as_missing, nobodys), role
        assert answer.status in expected(route, role), (role, answer.text)


def expected(route: Route, role: str | None) -> set[int]:
    """Of a thing that the tenant does not have."""
    if role is None:
        return {401}
    if not may_by_role(role, route.rule):
        of_a_job = not route.rule.endswith(":read") and set(named_in(route)) & set(FINDERS)
        return {404 if of_a_job else 403}
    return {200} if label(route) == "PUT /limits/targets/{host}" else {404}


@pytest.mark.parametrize("route", [route for route in routes() if route.public], ids=label)
def test_a_public_route_is_the_same_to_everybody(sides: Two, route: Route) -> None:
    things = dict.fromkeys(named_in(route), "made-up")
    to_nobody = told(sides.ask(route, things, None), things)
    for role in get_args(Role):
        sides.put_back()
        assert told(sides.ask(route, things, role), things) == to_nobody


def test_every_list_shows_a_tenant_its_own_alone(sides: Two) -> None:
    for route in CLOSED:
        if route.method != "GET":
            continue
        answer = sides.ask(route, things_of(sides.own, route), "owner")
        assert OTHER not in answer.text, label(route)
        for name, value in sides.other.things.items():
            assert value.isdecimal() or value not in answer.text, (label(route), name)


WITH_EXAMPLES = [route for route in CLOSED if route.body and route.body.examples]


@pytest.mark.parametrize("route", WITH_EXAMPLES, ids=label)
def test_each_example_of_a_route_is_accepted(sides: Two, route: Route) -> None:
    assert route.body
    for name, example in route.body.examples.items():
        prepare(sides, route)
        answer = sides.ask(route, things_of(sides.own, route), "owner", body=example)
        is_good = answer.status < 300 or answer.status == (BY_STATE | WITH_A_PASSWORD).get(label(route))
        assert is_good, (name, answer.text)


def prepare(sides: Two, route: Route) -> None:
    """What the examples name is there: a calendar, a job that calls a URL, and three revisions of it."""
    sides.put_back()
    if label(route) != "POST /calendars":
        sides.own.call("POST", "/calendars", {"name": "holidays"})
    for number in range(2):
        job = {"type": "http", "config": {"url": f"https://example.com/{number}"}}
        sides.own.call("PATCH", f"/jobs/{sides.own.things['job_id']}", job)
