"""The deployed app answers requests that are made of its own description as the description says."""

import pytest

from tests.e2e.conftest import Api
from tests.support.described import explored

pytestmark = pytest.mark.e2e


def test_requests_made_of_the_description_are_answered_as_it_says(api: Api) -> None:
    job_id = api.job({"kind": "manual"}, type="dummy")["id"]
    run_id = api.post(f"/jobs/{job_id}/trigger")["id"]
    known = {"job_id": job_id, "run_id": run_id, "revision": "1", "type": "http"}
    found = explored(api.get("/openapi.json"), api.url, known, examples=6, key=api.key)
    assert not found.failures
    assert {200, 404, 422} <= set(found.statuses)
