"""What attempts leave beside their results: lines, files, a state; by the deployed functions with their own rights."""

import hashlib
from typing import Any

import pytest
import requests

from tests.e2e.conftest import Api

pytestmark = pytest.mark.e2e
TWO_PARTS = 9_000_000


def job_of(api: Api, **config: Any) -> Any:
    return api.job({"kind": "manual"}, type="dummy", config=config)


def test_a_log_is_followed_until_it_is_complete(api: Api) -> None:
    job = job_of(api, log_lines=3, duration_seconds=1)
    run = api.post(f"/jobs/{job['id']}/trigger")
    found: list[str] = []
    page = {"next_cursor": "", "complete": False}
    while not page["complete"]:
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else ""
        page = api.get(f"/runs/{run['id']}/logs?follow=true{cursor}")
        found += [item["message"] for item in page["items"]]
    assert found == ["Line 1 of 3.", "Line 2 of 3.", "Line 3 of 3."]


@pytest.mark.parametrize("size", [10, TWO_PARTS])
def test_a_file_is_fetched_by_its_link_and_by_nothing_else(api: Api, size: int) -> None:
    job = job_of(api, file_bytes=size)
    api.post(f"/jobs/{job['id']}/trigger")
    run = api.finished(job, "SUCCEEDED")
    digest = hashlib.sha256(bytes(size)).hexdigest()
    [file] = run["attempts"][0]["outputs"]
    assert (file["bytes"], file["sha256"]) == (size, digest)
    [linked] = api.get(f"/runs/{run['id']}/outputs")["items"]
    assert requests.get(linked["url"], timeout=10).content == bytes(size)
    assert requests.get(linked["url"].partition("?")[0], timeout=10).status_code == 403


def test_a_state_is_handed_from_run_to_run(api: Api) -> None:
    job = job_of(api, count_runs=True)
    for count in (1, 2):
        api.post(f"/jobs/{job['id']}/trigger")
        assert len(api.runs(job)) == count
        api.finished(job, "SUCCEEDED")
    assert not api.runs(job, "FAILED", "RETRYING")
