"""What a user does first, against the packaged app on the emulator, which enforces the functions' policies."""

import json
import os
import signal
from itertools import pairwise

import pytest

from chalicelib.domain.ids import run_id
from chalicelib.engine.message import RunMessage
from infra.local.fixtures import Stack
from tests.e2e.conftest import Api, in_seconds, ms
from tests.support.target import Target
from tests.support.waiting import all_the_while, eventually

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="session", autouse=True)
def far_job(api: Api) -> dict[str, str]:
    """Due beyond the horizon, so that only the dispatcher can ring it; created first, since it takes two minutes."""
    job: dict[str, str] = api.job({"kind": "once", "at": in_seconds(124)}, type="dummy")
    return job


def test_a_job_is_executed_at_its_second_and_its_run_tells(api: Api, server: Target) -> None:
    at = in_seconds(4)
    job = api.http_job({"kind": "once", "at": at}, f"{server.url}/hook", config={"body": {"n": 1}})
    run = api.finished(job, "SUCCEEDED")
    (call,) = server.calls
    assert call.at_ms >= ms(at), "never early"
    assert (call.method, call.path, json.loads(call.body)) == ("POST", "/hook", {"n": 1})
    assert call.headers["idempotency-key"] == run["id"]
    assert (run["nominal_at"], run["trigger"], run["attempt"]) == (at, "schedule", 1)
    assert run["drift_ms"] >= 0
    assert [attempt["outcome"] for attempt in run["attempts"]] == ["succeeded"]
    assert run["attempts"][0]["result"]["status"] == 200


def test_a_failing_job_is_retried_then_dead_lettered_then_redriven(api: Api, server: Target) -> None:
    server.status = 503
    retry = {"max_attempts": 2, "strategy": "fixed", "initial_delay_seconds": 1, "jitter": "none"}
    job = api.http_job({"kind": "once", "at": in_seconds(3)}, server.url, retry=retry)
    run = api.finished(job, "FAILED", seconds=30)
    assert [(a["number"], a["outcome"], a["error"]["kind"]) for a in run["attempts"]] == [
        (1, "failed", "http_5xx"),
        (2, "failed", "http_5xx"),
    ]
    assert len(server.calls) == 2
    assert run["id"] in [letter["id"] for letter in api.get("/dead-letters")["items"]]
    assert api.get(f"/dead-letters/{run['id']}")["job_id"] == job["id"]

    server.status = 200
    again = api.post(f"/dead-letters/{run['id']}/redrive")
    assert again["trigger"] == "redrive"
    assert eventually(lambda: api.get(f"/runs/{again['id']}")["status"] == "SUCCEEDED")
    assert run["id"] not in [letter["id"] for letter in api.get("/dead-letters")["items"]]


def test_pause_really_pauses_and_resume_goes_on(api: Api, server: Target) -> None:
    job = api.http_job("* * * * * *", server.url)
    eventually(lambda: len(server.calls) >= 2)
    assert api.post(f"/jobs/{job['id']}/pause")["status"] == "paused"
    paused = len(server.calls) + 1  # one start may be in flight
    eventually(lambda: api.runs(job, "SKIPPED"))
    all_the_while(lambda: len(server.calls) > paused, seconds=4)
    skipped = api.runs(job, "SKIPPED")
    assert {run["skip_reason"] for run in skipped} == {"paused"}
    assert api.post(f"/jobs/{job['id']}/resume")["status"] == "active"
    eventually(lambda: len(server.calls) > paused + 2)
    api.call("DELETE", f"/jobs/{job['id']}")
    seconds = [call.headers["x-chronos-scheduled-at"] for call in server.calls]
    assert len(set(seconds)) == len(seconds), "each second at most once"


def test_a_cron_with_seconds_fires_each_of_its_seconds(api: Api, server: Target) -> None:
    job = api.http_job("*/2 * * * * *", server.url)
    eventually(lambda: len(server.calls) >= 5, seconds=25)
    api.call("DELETE", f"/jobs/{job['id']}")
    nominal = [ms(call.headers["x-chronos-scheduled-at"]) for call in list(server.calls)]
    assert sorted(nominal) == list(range(min(nominal), max(nominal) + 1, 2000)), (
        "none is left out, none comes twice"
    )
    assert all(call.at_ms >= ms(call.headers["x-chronos-scheduled-at"]) for call in server.calls)


def test_a_trigger_runs_at_once_also_while_paused(api: Api, server: Target) -> None:
    job = api.http_job({"kind": "manual"}, server.url)
    api.post(f"/jobs/{job['id']}/pause")
    run = api.post(f"/jobs/{job['id']}/trigger")
    assert (run["status"], run["trigger"]) == ("PENDING", "manual")
    assert eventually(lambda: api.get(f"/runs/{run['id']}")["status"] == "SUCCEEDED")
    assert len(server.calls) == 1


def test_a_run_of_a_deleted_job_does_not_start(api: Api, server: Target) -> None:
    job = api.http_job({"kind": "once", "at": in_seconds(5)}, server.url)
    assert api.call("DELETE", f"/jobs/{job['id']}").status_code == 204
    all_the_while(lambda: server.calls, seconds=7)


def test_a_worker_killed_in_the_middle_is_replaced(api: Api, server: Target, stack: Stack) -> None:
    stack.client("sqs").set_queue_attributes(
        QueueUrl=stack.outputs["FastQueueUrl"], Attributes={"VisibilityTimeout": "15"}
    )
    try:
        server.gate.clear()
        job = api.http_job({"kind": "once", "at": in_seconds(4)}, server.url, timeout_seconds=3)
        eventually(lambda: server.calls)
        for worker in stack.workers("fast_worker"):
            os.kill(worker, signal.SIGKILL)
        server.gate.set()
        run = api.finished(job, "SUCCEEDED", seconds=120)
        assert len(server.calls) == 2, "the effect before the record may come twice, and only then"
        assert [attempt["number"] for attempt in run["attempts"]] == [1], "a lost start is no attempt"
    finally:
        stack.client("sqs").set_queue_attributes(
            QueueUrl=stack.outputs["FastQueueUrl"], Attributes={"VisibilityTimeout": "100"}
        )


def test_a_run_under_way_is_cancelled(api: Api) -> None:
    job = api.job({"kind": "manual"}, type="dummy", config={"duration_seconds": 50}, timeout_seconds=55)
    run = api.post(f"/jobs/{job['id']}/trigger")
    eventually(lambda: api.get(f"/runs/{run['id']}")["status"] == "RUNNING")
    assert api.post(f"/runs/{run['id']}/cancel")["cancel_requested_at"]
    ended = eventually(lambda: api.runs(job, "CANCELLED"), seconds=25)[0]
    assert ms(ended["finished_at"]) - ms(ended["started_at"]) < 30_000


def test_runs_of_a_job_that_forbids_overlap_never_meet(api: Api) -> None:
    job = api.job(
        "* * * * * *", type="dummy", config={"duration_seconds": 2.5}, concurrency={"policy": "forbid"}
    )
    eventually(lambda: len(api.runs(job, "SUCCEEDED")) >= 3, seconds=30)
    api.post(f"/jobs/{job['id']}/pause")
    times = sorted((ms(run["started_at"]), ms(run["finished_at"])) for run in api.runs(job, "SUCCEEDED"))
    assert all(end <= start for (_, end), (start, _) in pairwise(times))
    assert {run["skip_reason"] for run in api.runs(job, "SKIPPED")} <= {"overlap", "paused"}
    assert api.runs(job, "SKIPPED")


def test_what_the_queue_gives_up_is_settled_as_failed(api: Api, stack: Stack) -> None:
    job = api.job({"kind": "manual"}, type="dummy", config={"duration_seconds": 0})
    now_ms = ms(in_seconds(0))
    lost = RunMessage("local", job["id"], 1, run_id(job["id"], now_ms), now_ms, now_ms)
    sqs, name = stack.client("sqs"), stack.outputs["DeadLetterQueueArn"].rpartition(":")[2]
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"], MessageBody=lost.encode())
    run = api.finished(job, "FAILED")
    assert run["attempts"][0]["error"]["kind"] == "worker_lost"


NASTY = [
    ("POST", "/jobs", {"data": b"{", "headers": {"Content-Type": "application/json"}}, 400, "malformed"),
    ("POST", "/jobs", {"data": b"x", "headers": {"Content-Type": "text/plain"}}, 415, "wrong type"),
    ("POST", "/jobs", {"json": {"name": "x" * 300_000, "type": "dummy"}}, 413, "too large"),
    ("POST", "/jobs", {"json": {"type": "dummy"}}, 422, "no name"),
    ("POST", "/jobs", {"json": {"name": "x", "type": "teleport"}}, 422, "unknown type"),
    ("POST", "/jobs", {"json": {"name": "x", "type": "dummy", "schedule": "61 * * * *"}}, 422, "bad cron"),
    (
        "POST",
        "/jobs",
        {"json": {"name": "x", "type": "dummy", "schedule": "0 0 30 2 *"}},
        422,
        "impossible date",
    ),
    ("GET", "/jobs/job_01ARYZ6S410000000000000000", {}, 404, "unknown id"),
    ("GET", "/nowhere", {}, 404, "the gateway's own answer"),
    ("PATCH", "/jobs", {"json": {}}, 405, "another method"),
]


@pytest.mark.parametrize(("method", "path", "arguments", "status", "_reason"), NASTY)
def test_bad_input_gets_a_problem_document(
    api: Api, method: str, path: str, arguments: dict[str, object], status: int, _reason: str
) -> None:
    answer = api.call(method, path, **arguments)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert {"title", "status", "code"} <= answer.json().keys()


def test_the_description_and_its_page_are_served(api: Api) -> None:
    assert api.get("/openapi.json")["openapi"].startswith("3.1")
    assert "text/html" in api.call("GET", "/docs").headers["Content-Type"]
    assert api.get("/health")["status"] == "ok"


def test_the_dispatcher_fires_what_lies_beyond_the_horizon(api: Api, far_job: dict[str, str]) -> None:
    run = api.finished(far_job, "SUCCEEDED", seconds=150)
    assert run["drift_ms"] >= 0
    assert api.get("/health")["status"] == "ok"


def test_the_same_app_runs_on_the_unpatched_emulator(stock_stack: Stack) -> None:
    stock = Api(stock_stack.api, stock_stack.key)
    job = stock.job(
        {"kind": "once", "at": in_seconds(4)}, type="dummy", config={"output": {"hello": "world"}}
    )
    assert stock.finished(job, "SUCCEEDED", seconds=40)["attempts"][0]["result"]
