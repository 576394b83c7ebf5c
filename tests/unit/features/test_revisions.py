"""Revisions under failing parts and differing clocks."""

from collections.abc import Iterable

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.ports.table import Item
from tests.support.api import ApiClient
from tests.support.memory import MemoryTable
from tests.support.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def api(world: World) -> ApiClient:
    return ApiClient(world.engine)


class CannotPutMany(MemoryTable):
    """Refuses batches."""

    def put_all(self, items: Iterable[Item]) -> None:
        raise Unavailable("DynamoDB did not answer.")


def test_a_clock_that_goes_back_does_not_put_a_revision_before_the_one_it_follows(
    api: ApiClient, world: World
) -> None:
    url = f"/jobs/{api.create()['id']}"
    world.clock.ms -= 5000
    api.patch(url, {"name": "weekly"})
    saved = [item["saved_at"] for item in api.get(f"{url}/revisions").json["items"]]
    assert saved == ["2027-01-15T12:00:00Z", "2027-01-15T12:00:00Z"]


def test_a_delete_stands_also_if_the_older_revisions_cannot_be_shortened_and_they_expire_all_the_same(
    api: ApiClient, world: World
) -> None:
    url = f"/jobs/{api.create()['id']}"
    api.patch(url, {"name": "weekly"})
    broken = CannotPutMany()
    broken.items = world.db.catalog.items
    world.db.catalog = broken
    assert api.delete(url).status == 204
    assert any(level == "warning" for level, *_ in world.telemetry.lines)
    revisions = [item for (_, sk), item in broken.items.items() if sk.startswith("revision#")]
    assert len(revisions) == 3
    assert all("expires_at" in item for item in revisions)


def test_a_job_saved_before_there_were_revisions_has_them_from_its_first_change_on(
    api: ApiClient, world: World
) -> None:
    job = world.job("0 * * * *")
    api.patch(f"/jobs/{job.id}", {"name": "weekly"})
    items = api.get(f"/jobs/{job.id}/revisions").json["items"]
    assert [(item["revision"], item["changed"]) for item in items] == [(2, ["/name"]), (1, [])]
