"""Work that outlasts a request, on the emulator: a server accepts it, and calls back when it is done, or does not."""

from collections.abc import Mapping
from typing import Any

import pytest
import requests

from tests.e2e.conftest import Api
from tests.support.target import Target
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e
HEADER = "x-chronos-callback-url"


def say(call: Mapping[str, str], name: str, body: Any = None) -> requests.Response:
    """What the server does, long after it has answered: with the address, and no key."""
    return requests.post(f"{call[HEADER]}/{name}", json=body, timeout=30)


def accepted(api: Api, server: Target, **fields: Any) -> tuple[Any, Mapping[str, str]]:
    """A triggered run that waits, and the headers of its request."""
    wanted = {"callback": {"deadline_seconds": 600}, "config": {"expected_status": [202]}, **fields}
    server.status = 202
    before = len(server.calls)
    job = api.http_job({"kind": "manual"}, server.url, **wanted)
    run = api.post(f"/jobs/{job['id']}/trigger")
    waiting = eventually(lambda: (found := api.get(f"/runs/{run['id']}"))["status"] == "WAITING" and found)
    return waiting, server.calls[before].headers


def test_work_is_accepted_shows_its_progress_and_succeeds(api: Api, server: Target) -> None:
    run, call = accepted(api, server, callback={"deadline_seconds": 600, "heartbeat_seconds": 60})
    assert call["x-chronos-callback-by"] == run["callback_by"]
    assert call["x-chronos-run-id"] == run["id"]
    beaten = say(call, "heartbeat").json()
    assert (beaten["status"], beaten["run_id"]) == ("WAITING", run["id"])
    assert say(call, "progress", {"percent": 40, "message": "two of five"}).status_code == 200
    assert api.get(f"/runs/{run['id']}")["progress"]["message"] == "two of five"
    assert say(call, "success", {"result": {"rows": 5}}).json()["status"] == "SUCCEEDED"
    ended = api.get(f"/runs/{run['id']}")
    assert ended["attempts"][0]["result"]["callback"] == {"rows": 5}
    assert ended["attempts"][0]["result"]["accepted"]["status"] == 202
    assert say(call, "success").status_code == 200, "once more, since its answer may be lost"
    assert (say(call, "heartbeat").status_code, say(call, "failure", _error()).status_code) == (410, 409)


def test_a_failure_is_retried_and_the_next_attempt_has_an_address_of_its_own(
    api: Api, server: Target
) -> None:
    retry = {"max_attempts": 2, "strategy": "fixed", "initial_delay_seconds": 1, "jitter": "none"}
    run, call = accepted(api, server, retry=retry)
    assert say(call, "failure", _error()).json()["status"] == "RETRYING"
    again = eventually(lambda: len(server.calls) > 1 and server.calls[1].headers)
    eventually(lambda: api.get(f"/runs/{run['id']}")["status"] == "WAITING")
    assert say(call, "success").json()["code"] == "attempt_over"
    assert say(again, "failure", _error()).json()["status"] == "FAILED"
    assert [each["error"]["kind"] for each in api.get(f"/runs/{run['id']}")["attempts"]] == ["database"] * 2


def test_work_that_never_calls_back_times_out(api: Api, server: Target) -> None:
    run, call = accepted(api, server, callback={"deadline_seconds": 3}, retry={"max_attempts": 1})
    eventually(lambda: api.get(f"/runs/{run['id']}")["status"] == "TIMED_OUT")
    assert api.get(f"/runs/{run['id']}")["attempts"][0]["error"]["kind"] == "callback_timeout"
    assert api.get(f"/dead-letters/{run['id']}")["id"] == run["id"]
    assert say(call, "success").json()["code"] == "attempt_over"


def test_work_that_nobody_wants_any_more_learns_of_it(api: Api, server: Target) -> None:
    run, call = accepted(api, server)
    assert api.post(f"/runs/{run['id']}/cancel")["status"] == "CANCELLED"
    assert say(call, "heartbeat").json()["code"] == "run_cancelled"


def test_an_address_that_was_tampered_with_opens_nothing(api: Api, server: Target) -> None:
    run, call = accepted(api, server)
    forged = {HEADER: call[HEADER][:-2] + "AA"}
    answer = say(forged, "success")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert api.get(f"/runs/{run['id']}")["status"] == "WAITING"
    assert say(call, "success").status_code == 200


def _error() -> Any:
    return {"error": {"message": "no such table", "kind": "database"}}
