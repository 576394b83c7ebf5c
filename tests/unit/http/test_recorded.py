"""Every route that may change something leaves a record, whatever becomes of the request."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import ChronosError, Conflict, Forbidden, NotFound, Unauthorized, Unavailable
from chalicelib.domain.permissions import PERMISSIONS
from chalicelib.engine.core import Engine
from chalicelib.features.base import NoQuery, Request, Response, Route
from chalicelib.http.docs import routes
from chalicelib.http.pipeline import Incoming, Pipeline, Services
from chalicelib.http.recorded import is_recorded, object_of
from chalicelib.http.table import RouteTable
from chalicelib.identity.principal import Principal
from chalicelib.identity.trail.entries import partition
from chalicelib.identity.trail.recording import MAX_CHANGES
from tests.support.examples import Day
from tests.support.principals import TENANT, principal
from tests.support.world import World

CHANGING = [route for route in routes() if route.method != "GET"]
WITH_PRINCIPAL = [route for route in CHANGING if is_recorded(route) and not route.public]
ALLOWED = Principal(TENANT, "key_of_a_test", "owner", PERMISSIONS)
Handler = Callable[[Engine, Request], Response]


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def asked(route: Route, handler: Handler, who: Principal, world: World) -> int:
    """The status with which the route answers, its handler and what it accepts being others.

    Its path names no job or run, which would have to be there.
    """
    stub = replace(route, handler=handler, body=None, query=NoQuery, once=False, replayed=False)
    if "_id}" in stub.path:
        stub = replace(stub, path=stub.path.replace("_id}", "}"))
    services = Services(world.engine, lambda _engine, _authorization: who)
    parts = {part[1:-1]: "one" for part in stub.path.split("/") if part.startswith("{")}
    incoming = Incoming(stub.method, stub.path, "r1", path=parts, address="203.0.113.9")
    return Pipeline(RouteTable.of([stub]), lambda: services).answer(incoming).status


def entries(world: World) -> list[dict[str, Any]]:
    """Of all tenants."""
    items = sorted(world.db.audit.items.items())
    return [json.loads(str(item["doc"])) for (pk, _), item in items if pk.endswith("#trail")]


def left_open(world: World) -> list[str]:
    return [sk for pk, sk in world.db.catalog.items if pk == partition(TENANT) and sk != "head"]


def answering(error: ChronosError | None = None, *, changes: bool = False) -> Handler:
    def handle(engine: Engine, request: Request) -> Response:
        assert request.principal.actor
        if changes:
            engine.witness.changed("thing", "one", {"password": "a"}, {"password": "b"})
        if error:
            raise error
        return Response(status=204)

    return handle


@pytest.mark.parametrize("route", CHANGING, ids=name_of)
def test_a_route_that_is_no_get_is_recorded_or_says_why_not(route: Route) -> None:
    assert is_recorded(route) != bool(route.unrecorded)


@pytest.mark.parametrize("route", WITH_PRINCIPAL, ids=name_of)
def test_each_request_of_a_changing_route_leaves_one_record(route: Route) -> None:
    world = World()
    assert asked(route, answering(changes=True), ALLOWED, world) == 204
    nobody = Principal(TENANT, "key_without_rights", "viewer")
    assert asked(route, answering(), nobody, world) == 403
    done, refused = entries(world)
    operation = name_of(route).replace("_id}", "}")
    assert (done["operation"], done["outcome"], done["actor"]) == (operation, "done", "key_of_a_test")
    assert (refused["outcome"], refused["code"], refused["actor"]) == (
        "refused",
        "forbidden",
        "key_without_rights",
    )
    assert (done["address"], done["request_id"], done["changes"]) == (
        "203.0.113.9",
        "r1",
        [{"kind": "thing", "id": "one", "before": {"password": "***"}, "after": {"password": "***"}}],
    )
    assert left_open(world) == []


@pytest.mark.parametrize(
    ("error", "changes", "outcomes"),
    [
        (Conflict("No."), False, []),
        (NotFound("No."), False, []),
        (Conflict("Half of it."), True, ["failed"]),
        (Forbidden("Not this one."), False, ["refused"]),
        (Unauthorized("The password is wrong."), False, ["refused"]),
        (Unavailable("Perhaps."), False, ["failed"]),
        (None, False, ["done"]),
    ],
)
def test_a_refusal_that_changed_nothing_leaves_no_record(
    error: ChronosError | None, changes: bool, outcomes: list[str]
) -> None:
    world, [route] = World(), [each for each in WITH_PRINCIPAL if name_of(each) == "POST /calendars"]
    asked(route, answering(error, changes=changes), ALLOWED, world)
    assert [entry["outcome"] for entry in entries(world)] == outcomes
    assert left_open(world) == []


def test_what_goes_wrong_unexpectedly_is_recorded_as_failed() -> None:
    world, route = World(), WITH_PRINCIPAL[0]

    def break_down(_engine: Engine, _request: Request) -> Response:
        raise ZeroDivisionError

    assert asked(route, break_down, ALLOWED, world) == 500
    assert [(entry["outcome"], entry["status"]) for entry in entries(world)] == [("failed", 500)]


def test_a_trial_leaves_no_record() -> None:
    world, route = World(), WITH_PRINCIPAL[0]

    def try_out(engine: Engine, _request: Request) -> Response:
        engine.witness.repeated()
        return Response(status=204)

    assert asked(route, try_out, ALLOWED, world) == 204
    assert (entries(world), left_open(world)) == ([], [])


def test_a_change_without_a_begun_record_is_not_made() -> None:
    world, handled = World(), []

    def fail(_write: object) -> None:
        raise Unavailable("DynamoDB did not answer.")

    object.__setattr__(world.db.catalog, "write", fail)
    status = asked(
        WITH_PRINCIPAL[0],
        lambda _engine, request: Response(str(handled.append(request))),
        ALLOWED,
        world,
    )
    assert (status, handled) == (503, [])


@pytest.mark.parametrize(("error", "outcome"), [(None, "done"), (Unauthorized("Wrong."), "refused")])
def test_on_a_public_route_the_handler_says_who_acts(error: ChronosError | None, outcome: str) -> None:
    world = World()
    route = replace(WITH_PRINCIPAL[0], public=True, rule="")

    def sign_in(engine: Engine, _request: Request) -> Response:
        engine.witness.acting(TENANT, "user_ada", "owner")
        assert left_open(world), "it is begun before anything is changed"
        if error:
            raise error
        return Response(status=204)

    asked(route, sign_in, principal(), world)
    assert [(entry["actor"], entry["outcome"]) for entry in entries(world)] == [("user_ada", outcome)]


def test_what_is_done_in_another_tenant_is_told_there_alone() -> None:
    world = World()

    def join(engine: Engine, _request: Request) -> Response:
        engine.witness.acting("other", "user_ada")
        engine.witness.changed("member", "user_ada", None, {"role": "viewer"})
        return Response(status=204)

    asked(WITH_PRINCIPAL[0], join, ALLOWED, world)
    told = {entry["tenant"]: [each["kind"] for each in entry.get("changes", [])] for entry in entries(world)}
    assert told == {TENANT: [], "other": ["member"]}


def test_a_record_of_very_many_or_large_changes_names_the_rest() -> None:
    world = World()

    def change_much(engine: Engine, _request: Request) -> Response:
        for number in range(MAX_CHANGES + 5):
            engine.witness.changed("job", str(number), None, {"text": "x" * 3000})
        return Response(status=204)

    asked(WITH_PRINCIPAL[0], change_much, ALLOWED, world)
    [entry] = entries(world)
    assert len(json.dumps(entry)) < 100_000
    assert entry["changes"][-1] == {"kind": "more", "id": "5"}
    assert entry["changes"][-2].keys() == {"kind", "id", "cut_bytes"}


def test_each_change_of_an_ordinary_day_says_what_was_changed() -> None:
    day = Day()
    day.spent()
    said: dict[str, list[Any]] = {}
    for entry in entries(day.world):
        said.setdefault(entry["operation"], []).extend(entry.get("changes", []))
    recorded = {name_of(route) for route in WITH_PRINCIPAL}
    done = {name.rpartition(" ")[0] for name in day.api.found} & recorded
    assert done - said.keys() == {"POST /jobs/import"}, "a dry run"
    assert [name for name, changes in said.items() if not changes] == ["PUT /calendars/{name}"], (
        "put as it was"
    )


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("/jobs/{job_id}/pause", {"job_id": "job_1"}, ("job", "job_1")),
        ("/limits/targets/{host}", {"host": "example.com"}, ("target", "example.com")),
        ("/callbacks/{token}", {"token": "secret"}, ("", "")),
        ("/jobs", {}, ("", "")),
    ],
)
def test_a_path_names_what_it_is_about(
    template: str, path: dict[str, str], expected: tuple[str, str]
) -> None:
    assert object_of(template, path) == expected
