"""What no route takes: JSON that is none, fields that it does not know, and fields that are not for clients to set."""

import json

import pytest

from chalicelib.features.base import Route
from chalicelib.http.body import MAX_BODY_BYTES
from chalicelib.http.docs import routes
from tests.support.two_tenants import Two, body_of, label, named_in, things_of, two

TAKING = [route for route in routes() if route.body and not route.body.text]
NOT_TO_BE_SET = ("tenant", "id", "revision", "created_by", "created_at", "__proto__", "no_such_field")
DAMAGED: list[tuple[bytes, int, str]] = [
    (b'{"x": NaN}', 400, "NaN"),
    (b'{"x": -Infinity}', 400, "infinity"),
    (b'{"x": 1e999}', 400, "beyond a double"),
    (b'{"x": ' + b"9" * 5_000 + b"}", 400, "a number of 5,000 digits"),
    (b'{"x": 36893488147419103232}', 400, "over 64 bits"),
    (b'{"x": "\\ud800"}', 400, "half a surrogate pair"),
    (b'{"\\udfff": 1}', 400, "half a surrogate pair in a name"),
    (b'{"x": "\xed\xa0\x80"}', 400, "half a surrogate pair in bytes"),
    (b'{"x": ' + b"[" * 100 + b"]" * 100 + b"}", 400, "100 levels deep"),
    (b'{"x":' * 50_000, 400, "50,000 objects that never end"),
    (b'{"x": 1, "x": 2}', 400, "a name twice"),
    (b"[]", 400, "no object"),
    (b'{"x": "' + b"x" * MAX_BODY_BYTES + b'"}', 413, "over 256 KiB"),
]


@pytest.fixture
def sides() -> Two:
    both = two()
    both.put_back()
    return both


def asked(sides: Two, route: Route) -> dict[str, str]:
    return dict.fromkeys(named_in(route), "made-up") if route.public else things_of(sides.own, route)


@pytest.mark.parametrize("route", TAKING, ids=label)
def test_json_that_is_none_is_refused_before_anybody_reads_it(sides: Two, route: Route) -> None:
    for body, status, reason in DAMAGED:
        assert sides.ask(route, asked(sides, route), "owner", body=body).status == status, reason


@pytest.mark.parametrize("route", TAKING, ids=label)
def test_no_field_is_taken_that_is_not_for_clients_to_set(sides: Two, route: Route) -> None:
    known = route.body.model.model_fields if route.body and route.body.model else {}
    wanted = [name for name in NOT_TO_BE_SET if name not in known]
    body = {**(body_of(route) or {}), **dict.fromkeys(wanted, "mine")}
    answer = sides.ask(route, asked(sides, route), "owner", body=json.dumps(body).encode())
    assert answer.status == 422, answer.text
    codes = {answer.pointers.get(f"/{name}") for name in wanted}
    assert codes == {"unknown_field"}, answer.text
