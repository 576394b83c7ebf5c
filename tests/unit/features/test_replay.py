"""Idempotency keys of requests that change something but make nothing: a late repeat is told what the first was."""

from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.features.base import Response
from chalicelib.features.idempotency import IdempotencyKey
from chalicelib.features.replay import MAX_KEPT, replayed
from chalicelib.http.docs import routes
from chalicelib.ports.table import Item, Write
from tests.support.api import ApiClient
from tests.support.interference import Interfered, interfered
from tests.support.memory import MemoryTable
from tests.support.world import TENANT, World

KEY = {"Idempotency-Key": "a7-9"}
ONLY_COMPUTE = {"/schedules/preview", "/jobs/estimate"}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def db(world: World) -> Interfered:
    return interfered(world)


@pytest.fixture
def api(world: World, db: Interfered) -> ApiClient:
    return ApiClient(world.engine)


def test_a_pause_that_is_sent_again_does_not_undo_the_resume_since(api: ApiClient) -> None:
    path = f"/jobs/{api.create()['id']}"
    first = api.post(f"{path}/pause", {"note": "n"}, headers=KEY)
    api.post(f"{path}/resume")
    again = api.post(f"{path}/pause", {"note": "n"}, headers=KEY)
    assert (again.status, again.json, again.headers["ETag"]) == (200, first.json, first.headers["ETag"])
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert api.get(path).json["status"] == "active"
    assert api.post(f"{path}/pause", {"note": "n"}).json["status"] == "paused", (
        "without the key it is asked anew"
    )


def test_the_first_answer_comes_again_whatever_the_revision_is_by_then(api: ApiClient) -> None:
    path = f"/jobs/{api.create()['id']}"
    headers = {**KEY, "If-Match": '"1"'}
    statuses = [api.post(f"{path}/pause", headers=headers).status for _ in range(2)]
    assert statuses == [200, 200]
    assert api.post(f"{path}/pause", headers={"If-Match": '"1"'}).status == 412


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [("pause", {"note": "another"}, "another body"), ("pause", None, "no body")],
)
def test_the_same_key_with_something_else_is_refused(
    api: ApiClient, path: str, body: dict[str, Any] | None, why: str
) -> None:
    job = f"/jobs/{api.create()['id']}"
    api.post(f"{job}/{path}", {"note": "n"}, headers=KEY)
    answer = api.post(f"{job}/{path}", body, headers=KEY)
    assert (answer.status, answer.json["code"]) == (422, "idempotency_key_reused"), why


def test_a_key_counts_for_its_own_operation(api: ApiClient) -> None:
    path = f"/jobs/{api.create()['id']}"
    assert [api.post(f"{path}/{act}", headers=KEY).json["status"] for act in ("pause", "resume")] == [
        "paused",
        "active",
    ]


def test_a_refused_request_uses_up_no_key(api: ApiClient, world: World) -> None:
    path = f"/jobs/{api.create()['id']}"
    headers = {**KEY, "If-Match": '"7"'}
    assert api.post(f"{path}/pause", headers=headers).status == 412
    assert api.post(f"{path}/pause", headers=KEY).status == 200


def test_after_a_day_the_key_is_free(api: ApiClient, world: World) -> None:
    path = f"/jobs/{api.create()['id']}"
    api.post(f"{path}/pause", headers=KEY)
    api.post(f"{path}/resume")
    world.clock.sleep(86_400)
    assert "Idempotency-Replayed" not in api.post(f"{path}/pause", headers=KEY).headers


def test_each_post_that_changes_something_honours_a_key() -> None:
    open_posts = [route for route in routes() if route.method == "POST" and not route.public]
    posts = {route.path: route for route in open_posts if not route.secret}
    unheard = {path for path, route in posts.items() if not (route.once or route.replayed)}
    assert unheard == ONLY_COMPUTE
    both = {path for path, route in posts.items() if route.once and route.replayed}
    assert both == {"/jobs/bulk"}, "its answer is kept, and each of the runs that it triggers has a key"


class Away(MemoryTable):
    """It can be read, not written."""

    def write(self, write: Write) -> Item:
        raise Unavailable("The table is away.")


def test_a_change_stands_also_where_its_answer_cannot_be_kept(world: World, db: Interfered) -> None:
    db.catalog = Away()
    answer = replayed(world.engine, TENANT, IdempotencyKey("/x", "k", "f"), lambda: Response("{}"))
    assert answer.status == 200
    assert "not kept" in world.engine.telemetry.lines[-1][1]  # type: ignore[attr-defined]


def test_of_two_at_the_same_moment_both_are_answered(world: World) -> None:
    key = IdempotencyKey("/x", "k", "f")

    def slow() -> Response:
        replayed(world.engine, TENANT, key, lambda: Response('"other"'))
        return Response('"ours"')

    assert replayed(world.engine, TENANT, key, slow).body == '"ours"'
    assert replayed(world.engine, TENANT, key, slow).body == '"other"'


def test_an_answer_that_is_too_large_for_an_item_is_not_kept(world: World) -> None:
    key = IdempotencyKey("/x", "k", "f")
    large = Response("x" * (MAX_KEPT + 1))
    assert [replayed(world.engine, TENANT, key, lambda: large) for _ in range(2)] == [large, large]
