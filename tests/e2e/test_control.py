"""Control of jobs against the packaged app on the emulator, which enforces the functions' policies."""

import pytest

from tests.e2e.conftest import Api, in_seconds, ms
from tests.support.target import Target
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e


def test_failures_in_a_row_pause_a_job_which_a_resume_sets_to_work_again(api: Api, server: Target) -> None:
    server.status = 503
    fields = {"retry": {"max_attempts": 1}, "pause_after_failures": 2, "misfire": {"policy": "skip"}}
    job = api.http_job("* * * * * *", server.url, **fields)
    eventually(lambda: api.get(f"/jobs/{job['id']}")["status"] == "paused", seconds=30)
    assert api.get(f"/jobs/{job['id']}")["pause"]["cause"] == "failures"
    server.status = 200
    assert api.post(f"/jobs/{job['id']}/resume")["pause"] is None
    assert eventually(lambda: api.runs(job, "SUCCEEDED"), seconds=30)
    api.call("DELETE", f"/jobs/{job['id']}")


def test_a_pause_ends_at_its_moment_without_a_tick(api: Api, server: Target) -> None:
    job = api.http_job({"kind": "once", "at": in_seconds(4)}, server.url)
    until = in_seconds(9)
    assert api.post(f"/jobs/{job['id']}/pause", {"note": "n", "until": until})["pause"]["until"] == until
    run = api.finished(job, "SUCCEEDED", seconds=30)
    (call,) = server.calls
    assert call.at_ms >= ms(until), "never early"
    assert (run["nominal_at"], run["scheduled_at"], run["skip_reason"]) == (
        job["schedule"]["at"],
        until,
        None,
    )


def test_a_trigger_that_is_sent_twice_runs_once_with_its_config(api: Api, server: Target) -> None:
    job = api.http_job({"kind": "manual"}, server.url, config={"method": "POST"})
    sent = {"json": {"config": {"method": "PUT"}, "note": "n"}, "headers": {"Idempotency-Key": job["id"]}}
    first, second = (api.call("POST", f"/jobs/{job['id']}/trigger", **sent).json() for _ in range(2))
    assert second["id"] == first["id"]
    assert api.finished(job, "SUCCEEDED")["overrides"] == {"method": "PUT"}
    assert [call.method for call in server.calls] == ["PUT"]
