"""What one tenant has been given is worth nothing in another, and no name in a body or a query reaches across."""

from typing import Any

import pytest

from chalicelib.features.base import Route
from chalicelib.http.docs import routes
from tests.support.api import Answer
from tests.support.two_tenants import THINGS, Side, Two, label, things_of, two

PAGED = [
    route
    for route in routes()
    if route.method == "GET" and not route.public and "cursor" in route.query.model_fields
]


@pytest.fixture
def sides() -> Two:
    both = two()
    both.put_back()
    for side in (both.own, both.other):
        for number in range(2):
            side.call("POST", "/jobs", {"name": f"more {number}", "type": "dummy"})
            side.call("POST", "/calendars", {"name": f"more-{number}"})
            side.call("PUT", f"/limits/targets/more-{number}.example", {"concurrency": 1})
        THINGS["/dead-letters/{run_id}"](side)
        THINGS["invitation_id"](side)
        THINGS["key_id"](side)
        side.call("POST", "/tenants", {"name": "More"})
        job = side.things["job_id"]
        side.call("POST", f"/jobs/{job}/pause")
        stretch = {"start": "2027-01-13T00:00:00Z", "end": "2027-01-14T00:00:00Z"}
        side.call("POST", f"/jobs/{job}/backfills", stretch)
    return both


def ask(sides: Two, side: Side, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    return sides.api(method, path, body, headers={**side.headers["owner"], **headers})


def cursor_in(answer: Answer) -> str | None:
    found: str | None = answer.headers.get("Next-Cursor")
    return found or answer.json["next_cursor"]


def page(sides: Two, side: Side, route: Route, cursor: str = "") -> Answer:
    """The first item of a list of the other's things, as one of a tenant asks for it."""
    path = route.path
    for name, value in things_of(sides.other, route).items():
        path = path.replace(f"{{{name}}}", value)
    return ask(sides, side, "GET", f"{path}?limit=1" + (f"&cursor={cursor}" if cursor else ""))


@pytest.mark.parametrize("route", PAGED, ids=label)
def test_a_cursor_of_another_tenant_leads_nowhere(sides: Two, route: Route) -> None:
    cursor = cursor_in(page(sides, sides.other, route))
    assert cursor, "this list needs a second item in the fixture"
    assert page(sides, sides.other, route, cursor).status == 200
    answer = page(sides, sides.own, route, cursor)
    assert (answer.status, answer.pointers) == (422, {"/query/cursor": "bad_cursor"})


def test_an_idempotency_key_of_another_tenant_is_a_new_one(sides: Two) -> None:
    job = {"name": "the same", "type": "dummy"}
    made = [
        ask(sides, side, "POST", "/jobs", job, **{"Idempotency-Key": "one"}).json["id"]
        for side in (sides.other, sides.own, sides.own)
    ]
    assert made[0] != made[1] == made[2]
    for side in (sides.other, sides.own):
        url = f"/jobs/{side.things['job_id']}/pause"
        answer = ask(sides, side, "POST", url, {"note": "n"}, **{"Idempotency-Key": "two"})
        assert (answer.status, "Idempotency-Replayed" in answer.headers) == (200, False)


def test_a_calendar_of_another_tenant_is_no_calendar(sides: Two) -> None:
    answers = []
    for name in (sides.other.things["name"], "days-of-nowhere"):
        job = {"name": "x", "type": "dummy", "schedule": "0 9 * * *", "calendar": name}
        answer = ask(sides, sides.own, "POST", "/jobs", job)
        answers.append((answer.status, answer.pointers, answer.text.count(name)))
    assert answers[0] == answers[1]
    assert answers[0][0] == 422


FILTERS: list[dict[str, Any]] = [
    {"owner": "{owner}"},
    {"text": "{job_id}"},
    {"name": "of elsewhere"},
]


@pytest.mark.parametrize("filter_", FILTERS, ids=lambda each: next(iter(each)))
def test_no_filter_finds_another_tenants_jobs(sides: Two, filter_: dict[str, str]) -> None:
    theirs = ask(sides, sides.other, "GET", f"/jobs/{sides.other.things['job_id']}").json
    known = {"owner": theirs["owner"], "job_id": theirs["id"]}
    ((name, value),) = ((name, value.format(**known)) for name, value in filter_.items())
    for path in ("/jobs", "/jobs/export"):
        found = ask(sides, sides.own, "GET", f"{path}?{name}={value.replace(' ', '%20')}").json
        assert not found.get("items", found.get("jobs"))
    body = {"action": "delete", "filter": {name: value}}
    assert ask(sides, sides.own, "POST", "/jobs/bulk", body).json["items"] == []
    assert ask(sides, sides.other, "GET", f"/jobs/{theirs['id']}").status == 200


def test_runs_of_another_tenants_job_are_none(sides: Two) -> None:
    theirs = sides.other.things["job_id"]
    for path in ("/runs", "/executions", "/dead-letters"):
        answer = ask(sides, sides.own, "GET", f"{path}?job={theirs}")
        assert (answer.status, answer.json["items"]) == (200, [])


def test_an_import_meets_no_job_of_another_tenant(sides: Two) -> None:
    body = {"jobs": [{"name": "of elsewhere", "type": "dummy"}]}
    answer = ask(sides, sides.own, "POST", "/jobs/import?on_conflict=replace", body)
    assert [item["outcome"] for item in answer.json["items"]] == ["created"]
