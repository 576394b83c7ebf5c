"""No value of a parameter, in the path or behind it, is answered with a fault of ours."""

from typing import Any

import pytest

from chalicelib.features.base import Route
from chalicelib.http.docs import routes
from tests.support.two_tenants import Two, label, named_in, things_of, two

ODD = [
    *("", "\x00", "%", "null", "[]", "{}", "../..", "a,b,,", "x" * 5_000, "\ud800", "\u202e"),
    *("-1", "9" * 400, "1e999", "NaN", "true"),
    *("2027-02-30T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59"),
]
TAKING = [route for route in routes() if "{" in route.path or route.query.model_fields]


@pytest.fixture
def sides() -> Two:
    both = two()
    both.put_back()
    return both


def status(sides: Two, route: Route, things: dict[str, str], query: dict[str, list[str]]) -> int:
    """As the gateway hands it over: decoded, whatever it is."""
    event: dict[str, Any] = {
        "requestContext": {"resourcePath": route.path, "httpMethod": route.method},
        "pathParameters": things,
        "multiValueQueryStringParameters": query,
        "headers": sides.own.headers["owner"],
    }
    return int(sides.api.app(event, None)["statusCode"])


@pytest.mark.parametrize("route", TAKING, ids=label)
def test_no_parameter_is_answered_with_a_fault_of_ours(sides: Two, route: Route) -> None:
    names = named_in(route)
    things = dict.fromkeys(names, "made-up") if route.public else things_of(sides.own, route)
    fields = [field.alias or name for name, field in route.query.model_fields.items()]
    for odd in ODD:
        found = {name: status(sides, route, {**things, name: odd}, {}) for name in names}
        found |= {f"?{name}": status(sides, route, things, {name: [odd]}) for name in fields}
        assert {name: code for name, code in found.items() if code >= 500} == {}, odd
