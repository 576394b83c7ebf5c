"""http jobs that look into the answer, or keep all of it, against real servers."""

import time
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.http.conditions import MAX_READ_BYTES
from tests.support.calls import call_of, perform
from tests.support.doubles import MemoryOutputs
from tests.support.http_servers import Talk, answering, serving

DONE = {"kind": "json_equals", "pointer": "/state", "value": "done"}


def _outcome(config: dict[str, Any], **of_call: Any) -> Outcome:
    return perform(call_of("http", config, **of_call), "http")


def test_a_form_arrives_as_browsers_send_it() -> None:
    with serving(answering()) as server:
        _outcome({"url": server.url(), "body_kind": "form", "body": {"a": ["x y", 1]}})
    (request,) = server.received
    assert request.body == b"a=x+y&a=1"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


def test_an_answer_that_holds_what_is_expected_is_a_success() -> None:
    long = b'{"pad": "' + b"x" * 50_000 + b'", "state": "done"}'
    with serving(answering("200 OK", long)) as server:
        outcome = _outcome({"url": server.url(), "expect": [DONE, {"kind": "text", "contains": "done"}]})
    assert isinstance(outcome, Succeeded)
    assert outcome.result["truncated"] is True, "what is kept is no longer than without conditions"


def test_an_answer_that_does_not_is_a_failure_that_may_be_retried_and_shows_the_answer() -> None:
    with serving(answering("200 OK", b'{"state": "running"}')) as server:
        outcome = _outcome({"url": server.url(), "expect": [DONE]})
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.status) == ("condition", 200)
    assert outcome.message == "Condition 1 is not met: /state is not as expected."
    assert outcome.result is not None
    assert outcome.result["body"] == '{"state": "running"}'


def test_a_status_that_is_not_expected_is_what_is_told() -> None:
    with serving(answering("500 Oh", b"{}")) as server:
        outcome = _outcome({"url": server.url(), "expect": [DONE]})
    assert isinstance(outcome, Failed)
    assert outcome.kind == "http_5xx"


def _pours(talk: Talk) -> None:
    talk.read()
    talk.say(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    talk.pour(b"x" * 65_536)


def _drips(talk: Talk) -> None:
    talk.read()
    talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n")
    talk.drip(b"x", every_seconds=0.05)


def test_an_endless_answer_is_read_as_far_as_conditions_go() -> None:
    with serving(_pours) as server:
        outcome = _outcome({"url": server.url(), "expect": [{"kind": "text", "contains": "y"}]})
        assert server.connections[0].gone.wait(5)
    assert isinstance(outcome, Failed)
    assert outcome.kind == "condition"
    assert str(MAX_READ_BYTES) in outcome.message


@pytest.mark.parametrize("more", [{"expect": [DONE]}, {"store_answer": True}])
def test_a_dripping_answer_does_not_stretch_the_deadline(more: dict[str, Any]) -> None:
    outputs, started = MemoryOutputs(), time.monotonic()
    with serving(_drips) as server:
        outcome = _outcome({"url": server.url(), **more}, seconds=0.5, outputs=outputs)
    assert time.monotonic() - started < 3
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outputs.files) == ("timeout", {})


def test_an_endless_answer_that_is_to_be_stored_ends_with_the_deadline() -> None:
    outputs, started = MemoryOutputs(), time.monotonic()
    with serving(_pours) as server:
        outcome = _outcome({"url": server.url(), "store_answer": True}, seconds=0.5, outputs=outputs)
    assert time.monotonic() - started < 3
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outputs.files) == ("timeout", {})


def test_the_whole_answer_is_stored_and_its_beginning_is_shown() -> None:
    outputs, body = MemoryOutputs(), bytes(range(256)) * 2_000
    with serving(answering("200 OK", body, "Content-Type: application/x-thing")) as server:
        outcome = _outcome({"url": server.url(), "store_answer": True}, outputs=outputs)
    assert isinstance(outcome, Succeeded)
    assert (outcome.result["file"], outcome.result["truncated"]) == ("answer", True)
    assert (outputs.files, outputs.media_types) == ({"answer": body}, {"answer": "application/x-thing"})


def test_a_media_type_that_is_none_is_not_passed_on() -> None:
    outputs = MemoryOutputs()
    with serving(answering("200 OK", b"x", "Content-Type: text/html<script>")) as server:
        _outcome({"url": server.url(), "store_answer": True}, outputs=outputs)
    assert outputs.media_types == {"answer": "application/octet-stream"}


def test_an_answer_that_is_larger_than_may_be_stored_is_a_failure_for_good() -> None:
    with serving(_pours) as server:
        outcome = _outcome(
            {"url": server.url(), "store_answer": True}, outputs=MemoryOutputs(max_bytes=100_000)
        )
        assert server.connections[0].gone.wait(5)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("output", False)


def test_a_store_that_does_not_answer_is_a_failure_for_now() -> None:
    outputs = MemoryOutputs()
    outputs.failures.append(Unavailable("S3 did not answer."))
    with serving(answering()) as server:
        outcome = _outcome({"url": server.url(), "store_answer": True}, outputs=outputs)
    assert outcome == Failed("output", "The answer could not be stored. S3 did not answer.")


def test_what_breaks_off_in_the_midst_is_not_stored() -> None:
    def script(talk: Talk) -> None:
        talk.read()
        talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        talk.connection.close()

    outputs = MemoryOutputs()
    with serving(script) as server:
        outcome = _outcome({"url": server.url(), "store_answer": True}, outputs=outputs)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outputs.files) == ("connection", {})
