"""Limits over HTTP: set, shown with their state, listed, taken away."""

from typing import Any

import pytest

from chalicelib.domain.limits import MAX_TARGETS, Limits
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.limits import limits_key
from chalicelib.ports.table import Put
from tests.support.api import ApiClient

RATE = {"limit": 5, "per_seconds": 1}
BREAKER = {"failures": 3, "within_seconds": 60, "open_seconds": 30}
QUIET = {"active": 0, "waiting": 0, "next_start_at": None, "breaker": None}


def test_a_tenant_has_no_limits_at_first_and_then_those_that_were_put(api: ApiClient) -> None:
    first = api.get("/limits/tenant")
    assert (first.status, first.headers["ETag"]) == (200, '"0"')
    assert first.json == {"concurrency": None, "rate": None, "state": QUIET}
    put = api.put("/limits/tenant", {"concurrency": 10, "rate": RATE})
    assert (put.status, put.headers["ETag"]) == (200, '"1"')
    assert (put.json["concurrency"], put.json["rate"]) == (10, {**RATE, "burst": 1})
    assert put.json["state"]["next_start_at"] == "2027-01-15T12:00:00Z"
    assert api.get("/limits/tenant").json == put.json
    assert api.delete("/limits/tenant").status == 204
    assert api.get("/limits/tenant").json["concurrency"] is None


def test_a_targets_limits_are_put_shown_and_taken_away(api: ApiClient) -> None:
    path = "/limits/targets/api.example.com"
    assert api.get(path).status == 404
    put = api.put(path, {"concurrency": 2, "breaker": BREAKER})
    assert put.status == 200
    assert put.json == {
        "host": "api.example.com",
        "concurrency": 2,
        "rate": None,
        "breaker": BREAKER,
        "state": {
            **QUIET,
            "breaker": {"state": "closed", "failures": 0, "since": None, "open_until": None},
        },
    }
    assert api.get(path).json == put.json
    assert api.put(path, {"rate": RATE}).json["breaker"] is None, "a PUT replaces all of it"
    assert api.delete(path).status == 204
    assert (api.get(path).status, api.delete(path).status) == (404, 404)


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("API.Example.COM.", "api.example.com"),
        ("b%C3%BCcher.example", "xn--bcher-kva.example"),
        ("192.0.2.7", "192.0.2.7"),
        ("%5B2001:DB8:0:0::1%5D", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_a_host_is_one_target_however_it_is_written(api: ApiClient, written: str, named: str) -> None:
    assert api.put(f"/limits/targets/{written}", {"concurrency": 1}).json["host"] == named
    assert api.get(f"/limits/targets/{named}").status == 200


@pytest.mark.parametrize(
    "host", ["a b", "example.com:443", "https%3A", "a%23b", "%00", "x" * 254, "-%2F-", "."]
)
def test_what_is_no_host_cannot_be_limited(api: ApiClient, host: str) -> None:
    put = api.put(f"/limits/targets/{host}", {"concurrency": 1}, documented=False)
    assert put.status in (404, 422)
    if put.status == 422:
        assert put.pointers == {"/host": "host"}
    assert api.get(f"/limits/targets/{host}", documented=False).status == 404


@pytest.mark.parametrize(
    ("path", "body", "pointers"),
    [
        ("tenant", {"concurrency": 0}, {"/concurrency": "greater_than_equal"}),
        ("tenant", {"concurrency": 501}, {"/concurrency": "less_than_equal"}),
        ("tenant", {"breaker": BREAKER}, {"/breaker": "unknown_field"}),
        ("tenant", {"rate": {"limit": 0}}, {"/rate/limit": "greater_than_equal"}),
        ("tenant", {"rate": {}}, {"/rate/limit": "required"}),
        ("targets/a.example", {"rate": 5}, {"/rate": "wrong_type"}),
        ("targets/a.example", {"breaker": {"failures": 0}}, {"/breaker/failures": "greater_than_equal"}),
        (
            "targets/a.example",
            {"breaker": {"open_seconds": 3601}},
            {"/breaker/open_seconds": "less_than_equal"},
        ),
        ("targets/a.example", {"host": "b.example"}, {"/host": "unknown_field"}),
    ],
)
def test_each_bad_field_of_a_limit_is_named(
    api: ApiClient, path: str, body: dict[str, Any], pointers: dict[str, str]
) -> None:
    answer = api.put(f"/limits/{path}", body)
    assert (answer.status, answer.pointers) == (422, pointers)


def test_limits_are_changed_if_nobody_else_has_changed_them(api: ApiClient) -> None:
    api.put("/limits/tenant", {"concurrency": 10})
    stale = {"If-Match": '"0"'}
    for method, path, body in (
        ("PUT", "/limits/tenant", {"concurrency": 5}),
        ("DELETE", "/limits/tenant", None),
        ("PUT", "/limits/targets/a.example", {"concurrency": 5}),
        ("DELETE", "/limits/targets/a.example", None),
    ):
        assert api(method, path, body, headers=stale).status == 412
    assert api.put("/limits/tenant", {"concurrency": 5}, headers={"If-Match": '"1"'}).headers["ETag"] == '"2"'


def test_targets_are_listed_by_name_page_by_page(api: ApiClient) -> None:
    for name in ("c.example", "a.example", "b.example"):
        api.put(f"/limits/targets/{name}", {"concurrency": 1})
    first = api.get("/limits/targets?limit=2").json
    assert [item["host"] for item in first["items"]] == ["a.example", "b.example"]
    second = api.get(f"/limits/targets?limit=2&cursor={first['next_cursor']}").json
    assert ([item["host"] for item in second["items"]], second["next_cursor"]) == (["c.example"], None)


def test_the_number_of_targets_with_limits_has_a_bound(api: ApiClient, engine: Engine) -> None:
    pk, sk = limits_key("local")
    targets = {f"{number}.example": {"concurrency": 1} for number in range(MAX_TARGETS)}
    doc = Limits.model_validate({"targets": targets}).model_dump_json(exclude_none=True)
    engine.db.catalog.write(Put({"pk": pk, "sk": sk, "revision": 1, "doc": doc}))
    assert api.put("/limits/targets/0.example", {"concurrency": 2}).status == 200
    assert api.put("/limits/targets/new.example", {"concurrency": 2}).status == 409
