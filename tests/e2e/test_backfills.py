"""Backfills by the packaged app on the emulator, which enforces the functions' policies."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.conftest import Api
from tests.support.target import Target
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e


def last_hours(count: int) -> dict[str, str]:
    """The last whole hours that are over."""
    end = int(time.time()) // 3600 * 3600
    return {
        name: datetime.fromtimestamp(at, UTC).isoformat()
        for name, at in (("start", end - count * 3600), ("end", end))
    }


def view(api: Api, begun: Any) -> Any:
    return api.get(f"/backfills/{begun['id']}")


def test_the_workers_carry_a_backfill_from_one_run_to_the_next(api: Api, server: Target) -> None:
    job = api.http_job("0 * * * *", server.url)
    begun = api.post(f"/jobs/{job['id']}/backfills", {**last_hours(5), "reprocess": "none"})
    eventually(lambda: view(api, begun)["status"] == "completed", seconds=40)
    assert view(api, begun)["progress"]["ended"] == {"SUCCEEDED": 5}
    scheduled = [call.headers["idempotency-key"] for call in server.calls]
    assert (len(scheduled), scheduled) == (5, sorted(scheduled)), "the oldest first, each once"


def test_the_dispatcher_goes_on_where_no_worker_does(api: Api, server: Target) -> None:
    server.status = 503
    retry = {"max_attempts": 2, "strategy": "fixed", "initial_delay_seconds": 900, "jitter": "none"}
    job = api.http_job("0 * * * *", server.url, retry=retry)
    begun = api.post(f"/jobs/{job['id']}/backfills", last_hours(2))
    [waiting] = begun["active_runs"]
    eventually(lambda: api.get(f"/runs/{waiting}")["status"] == "RETRYING")
    server.status = 200
    assert api.post(f"/runs/{waiting}/cancel")["status"] == "CANCELLED"
    eventually(lambda: view(api, begun)["status"] == "completed", seconds=150)
    assert view(api, begun)["progress"]["ended"] == {"CANCELLED": 1, "SUCCEEDED": 1}
