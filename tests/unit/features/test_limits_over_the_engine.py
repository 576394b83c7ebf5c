"""Limits by the API, and what they do to runs: their state is shown while it lasts."""

from typing import Any

import pytest

from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.run import Run
from chalicelib.executors.attempt import target_of
from tests.support.api import ApiClient
from tests.support.limited import taken_up
from tests.support.world import NOON, World

HOST = "api.example.com"
HTTP = {"type": "http", "config": {"url": f"https://{HOST.upper()}:8443/hook"}}


@pytest.fixture
def world() -> World:
    world = World()
    object.__setattr__(world.engine, "target_of", target_of)
    return world


@pytest.fixture
def api(world: World) -> ApiClient:
    return ApiClient(world.engine)


def once(api: ApiClient, second: int, **fields: Any) -> str:
    schedule = {"kind": "once", "at": f"2027-01-15T12:00:{second:02}Z"}
    return str(api.create(**{**HTTP, "schedule": schedule, "retry": {"max_attempts": 1}, **fields})["id"])


def test_a_target_shows_who_is_active_and_who_waits(api: ApiClient, world: World) -> None:
    api.put(f"/limits/targets/{HOST}", {"concurrency": 1, "rate": {"limit": 1, "per_seconds": 2}})
    for second in (10, 11, 12):
        once(api, second, timeout_seconds=60)
    seen: list[Any] = []

    def attempt(_job: Job, _run: Run) -> Outcome:
        if not seen:
            world.advance(5)
            seen.append(api.get(f"/limits/targets/{HOST}").json["state"])
            seen.append([run["waiting_at"] for run in api.get("/runs").json["items"]])
        return Succeeded({})

    world.outcome = attempt
    world.advance(60)
    assert (seen[0]["active"], seen[0]["waiting"]) == (1, 2)
    assert seen[0]["next_start_at"] == "2027-01-15T12:00:15Z"
    assert seen[1] == [f"target:{HOST}", f"target:{HOST}", None]
    after = api.get(f"/limits/targets/{HOST}").json["state"]
    assert (after["active"], after["waiting"]) == (0, 0)


def test_a_breaker_shows_its_state(api: ApiClient, world: World) -> None:
    path = f"/limits/targets/{HOST}"
    api.put(path, {"breaker": {"failures": 2, "open_seconds": 30}})
    for second in (10, 13, 16):
        once(api, second)
    world.outcome = lambda _job, _run: (
        Failed("http_5xx", "503", 503) if world.clock.ms < NOON + 20_000 else Succeeded({})
    )
    world.advance(11)
    counting = api.get(path).json["state"]["breaker"]
    assert (counting["state"], counting["failures"], counting["since"]) == (
        "closed",
        1,
        "2027-01-15T12:00:10Z",
    )
    world.advance(6)
    shown = api.get(path).json["state"]
    assert shown["waiting"] == 1
    assert shown["breaker"] == {
        "state": "open",
        "failures": 2,
        "since": "2027-01-15T12:00:13Z",
        "open_until": "2027-01-15T12:00:43Z",
    }
    world.advance(60)
    assert api.get(path).json["state"]["breaker"]["state"] == "closed"


def test_more_room_is_used_at_once_and_no_limit_lets_all_go(api: ApiClient, world: World) -> None:
    api.put("/limits/tenant", {"concurrency": 1})
    for second in (10, 11, 11, 11, 11, 11):
        once(api, second, timeout_seconds=60)
    order: list[int] = []

    def attempt(_job: Job, _run: Run) -> Outcome:
        order.append(world.clock.now_ms() - NOON)
        if len(order) == 1:
            world.advance(12)
            api.put("/limits/tenant", {"concurrency": 3})
            world.advance(3)
            api.delete("/limits/tenant")
            world.advance(12)
        return Succeeded({})

    world.outcome = attempt
    world.advance(150)
    assert len(order) == 6
    assert order[1] <= 25_000
    assert taken_up(world) == []


def test_an_override_that_leads_elsewhere_passes_the_other_targets_gate(api: ApiClient, world: World) -> None:
    api.put(f"/limits/targets/{HOST}", {"rate": {"limit": 1, "per_seconds": 60}})
    job = api.create(**HTTP, schedule={"kind": "manual"})["id"]
    elsewhere = {"config": {"url": "https://other.example.com/"}}
    for body in ({}, {}, elsewhere, elsewhere):
        api.post(f"/jobs/{job}/trigger", body)
    world.advance(30)
    assert len(world.executed) == 3
    (waiting,) = [run for run in api.get("/runs").json["items"] if run["status"] == "PENDING"]
    assert waiting["next_attempt_at"] == "2027-01-15T12:01:00Z"
