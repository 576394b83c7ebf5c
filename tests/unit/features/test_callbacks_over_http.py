"""Callbacks as the other side makes them, also one who should not: over the API and the engine, in memory."""

import json
from typing import Any

import pytest

from chalicelib.domain.callback_token import Claim, SigningKey, signed
from chalicelib.domain.errors import Unavailable
from chalicelib.engine.running.signing import callback_url, keys_of
from chalicelib.executors.attempt import attempts
from chalicelib.executors.base import ExecutorSettings
from chalicelib.identity.access import authenticate
from chalicelib.ports.contact import Contact
from tests.support.api import Answer, ApiClient
from tests.support.world import NOON, PUBLIC_URL, SIGNING_KEYS, World

[KEY] = keys_of(SIGNING_KEYS)
FAILURE = {"error": {"message": "The disk is full."}}
BODIES: dict[str, Any] = {"success": None, "failure": FAILURE, "heartbeat": None, "progress": {"percent": 5}}
every_path = pytest.mark.parametrize("name", BODIES)


class Other:
    """The other side: it knows the token of a run that waits, and nothing else."""

    def __init__(self, **fields: Any) -> None:
        self.world = World()
        attempt = attempts(self.world.clock, ExecutorSettings(), self._address)
        self.world.outcome = lambda job, run: attempt(job, run, self.world.clock.monotonic() + 30, Contact())
        self.api = ApiClient(self.world.engine, authenticate)
        self.owner = ApiClient(self.world.engine)
        wanted = {"type": "dummy", "config": {"outcome": "wait"}, "callback": {"deadline_seconds": 3600}}
        self.job = self.owner.create(**{"schedule": {"kind": "manual"}, **wanted, **fields})
        self.run_id = self.owner.post(f"/jobs/{self.job['id']}/trigger").json["id"]
        self.world.advance(1)

    def _address(self, run: Any) -> str:
        url = callback_url(self.world.secrets, run)
        assert url.startswith(PUBLIC_URL)
        self.token = url.rpartition("/")[2]
        return url

    def call(self, name: str, body: Any = None, token: str | None = None, **more: Any) -> Answer:
        return self.api.post(f"/callbacks/{token or self.token}/{name}", body, **more)

    @property
    def run(self) -> Any:
        return self.owner.get(f"/runs/{self.run_id}").json


@pytest.fixture
def other() -> Other:
    return Other()


def test_a_waiting_run_is_shown_with_its_deadline_and_found_by_its_status(other: Other) -> None:
    assert other.run["status"] == "WAITING"
    assert other.run["callback_by"] == "2027-01-15T13:00:00Z"
    assert [each["outcome"] for each in other.run["attempts"]] == ["waiting"]
    assert [each["id"] for each in other.owner.get("/runs?status=WAITING").json["items"]] == [other.run_id]


def test_a_success_needs_no_key_and_no_body(other: Other) -> None:
    answer = other.call("success")
    assert (answer.status, answer.json["status"], answer.json["run_id"]) == (200, "SUCCEEDED", other.run_id)
    assert other.run["attempts"][0]["result"] == {"accepted": {"output": None}, "callback": None}
    assert other.run["callback_by"] is None


def test_a_result_is_kept_with_the_attempt(other: Other) -> None:
    assert other.call("success", {"result": [1, {"rows": 2}]}).status == 200
    assert other.run["attempts"][0]["result"]["callback"] == [1, {"rows": 2}]


def test_a_failure_is_the_attempts_error(other: Other) -> None:
    error = {"message": "no such table", "kind": "database", "retryable": False}
    assert other.call("failure", {"error": error}).json["status"] == "FAILED"
    assert other.run["attempts"][0]["error"] == {
        "kind": "database",
        "message": "no such table",
        "status": None,
    }


def test_a_sign_of_life_tells_when_the_next_must_come() -> None:
    other = Other(callback={"deadline_seconds": 3600, "heartbeat_seconds": 60})
    other.world.advance(30)
    answer = other.call("heartbeat").json
    assert (answer["heartbeat_by"], answer["callback_by"]) == ("2027-01-15T12:01:31Z", "2027-01-15T13:00:00Z")


def test_progress_is_shown_with_the_run(other: Other) -> None:
    told = {"percent": 12.5, "message": "an eighth", "data": {"rows": 100}}
    assert other.call("progress", told).json["heartbeat_by"] is None
    assert other.run["progress"] == {**told, "at": "2027-01-15T12:00:01Z"}


@every_path
def test_after_the_end_every_call_says_what_became_of_it(name: str, other: Other) -> None:
    other.call("success")
    answer = other.call(name, BODIES[name])
    expected = {"success": (200, None), "failure": (409, "conflict")}.get(name, (410, "attempt_over"))
    assert (answer.status, answer.json.get("code")) == expected
    assert other.run["status"] == "SUCCEEDED"


@every_path
def test_a_cancelled_run_tells_its_work_to_stop(name: str, other: Other) -> None:
    assert other.owner.post(f"/runs/{other.run_id}/cancel").status == 200
    answer = other.call(name, BODIES[name])
    assert (answer.status, answer.json["code"]) == (410, "run_cancelled")


@every_path
def test_a_token_whose_time_is_over_is_refused_whatever_the_run_does(name: str, other: Other) -> None:
    other.world.clock.ms += 2 * 3_600_000
    answer = other.call(name, BODIES[name])
    assert (answer.status, answer.json["code"]) == (410, "callback_expired")
    assert other.run["status"] == "WAITING"


FORGED = {
    "another tenant's": lambda claim: signed(Claim("evil", *claim[1:]), KEY),
    "another run's": lambda claim: signed(Claim(claim[0], "run_" + "0" * 26, *claim[2:]), KEY),
}
"""Signed, as only Chronos could: they speak for what is not there."""


@pytest.mark.parametrize("whose", FORGED)
@every_path
def test_a_token_reaches_no_run_but_its_own(name: str, whose: str, other: Other) -> None:
    token = FORGED[whose](("local", other.run_id, 1, NOON // 1000 + 3600))
    assert other.call(name, BODIES[name], token).status == 410
    assert other.run["status"] == "WAITING"


@every_path
def test_a_token_of_another_key_or_none_is_not_found(name: str, other: Other) -> None:
    claim = Claim("local", other.run_id, 1, NOON // 1000 + 3600)
    head, _, mac = other.token.rpartition(".")
    for token in (
        signed(claim, SigningKey("one", b"guessed" * 5)),
        signed(claim, SigningKey("two", KEY.secret)),
        f"{head}.{mac[:-1]}",
        f"{head}.{mac.swapcase()}",
        f"{head}.",
        "v1..." + "A" * 43,
        "x",
        other.run_id,
        "A" * 5000,
    ):
        answer = other.call(name, BODIES[name], token)
        assert (answer.status, answer.json["code"]) == (404, "not_found"), token
    assert other.run["status"] == "WAITING"


@pytest.mark.parametrize(
    ("name", "body", "pointers"),
    [
        ("success", {"result": "x" * 8200}, {"/result": "invalid"}),
        ("success", {"results": 1}, {"/results": "unknown_field"}),
        ("failure", {}, {"/error": "required"}),
        ("failure", {"error": {}}, {"/error/message": "required"}),
        ("failure", {"error": {"message": ""}}, {"/error/message": "string_too_short"}),
        ("failure", {"error": {"message": "x" * 1001}}, {"/error/message": "string_too_long"}),
        ("failure", {"error": {"message": "x", "kind": "timeout"}}, {"/error/kind": "unknown_value"}),
        ("failure", {"error": {"message": "x", "retryable": "yes"}}, {"/error/retryable": "bool_type"}),
        ("heartbeat", {"percent": 1}, {"/percent": "unknown_field"}),
        ("progress", {}, {"/percent": "required"}),
        ("progress", {"percent": 100.5}, {"/percent": "less_than_equal"}),
        ("progress", {"percent": True}, {"/percent": "float_type"}),
        ("progress", {"percent": 1, "message": "x" * 201}, {"/message": "string_too_long"}),
        ("progress", {"percent": 1, "data": {"x": "y" * 1100}}, {"/data": "invalid"}),
        ("progress", {"percent": 1, "data": [1]}, {"/data": "wrong_type"}),
    ],
)
def test_what_a_callback_says_is_bounded(
    name: str, body: Any, pointers: dict[str, str], other: Other
) -> None:
    answer = other.call(name, body)
    assert answer.status == 422
    assert answer.pointers == pointers
    assert other.run["status"] == "WAITING"
    assert other.run["progress"] is None


@every_path
def test_other_content_is_refused(name: str, other: Other) -> None:
    assert other.call(name, b"percent=5", media_type="application/x-www-form-urlencoded").status == 415
    assert other.call(name, b"percent=5", media_type=None).status == 415
    assert other.call(name, b'{"percent": NaN}').status == 400
    assert other.call(name, b"[" * 100_000).status == 400
    assert other.call(name, b'"' + b"x" * 300_000 + b'"').status == 413
    assert other.run["status"] == "WAITING"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@every_path
def test_only_post_is_offered(name: str, method: str, other: Other) -> None:
    answer = other.api(method, f"/callbacks/{other.token}/{name}", documented=False)
    assert (answer.status, answer.headers["Allow"]) == (405, "OPTIONS, POST")


def test_a_key_that_cannot_be_read_now_is_a_reason_to_try_again(other: Other) -> None:
    other.world.secrets.failures.append(Unavailable("The Parameter Store did not answer."))
    assert other.call("success").status == 503
    assert other.call("success").status == 200


def test_the_token_is_in_no_record_no_answer_and_no_log(other: Other) -> None:
    """Not even if the other side sends it back, in whatever it may send."""
    url = f"see {PUBLIC_URL}/callbacks/{other.token}"
    other.call("progress", {"percent": 1, "message": f"{other.token[:199]}", "data": {other.token: url}})
    other.call("failure", {"error": {"message": url}})
    other.world.advance(40)
    other.call("success", {"result": {"url": url, other.token: [url]}})
    assert other.run["status"] == "SUCCEEDED"
    everything = [
        table.items for table in (other.world.db.catalog, other.world.db.timers, other.world.db.runs)
    ]
    told = json.dumps(
        [str(everything), str(other.world.telemetry.lines), other.run, str(other.world.queue.sent)]
    )
    secret = other.token.rpartition(".")[2]
    assert secret not in told
    assert "[token]" in told


@pytest.mark.parametrize(
    ("callback", "pointers"),
    [
        ({}, {"/callback/deadline_seconds": "required"}),
        ({"deadline_seconds": 0}, {"/callback/deadline_seconds": "greater_than_equal"}),
        ({"deadline_seconds": 1_209_601}, {"/callback/deadline_seconds": "less_than_equal"}),
        ({"deadline_seconds": "60"}, {"/callback/deadline_seconds": "int_type"}),
        (
            {"deadline_seconds": 60, "heartbeat_seconds": 9},
            {"/callback/heartbeat_seconds": "greater_than_equal"},
        ),
        ({"deadline_seconds": 60, "url": "https://x"}, {"/callback/url": "unknown_field"}),
        ([], {"/callback": "wrong_type"}),
    ],
)
def test_a_callback_of_a_job_is_checked_when_it_is_saved(
    callback: Any, pointers: dict[str, str], other: Other
) -> None:
    body = {"name": "n", "type": "http", "config": {"url": "https://example.com"}, "callback": callback}
    assert other.owner.post("/jobs", body).pointers == pointers


def test_a_job_keeps_its_callback_until_it_is_taken_away(other: Other) -> None:
    path = f"/jobs/{other.job['id']}"
    assert other.owner.get(path).json["callback"] == {"deadline_seconds": 3600, "heartbeat_seconds": None}
    assert other.owner.patch(path, {"callback": None}).json["callback"] is None


def test_a_deployment_without_a_key_fails_the_attempt_and_says_why() -> None:
    world = World()
    world.secrets.texts.clear()
    attempt = attempts(world.clock, ExecutorSettings(), lambda run: callback_url(world.secrets, run))
    world.outcome = lambda job, run: attempt(job, run, world.clock.monotonic() + 30, Contact())
    owner = ApiClient(world.engine)
    job = owner.create(
        schedule={"kind": "manual"}, callback={"deadline_seconds": 60}, retry={"max_attempts": 1}
    )
    run_id = owner.post(f"/jobs/{job['id']}/trigger").json["id"]
    world.advance(1)
    run = owner.get(f"/runs/{run_id}").json
    assert run["status"] == "FAILED"
    assert "no signing key" in run["attempts"][0]["error"]["message"]


def test_a_backfill_goes_on_when_a_callback_ends_its_run(other: Other) -> None:
    other.call("success")
    hours = {"start": "2027-01-15T10:00:00Z", "end": "2027-01-15T12:00:00Z"}
    other.owner.patch(f"/jobs/{other.job['id']}", {"schedule": "0 * * * *"})
    begun = other.owner.post(f"/jobs/{other.job['id']}/backfills", hours).json
    for done in (0, 1, 2):
        other.world.advance(2)
        progress = other.owner.get(f"/backfills/{begun['id']}").json["progress"]
        assert progress["ended"] == ({"SUCCEEDED": done} if done else {})
        other.call("success")
    assert other.owner.get(f"/backfills/{begun['id']}").json["status"] == "completed"
