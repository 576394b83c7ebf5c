"""Headers that every answer has: for browsers, for pages from elsewhere, and of routes that go away."""

from datetime import date
from typing import Any

import pytest

from chalicelib.engine.core import Engine
from chalicelib.features.base import Answer, Deprecation, Request, Response, Route
from chalicelib.http.pipeline import Incoming, Pipeline, Services
from chalicelib.http.table import RouteTable
from tests.support.api import ApiClient
from tests.support.principals import everybody
from tests.support.world import World

APP, OTHER = "https://app.example.com", "https://evil.example.com"


def nothing(_engine: Engine, _request: Request) -> Response:
    return Response("{}", headers={"ETag": '"1"'})


def route(**more: Any) -> Route:
    answers = (Answer(description=""),)
    return Route(
        method="GET",
        path="/old/{name}",
        handler=nothing,
        summary="",
        tag="",
        rule="jobs:read",
        answers=answers,
        **more,
    )


def ask(
    asked: Route, method: str = "GET", origins: tuple[str, ...] = (APP,), **headers: str
) -> tuple[int, dict[str, str]]:
    services = Services(World().engine, everybody, cors_origins=origins)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    incoming = Incoming(method, asked.path, "id-1", path={"name": "a b"}, headers=sent)
    response = Pipeline(RouteTable.of([asked]), lambda: services).answer(incoming)
    return response.status, dict(response.headers)


def test_every_answer_keeps_browsers_from_showing_framing_or_guessing() -> None:
    client = ApiClient(World().engine)
    for answer in (client.get("/health"), client.get("/jobs/none"), client("OPTIONS", "/jobs")):
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    page = client.get("/docs").headers["Content-Security-Policy"]
    assert "script-src 'self'" in page, "the page that shows the description has rules of its own"
    assert "frame-ancestors 'none'" in page


def test_a_page_of_a_named_origin_may_read_the_answer() -> None:
    _, headers = ask(route(), origin=APP)
    assert (headers["Access-Control-Allow-Origin"], headers["Vary"]) == (APP, "Origin")
    assert "ETag" in headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in headers, (
        "keys are sent by the page, never by the browser"
    )


@pytest.mark.parametrize(
    ("origins", "origin", "why"),
    [
        ((APP,), OTHER, "another origin"),
        ((APP,), APP.upper(), "origins are compared letter by letter"),
        ((APP,), APP + ".evil.example", "no prefix"),
        ((APP,), "null", "a sandboxed page"),
        ((), APP, "none is named"),
    ],
)
def test_any_other_page_may_not(origins: tuple[str, ...], origin: str, why: str) -> None:
    status, headers = ask(route(), origins=origins, origin=origin)
    assert status == 200
    assert not [name for name in headers if name.startswith("Access-Control")], why
    assert headers.get("Vary") == ("Origin" if origins else None)


def test_a_preflight_is_told_what_may_be_sent() -> None:
    asked = {"origin": APP, "access_control_request_method": "GET"}
    status, headers = ask(route(), "OPTIONS", **asked)
    assert (status, headers["Access-Control-Allow-Methods"]) == (204, "GET, HEAD, OPTIONS")
    assert {"Authorization", "Idempotency-Key", "If-Match", "traceparent"} <= set(
        headers["Access-Control-Allow-Headers"].split(", ")
    )
    assert "Access-Control-Allow-Methods" not in ask(route(), "OPTIONS", origin=APP)[1], "no preflight"
    refused = ask(route(), "OPTIONS", **{**asked, "origin": OTHER})[1]
    assert "Access-Control-Allow-Methods" not in refused


def test_an_error_can_be_read_by_the_page_too() -> None:
    status, headers = ask(route(), "POST", origin=APP)
    assert (status, headers["Access-Control-Allow-Origin"], headers["Allow"]) == (
        405,
        APP,
        "GET, HEAD, OPTIONS",
    )


def test_a_deprecated_route_says_since_when_until_when_and_what_follows() -> None:
    gone = Deprecation(since=date(2026, 11, 22), sunset=date(2027, 11, 22), successor="/new/{name}")
    _, headers = ask(route(deprecated=gone))
    assert headers["Deprecation"] == "@1795305600"
    assert headers["Sunset"] == "Mon, 22 Nov 2027 00:00:00 GMT"
    assert headers["Link"] == '</api/new/a%20b>; rel="successor-version"'
    _, endless = ask(route(deprecated=Deprecation(since=date(2026, 11, 22), successor="/new")))
    assert "Sunset" not in endless
    assert "Deprecation" not in ask(route())[1]


def test_the_earlier_systems_names_are_deprecated() -> None:
    answer = ApiClient(World().engine).get("/executions")
    assert (answer.headers["Deprecation"], answer.headers["Link"]) == (
        "@1795305600",
        '</api/runs>; rel="successor-version"',
    )
