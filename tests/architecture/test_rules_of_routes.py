"""Each route says which permission it needs."""

import pytest

from chalicelib.domain.permissions import PERMISSIONS, ROLES
from chalicelib.features.base import Route
from chalicelib.http.docs import routes


@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{route.method} {route.path}")
def test_a_route_is_public_or_names_its_permission(route: Route) -> None:
    if route.public:
        assert not route.rule, "who is let in without a key needs no permission"
    else:
        assert route.rule in PERMISSIONS, "a route without a rule would be open to every role"


def test_what_only_reads_needs_no_more_than_reading() -> None:
    assert {r.rule.partition(":")[2] for r in routes() if r.method == "GET" and not r.public} == {"read"}
    changing = {r.rule.partition(":")[2] for r in routes() if r.method in ("PUT", "PATCH", "DELETE")}
    assert changing == {"write", "own"}


def test_every_permission_is_asked_for_somewhere_and_held_by_somebody() -> None:
    asked = {route.rule for route in routes() if not route.public}
    assert asked == PERMISSIONS
    assert set().union(*ROLES.values()) <= PERMISSIONS
