"""The api and the engine together, in memory: what a user asks for, and what then happens."""

import pytest

from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.run import Run
from tests.support.api import ApiClient
from tests.support.world import World

EACH_MINUTE = "0 * * * * *"
DUMMY = {"type": "dummy", "config": {}}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def api(world: World) -> ApiClient:
    return ApiClient(world.engine)


def broken(_job: Job, _run: Run) -> Outcome:
    return Failed("http_5xx", "The answer was 503.", 503)


def test_a_created_job_fires_at_each_of_its_moments_and_its_runs_can_be_read(
    api: ApiClient, world: World
) -> None:
    job_id = api.create(**DUMMY, schedule=EACH_MINUTE)["id"]
    world.advance(190)
    runs = api.get(f"/jobs/{job_id}/runs").json["items"]
    assert [run["nominal_at"] for run in runs] == [f"2027-01-15T12:0{minute}:00Z" for minute in (3, 2, 1)]
    assert {(run["status"], run["drift_ms"]) for run in runs} == {("SUCCEEDED", 0)}


def test_a_paused_job_does_not_fire_not_even_what_was_rung_before(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**DUMMY, schedule=EACH_MINUTE)['id']}"
    world.advance(70)
    api.post(f"{url}/pause")
    world.advance(600)
    assert len(world.executed) == 1


def test_a_resumed_job_runs_the_latest_of_what_it_missed_and_goes_on(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**DUMMY, schedule='0 * * * *')['id']}"
    api.post(f"{url}/pause")
    world.advance(3 * 3600 + 1800)
    api.post(f"{url}/resume")
    world.advance(3600)
    assert [run.nominal_ms for run, _ in world.executed] == [1_800_025_200_000, 1_800_028_800_000]


def test_an_edited_schedule_holds_at_once_also_for_what_was_rung_before(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**DUMMY, schedule=EACH_MINUTE)['id']}"
    world.advance(10)
    api.patch(url, {"schedule": "30 * * * * *"})
    world.advance(100)
    assert [moment % 60_000 for _, moment in world.executed] == [30_000, 30_000]


def test_a_schedule_edited_during_a_pause_has_missed_nothing_before_the_edit(
    api: ApiClient, world: World
) -> None:
    url = f"/jobs/{api.create(**DUMMY, schedule={'kind': 'manual'})['id']}"
    api.post(f"{url}/pause")
    world.advance(7200)
    api.patch(url, {"schedule": "0 * * * *"})
    world.advance(60)
    api.post(f"{url}/resume")
    world.advance(60)
    assert world.executed == []


def test_a_deleted_job_does_not_fire(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**DUMMY, schedule=EACH_MINUTE)['id']}"
    api.delete(url)
    world.advance(300)
    assert world.executed == []


def test_a_failing_job_is_retried_then_dead_then_redriven(api: ApiClient, world: World) -> None:
    world.outcome = broken
    job_id = api.create(**DUMMY, schedule={"kind": "manual"}, retry={"max_attempts": 2})["id"]
    run_id = api.post(f"/jobs/{job_id}/trigger").json["id"]
    world.deliver()
    assert api.get(f"/runs/{run_id}").json["status"] == "RETRYING"
    world.advance(60)
    [letter] = api.get("/dead-letters").json["items"]
    assert (letter["id"], letter["status"], letter["attempt"]) == (run_id, "FAILED", 2)
    assert letter["error"] == {"kind": "http_5xx", "message": "The answer was 503.", "status": 503}
    world.outcome = lambda _job, _run: Succeeded({"rows": 3})
    again = api.post(f"/dead-letters/{run_id}/redrive").json
    world.deliver()
    done = api.get(f"/runs/{again['id']}").json
    assert (done["status"], done["attempts"][0]["result"]) == ("SUCCEEDED", {"rows": 3})


def test_a_job_that_may_take_long_goes_to_the_long_lane(api: ApiClient, world: World) -> None:
    job_id = api.create(**DUMMY, schedule={"kind": "manual"}, timeout_seconds=61)["id"]
    api.post(f"/jobs/{job_id}/trigger")
    assert (len(world.queue.sent), len(world.long_queue.sent)) == (0, 1)
