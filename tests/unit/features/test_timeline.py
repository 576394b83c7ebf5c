"""Timelines of jobs with an unusual history."""

from typing import Any

import pytest

from chalicelib.engine.ledger.revisions import read_revision, revision_key
from tests.support.api import ApiClient
from tests.support.world import World

WINDOW = "from=2027-01-15T12:00:00Z&to=2027-01-15T18:00:00Z"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def api(world: World) -> ApiClient:
    return ApiClient(world.engine)


def test_a_job_changed_very_often_is_told_in_full_in_more_pages(api: ApiClient, world: World) -> None:
    job_id = api.create(type="dummy", config={}, schedule="0 * * * *")["id"]
    for number in range(130):
        world.clock.ms += 120_000
        api.patch(f"/jobs/{job_id}", {"description": str(number)})
    items, cursor = list[dict[str, Any]](), ""
    while cursor is not None:
        page = api.get(f"/jobs/{job_id}/timeline?{WINDOW}" + (f"&cursor={cursor}" if cursor else "")).json
        items += page["items"]
        cursor = page["next_cursor"]
    expected = [("13", 30), ("14", 60), ("15", 90), ("16", 120), ("17", 131)]
    assert [(item["nominal_at"][11:13], item["revision"]) for item in items] == expected


def test_a_job_saved_before_there_were_revisions_has_a_timeline(api: ApiClient, world: World) -> None:
    job = world.job("0 * * * *")
    items = api.get(f"/jobs/{job.id}/timeline?{WINDOW}").json["items"]
    assert [item["nominal_at"][11:13] for item in items] == ["13", "14", "15", "16", "17"]


def test_a_schedule_that_cannot_be_read_any_more_is_a_gap(api: ApiClient, world: World) -> None:
    job_id = api.create(type="dummy", config={}, schedule="0 * * * *")["id"]
    world.clock.ms += 7_200_000
    api.patch(f"/jobs/{job_id}", {"schedule": "30 * * * *"})
    assert read_revision(world.engine, "local", job_id, 1)
    item = world.db.catalog.items[revision_key("local", job_id, 1)]
    item["doc"] = str(item["doc"]).replace("0 * * * *", "every full moon")
    told = api.get(f"/jobs/{job_id}/timeline?{WINDOW}").json
    assert [item["nominal_at"][11:16] for item in told["items"]] == ["14:30", "15:30", "16:30", "17:30"]
    [gap] = told["gaps"]
    assert (gap["from_at"], gap["until_at"]) == ("2027-01-15T12:00:00Z", "2027-01-15T14:00:00Z")
