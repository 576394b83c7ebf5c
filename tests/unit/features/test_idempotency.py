"""Idempotency keys: a POST that comes twice, at once, after a lost answer, or with something else, makes one thing."""

from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed
from tests.support.api import HTTP_JOB, ApiClient
from tests.support.interference import Interfered, interfered
from tests.support.world import World

KEY = {"Idempotency-Key": "a7-9"}
MANUAL = {"type": "dummy", "config": {}, "schedule": {"kind": "manual"}}
DAY_MS = 86_400_000


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def db(world: World) -> Interfered:
    return interfered(world)


@pytest.fixture
def api(world: World, db: Interfered) -> ApiClient:
    return ApiClient(world.engine)


def dead_letter(api: ApiClient, world: World) -> str:
    world.outcome = lambda _job, _run: Failed("http_4xx", "The answer was 404.", 404)
    run_id = api.post(f"/jobs/{api.create(**MANUAL)['id']}/trigger").json["id"]
    world.deliver()
    return str(run_id)


@pytest.fixture(params=["create", "trigger", "redrive"])
def post(request: pytest.FixtureRequest, api: ApiClient, world: World) -> tuple[str, Any]:
    """A request that makes something: its path and body."""
    if request.param == "create":
        return "/jobs", HTTP_JOB
    if request.param == "trigger":
        return f"/jobs/{api.create(**MANUAL)['id']}/trigger", {"note": "n"}
    return f"/dead-letters/{dead_letter(api, world)}/redrive", {}


def things(db: Interfered) -> int:
    """Jobs and runs that there are."""
    return len(db.runs.items) + sum(sk == "job" for _, sk in db.catalog.items)


def test_a_repeat_is_answered_as_the_first_was_and_makes_nothing(
    api: ApiClient, db: Interfered, post: tuple[str, Any]
) -> None:
    before = things(db)
    first, second = (api.post(*post, headers=KEY) for _ in range(2))
    assert (second.status, second.json, second.headers.get("Location")) == (
        first.status,
        first.json,
        first.headers.get("Location"),
    )
    assert (first.status // 100, things(db)) == (2, before + 1)


def test_of_two_at_the_same_moment_one_makes_it_and_both_are_answered_with_it(
    api: ApiClient, db: Interfered, post: tuple[str, Any]
) -> None:
    """The other one comes between our look at the key and our transaction."""
    others: list[Any] = []
    db.before, db.times = lambda: others.append(api.post(*post, headers=KEY)), 1
    before = things(db)
    ours = api.post(*post, headers=KEY)
    assert [(other.status, other.json) for other in others] == [(ours.status, ours.json)]
    assert things(db) == before + 1


def test_without_a_key_two_requests_are_two(api: ApiClient, db: Interfered) -> None:
    url = f"/jobs/{api.create(**MANUAL)['id']}/trigger"
    assert api.post(url).json["id"] != api.post(url).json["id"]


def test_a_lost_answer_is_found_by_the_key_at_once(
    api: ApiClient, db: Interfered, post: tuple[str, Any]
) -> None:
    before = things(db)
    db.lost = 1
    answer = api.post(*post, headers=KEY)
    assert (answer.status // 100, things(db)) == (2, before + 1)
    assert api.post(*post, headers=KEY).json == answer.json


def test_a_request_that_did_not_come_through_may_come_again(
    api: ApiClient, db: Interfered, post: tuple[str, Any]
) -> None:
    def fail() -> None:
        raise Unavailable("DynamoDB did not answer.")

    db.before, db.times = fail, 1
    assert api.post(*post, headers=KEY).status == 503
    assert api.post(*post, headers=KEY).status // 100 == 2


def test_a_refused_request_uses_no_key_up(api: ApiClient) -> None:
    assert api.post("/jobs", {"name": "x"}, headers=KEY).status == 422
    assert api.post("/jobs", HTTP_JOB, headers=KEY).status == 201


@pytest.mark.parametrize("other", [{"note": "other"}, {}, None])
def test_a_key_that_came_with_another_payload_is_refused(api: ApiClient, other: Any) -> None:
    url = f"/jobs/{api.create(**MANUAL)['id']}/trigger"
    api.post(url, {"note": "n"}, headers=KEY)
    answer = api.post(url, other, headers=KEY)
    assert (answer.status, answer.json["code"]) == (422, "idempotency_key_reused")


def test_a_key_that_came_for_another_job_is_refused(api: ApiClient) -> None:
    for expected in (202, 422):
        assert api.post(f"/jobs/{api.create(**MANUAL)['id']}/trigger", headers=KEY).status == expected


def test_one_key_serves_different_operations(api: ApiClient) -> None:
    created = api.post("/jobs", {**HTTP_JOB, **MANUAL}, headers=KEY).json
    assert api.post(f"/jobs/{created['id']}/trigger", headers=KEY).status == 202


def test_the_order_of_names_and_an_empty_body_make_no_difference(api: ApiClient) -> None:
    body, again = {"note": "n", "config": {"output": 1}}, {"config": {"output": 1}, "note": "n"}
    url = f"/jobs/{api.create(**MANUAL)['id']}/trigger"
    assert api.post(url, body, headers=KEY).json == api.post(url, again, headers=KEY).json
    other = {"Idempotency-Key": "other"}
    assert api.post(url, headers=other).json == api.post(url, {}, headers=other).json


def test_a_repeat_shows_the_thing_as_it_is_by_now(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**MANUAL)['id']}/trigger"
    assert api.post(url, headers=KEY).json["status"] == "PENDING"
    world.deliver()
    again = api.post(url, headers=KEY)
    assert (again.status, again.json["status"]) == (202, "SUCCEEDED")


def test_a_repeat_for_a_thing_that_is_gone_makes_no_other(api: ApiClient, db: Interfered) -> None:
    created = api.post("/jobs", HTTP_JOB, headers=KEY).json
    api.delete(f"/jobs/{created['id']}")
    assert api.post("/jobs", HTTP_JOB, headers=KEY).status == 409
    assert things(db) == 0


def test_a_repeat_of_a_trigger_is_answered_though_its_job_is_gone(api: ApiClient) -> None:
    url = f"/jobs/{api.create(**MANUAL)['id']}"
    first = api.post(f"{url}/trigger", headers=KEY).json
    api.delete(url)
    assert api.post(f"{url}/trigger", headers=KEY).json == first
    assert api.post(f"{url}/trigger").status == 404


@pytest.mark.parametrize(("later_ms", "same"), [(DAY_MS - 1000, True), (DAY_MS, False), (9 * DAY_MS, False)])
def test_a_key_is_good_for_a_day_though_its_note_may_lie_there_longer(
    api: ApiClient, world: World, later_ms: int, same: bool
) -> None:
    first = api.post("/jobs", HTTP_JOB, headers=KEY).json
    world.clock.ms += later_ms
    again = api.post("/jobs", HTTP_JOB, headers=KEY)
    assert (again.status, again.json["id"] == first["id"]) == (201, same)


def test_a_note_says_when_it_expires_and_nothing_of_the_payload(api: ApiClient, db: Interfered) -> None:
    api.post("/jobs", {**HTTP_JOB, "config": {"url": "https://example.com/hunter2"}}, headers=KEY)
    [note] = [item for (pk, _), item in db.catalog.items.items() if pk.endswith("#idempotency")]
    assert set(note) == {"pk", "sk", "made", "fingerprint", "expires_at"}
    assert "hunter2" not in str(note)


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\t", "ümlaut", "line\nbreak", "\x7f"])
@pytest.mark.parametrize("path", ["/jobs", "/schedules/preview", "pause"])
def test_a_key_that_is_none_is_refused_on_every_post(api: ApiClient, key: str, path: str) -> None:
    url = f"/jobs/{api.create()['id']}/pause" if path == "pause" else path
    answer = api.post(url, HTTP_JOB if path == "/jobs" else None, headers={"Idempotency-Key": key})
    assert (answer.status, answer.json["code"]) == (400, "malformed_header")


@pytest.mark.parametrize("key", ["x", "x" * 255, '"quoted, and spaced"', "~!@#$%^&*()#"])
def test_any_printable_key_does(api: ApiClient, key: str) -> None:
    headers = {"Idempotency-Key": key}
    first, second = (api.post("/jobs", HTTP_JOB, headers=headers) for _ in range(2))
    assert (first.status, second.json["id"]) == (201, first.json["id"])


def test_a_key_counts_for_each_operation_by_itself(api: ApiClient) -> None:
    url = f"/jobs/{api.create()['id']}"
    for path, body in (
        ("pause", {"note": "a"}),
        ("resume", {}),
        ("skip", {"count": 1}),
    ):
        assert api.post(f"{url}/{path}", body, headers=KEY).status == 200


def test_other_methods_do_not_look_at_the_header(api: ApiClient) -> None:
    assert api.get("/jobs", headers={"Idempotency-Key": "x" * 300}).status == 200


def test_what_was_made_is_in_the_audit_trail_once_also_if_its_answer_was_lost(
    api: ApiClient, db: Interfered, post: tuple[str, Any]
) -> None:
    before = len(api.get("/audit").json["items"])
    db.lost = 1
    made = api.post(*post, headers=KEY).json["id"]
    assert api.post(*post, headers=KEY).json["id"] == made
    [entry, *earlier] = api.get("/audit").json["items"]
    assert len(earlier) == before
    assert [(each["kind"], each["id"]) for each in entry["changes"]] == [("made", made)]
