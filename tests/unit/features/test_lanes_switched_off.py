"""A lane that its operator has switched off: no job is saved that nobody would run."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.lanes import LANES
from chalicelib.executors import registry
from tests.support.api import ApiClient
from tests.support.world import World

SCRIPT: dict[str, Any] = {"type": "script", "config": {"script": "true"}}
MANUAL = {"name": "job", "schedule": {"kind": "manual"}}


@pytest.fixture
def world() -> World:
    world = World()
    object.__setattr__(world.engine, "class_of", registry.lane)
    return world


def without(world: World, lane: str) -> ApiClient:
    """The api after its operator has switched the lane off."""
    on = frozenset(each for each in LANES if each != lane)
    return ApiClient(replace(world.engine, settings=replace(world.engine.settings, lanes_on=on)))


def test_a_job_of_a_type_whose_lane_is_off_is_refused_and_others_are_not(world: World) -> None:
    api = without(world, "script")
    answer = api.post("/jobs", {**MANUAL, **SCRIPT})
    assert (answer.status, answer.pointers) == (422, {"/type": "lane_is_off"})
    assert "add script to LANES" in answer.text
    assert api.post("/jobs", {**MANUAL, "type": "dummy"}).status == 201
    assert ApiClient(world.engine).post("/jobs", {**MANUAL, **SCRIPT}).status == 201


def test_nor_does_a_job_become_one(world: World) -> None:
    api = without(world, "script")
    job = api.post("/jobs", {**MANUAL, "type": "dummy"}).json
    answer = api("PUT", f"/jobs/{job['id']}", {**MANUAL, **SCRIPT})
    assert (answer.status, answer.pointers) == (422, {"/type": "lane_is_off"})


def test_one_that_is_there_can_still_be_changed_and_deleted(world: World) -> None:
    job = ApiClient(world.engine).post("/jobs", {**MANUAL, **SCRIPT}).json
    api, path = without(world, "script"), f"/jobs/{job['id']}"
    assert api("PATCH", path, {"name": "renamed"}, media_type="application/merge-patch+json").status == 200
    assert api("DELETE", path).status == 204


def test_the_types_say_whether_they_are_available(world: World) -> None:
    found = {
        each["type"]: each["available"] for each in without(world, "data").get("/job-types").json["items"]
    }
    assert found == {type_: registry.lane(type_) != "data" for type_ in registry.types()}
