"""Limits of a target, against the packaged app on the emulator, which enforces the functions' policies."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Api
from tests.support.target import Target
from tests.support.waiting import all_the_while, eventually

pytestmark = pytest.mark.e2e

PATH = "/limits/targets/localhost"
"""The other tests' servers are at 127.0.0.1: these limits are not theirs."""
FORGOTTEN_SECONDS = 10.5


@pytest.fixture(scope="module", autouse=True)
def limited(api: Api) -> Iterator[None]:
    """Under all kinds of limits at once, known to every worker."""
    breaker = {"failures": 2, "within_seconds": 60, "open_seconds": 4}
    limits = {"concurrency": 1, "rate": {"limit": 20}, "breaker": breaker}
    assert api.call("PUT", PATH, json=limits).ok
    all_the_while(lambda: False, seconds=FORGOTTEN_SECONDS)
    yield
    assert api.call("DELETE", PATH).ok


def job_of(api: Api, server: Target) -> Any:
    url = server.url.replace("127.0.0.1", "localhost")
    return api.http_job({"kind": "manual"}, url, timeout_seconds=30, retry={"max_attempts": 1})


def test_one_run_at_a_time_and_the_next_is_called_when_it_ends(api: Api, server: Target) -> None:
    server.gate.clear()
    job = job_of(api, server)
    runs = [api.post(f"/jobs/{job['id']}/trigger")["id"] for _ in range(3)]
    eventually(lambda: api.get(PATH)["state"]["waiting"] == 2)
    assert (api.get(PATH)["state"]["active"], len(server.calls)) == (1, 1)
    assert [api.get(f"/runs/{run}")["waiting_at"] for run in runs].count("target:localhost") == 2
    server.gate.set()
    eventually(lambda: len(api.runs(job, "SUCCEEDED")) == 3)
    assert len(server.calls) == 3
    eventually(lambda: (api.get(PATH)["state"]["active"], api.get(PATH)["state"]["waiting"]) == (0, 0))


def test_a_target_that_fails_is_left_alone_and_then_tried(api: Api, server: Target) -> None:
    server.status = 503
    job = job_of(api, server)
    for _ in range(2):
        api.post(f"/jobs/{job['id']}/trigger")
    eventually(lambda: api.get(PATH)["state"]["breaker"]["state"] == "open")
    server.status = 200
    for _ in range(2):
        api.post(f"/jobs/{job['id']}/trigger")
    all_the_while(lambda: len(server.calls) > 2, seconds=1)
    eventually(lambda: len(api.runs(job, "SUCCEEDED")) == 2)
    assert len(api.runs(job, "FAILED")) == 2
    assert api.get(PATH)["state"]["breaker"]["state"] == "closed"
