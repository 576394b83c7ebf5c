"""The API answers requests that are made of its own description as the description says."""

import json

from chalicelib.http.docs import openapi_json
from tests.support.api import ApiClient
from tests.support.described import explored
from tests.support.served import served
from tests.support.world import World


def test_requests_made_of_the_description_are_answered_as_it_says() -> None:
    api = ApiClient(World().engine)
    for number in range(3):
        api.create(name=f"job {number}")
    api.post("/calendars", {"name": "holidays"})
    job_id = api.create(schedule={"kind": "manual"})["id"]
    run_id = api.post(f"/jobs/{job_id}/trigger").json["id"]
    known = {"job_id": job_id, "run_id": run_id, "name": "holidays", "revision": "1", "host": "example.com"}
    known["type"] = "http"
    with served(api.app) as url:
        found = explored(json.loads(openapi_json()), url, known, examples=5)
    assert not found.failures
    assert {200, 201, 202, 204, 404, 422} <= set(found.statuses)
