"""Who asked for a run is on its record: the request's id, and its trace, which the run's own requests carry on."""

from chalicelib.engine.records import decode_run, run_key
from tests.support.api import ApiClient
from tests.support.world import TENANT, World

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def test_a_triggered_run_names_its_request_and_goes_on_with_its_trace() -> None:
    world = World()
    api = ApiClient(world.engine)
    job_id = api.create(schedule={"kind": "manual"})["id"]
    answer = api.post(f"/jobs/{job_id}/trigger", headers={"traceparent": PARENT})
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    assert answer.json["trace_id"] == TRACE
    item = world.engine.db.runs.get(run_key(TENANT, answer.json["id"]))
    assert item is not None
    assert decode_run(item).trace == PARENT


def test_without_a_trace_the_run_has_its_own_and_no_more_is_stored() -> None:
    world = World()
    api = ApiClient(world.engine)
    job_id = api.create(schedule={"kind": "manual"})["id"]
    for nonsense in ({}, {"traceparent": "00-nonsense"}):
        answer = api.post(f"/jobs/{job_id}/trigger", headers=nonsense).json
        item = world.engine.db.runs.get(run_key(TENANT, answer["id"]))
        assert item is not None
        assert "trace" not in item
        assert len(answer["trace_id"]) == 32
