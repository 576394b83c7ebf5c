"""Jobs under concurrent hands and failing parts: what the api promises then."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.engine.records import decode_job
from tests.support.api import HTTP_JOB, ApiClient
from tests.support.interference import Interfered, interfered
from tests.support.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def db(world: World) -> Interfered:
    return interfered(world)


@pytest.fixture
def api(world: World) -> ApiClient:
    return ApiClient(world.engine)


def rename(db: Interfered) -> Callable[[], None]:
    """Someone else's change of the only job."""

    def change() -> None:
        [(key, item)] = [row for row in db.catalog.items.items() if row[0][1] == "job"]
        job = decode_job(item)
        document = job.model_copy(update={"revision": job.revision + 1, "description": "theirs"})
        db.catalog.items[key] = {
            **item,
            "revision": job.revision + 1,
            "doc": document.model_dump_json(exclude_none=True),
        }

    return change


def test_two_changes_of_different_fields_both_hold(api: ApiClient, db: Interfered) -> None:
    url = f"/jobs/{api.create()['id']}"
    db.before, db.times = rename(db), 1
    answer = api.patch(url, {"name": "ours"})
    assert (answer.json["name"], answer.json["description"], answer.json["revision"]) == ("ours", "theirs", 3)


def test_a_change_with_if_match_loses_against_another_that_came_first(api: ApiClient, db: Interfered) -> None:
    url = f"/jobs/{api.create()['id']}"
    db.before, db.times = rename(db), 1
    answer = api.patch(url, {"name": "ours"}, headers={"If-Match": '"1"'})
    assert answer.status == 412
    assert api.get(url).json["name"] == HTTP_JOB["name"]


@pytest.mark.parametrize(
    ("method", "body"), [("PATCH", {"name": "ours"}), ("PUT", {**HTTP_JOB, "name": "ours"})]
)
def test_a_change_that_always_comes_second_gives_up_with_a_conflict(
    api: ApiClient, db: Interfered, method: str, body: Any
) -> None:
    url = f"/jobs/{api.create()['id']}"
    db.before, db.times = rename(db), 100
    assert api(method, url, body).status == 409


def test_a_job_deleted_in_the_middle_of_a_change_is_not_found_and_does_not_come_back(
    api: ApiClient, db: Interfered
) -> None:
    url = f"/jobs/{api.create()['id']}"
    db.before, db.times = db.catalog.items.clear, 1
    assert api.patch(url, {"name": "ours"}).status == 404
    assert not [item for item in db.catalog.items.values() if "trail" not in str(item["pk"])]


def test_a_delete_with_if_match_spares_a_job_that_changed(api: ApiClient, db: Interfered) -> None:
    url = f"/jobs/{api.create()['id']}"
    db.before, db.times = rename(db), 1
    assert api.delete(url, headers={"If-Match": '"1"'}).status == 412
    assert api.get(url).status == 200


def test_a_queue_that_refuses_does_not_undo_what_was_committed(api: ApiClient, world: World) -> None:
    world.queue.failures.append(Unavailable("SQS did not answer."))
    url = f"/jobs/{api.create(type='dummy', config={})['id']}"
    answer = api.post(f"{url}/trigger")
    assert answer.status == 202
    assert any(level == "warning" for level, *_ in world.telemetry.lines)
    world.tick()
    world.deliver()
    assert api.get(f"/runs/{answer.json['id']}").json["status"] == "SUCCEEDED"


def test_a_table_that_does_not_answer_is_a_503_with_a_time_to_come_again(
    api: ApiClient, db: Interfered
) -> None:
    def fail() -> None:
        raise Unavailable("DynamoDB did not answer.")

    db.before, db.times = fail, 1
    answer = api.post("/jobs", HTTP_JOB)
    assert (answer.status, answer.json["code"], answer.headers["Retry-After"]) == (503, "unavailable", "5")
    assert not [pk for pk, _ in db.catalog.items if not pk.endswith("#trail")]


def test_a_table_that_does_not_answer_makes_health_unavailable(api: ApiClient, db: Interfered) -> None:
    def fail(_key: object) -> None:
        raise Unavailable("DynamoDB did not answer.")

    db.runs.get = fail  # type: ignore[method-assign]
    answer = api.get("/health")
    assert (answer.status, answer.json["status"]) == (503, "unavailable")
    assert answer.json["checks"]["tables"] == {"catalog": "ok", "timers": "ok", "runs": "unreachable"}
