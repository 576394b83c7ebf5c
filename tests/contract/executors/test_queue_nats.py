"""message_queue jobs on a real NATS server with JetStream."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import uuid4

import nats
import pytest
from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.message_queue.clients.nats import fetched
from tests.support.calls import RUN_ID, call_of, perform
from tests.support.services import HOST, require


def subject_of(name: str, **others: Any) -> dict[str, Any]:
    """How a job names a subject of the stream."""
    return {"kind": "nats", "servers": [HOST], "tls": None, "subject": f"{name}.a", "stream": name, **others}


def outcome(queue: dict[str, Any], *, seconds: float = 10, **operation: Any) -> Outcome:
    """Of one attempt."""
    call = call_of("message_queue", {"queue": queue, "operation": operation}, seconds=seconds)
    return perform(call, "message_queue")


def on_server(work: Callable[[Client], Awaitable[Any]]) -> Any:
    """The result of work on a connection of the test's own."""

    async def within() -> Any:
        connection = await nats.connect(f"nats://{HOST}:{require('nats')}")
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(within())


def messages_in(stream: str) -> list[Msg]:
    """What lies in the stream."""

    async def work(connection: Client) -> list[Msg]:
        jetstream = connection.jetstream()
        state = (await jetstream.stream_info(stream)).state
        reader = await jetstream.pull_subscribe("", stream=stream)
        found: list[Msg] = await reader.fetch(state.messages, timeout=5) if state.messages else []
        await reader.unsubscribe()
        return found

    found: list[Msg] = on_server(work)
    return found


def _with_stream(name: str) -> Callable[[Client], Awaitable[Any]]:
    return lambda connection: connection.jetstream().add_stream(name=name, subjects=[f"{name}.>"])


def _without_stream(name: str) -> Callable[[Client], Awaitable[Any]]:
    return lambda connection: connection.jetstream().delete_stream(name)


@pytest.fixture
def stream() -> Iterator[str]:
    name = f"chronos-{uuid4().hex}"
    on_server(_with_stream(name))
    yield name
    on_server(_without_stream(name))


@pytest.fixture
def consumer(stream: str) -> str:
    durable = ConsumerConfig(durable_name="reader", ack_wait=30)
    on_server(lambda connection: connection.jetstream().add_consumer(stream, durable))
    return "reader"


def _failure(found: Outcome) -> Failed:
    assert isinstance(found, Failed), found
    return found


def test_a_message_arrives_with_its_headers(stream: str) -> None:
    message = {"body": {"day": 1}, "headers": {"x-kind": "daily"}}
    assert outcome(subject_of(stream), action="publish", messages=[message]) == Succeeded({"published": 1})
    (found,) = messages_in(stream)
    assert found.data == b'{"day":1}'
    assert found.headers is not None
    assert (found.headers["Nats-Msg-Id"], found.headers["Content-Type"]) == (RUN_ID, "application/json")
    assert found.headers["x-kind"] == "daily"


def test_the_next_attempt_of_a_run_adds_no_second_message(stream: str) -> None:
    messages = [{"body": number} for number in range(5)]
    for _ in range(3):
        assert outcome(subject_of(stream), action="publish", messages=messages) == Succeeded({"published": 5})
    assert [found.data for found in messages_in(stream)] == [b"0", b"1", b"2", b"3", b"4"]


def test_a_batch_arrives_in_order(stream: str) -> None:
    messages = [{"body": number} for number in range(300)]
    outcome(subject_of(stream), action="publish", messages=messages)
    assert [found.data for found in messages_in(stream)] == [str(number).encode() for number in range(300)]


def test_a_subject_that_no_stream_takes_is_a_lasting_failure() -> None:
    require("nats")
    nowhere = {"kind": "nats", "servers": [HOST], "tls": None, "subject": f"nowhere-{uuid4().hex}"}
    failed = _failure(outcome(nowhere, action="publish", messages=[{"body": 1}]))
    assert (failed.kind, failed.retryable) == ("broker", False)
    assert "No stream" in failed.message


def test_somebody_who_answers_and_is_no_stream_confirms_nothing() -> None:
    require("nats")
    service = {"kind": "nats", "servers": [HOST], "tls": None, "subject": "$JS.API.INFO"}
    failed = _failure(outcome(service, action="publish", messages=[{"body": 1}]))
    assert (failed.kind, failed.retryable) == ("broker", False)
    assert "no stream" in failed.message


def test_a_message_for_another_stream_is_refused(stream: str) -> None:
    wrong = subject_of(stream, stream="another")
    failed = _failure(outcome(wrong, action="publish", messages=[{"body": 1}]))
    assert (failed.kind, failed.retryable) == ("broker", False)
    assert "expected stream does not match" in failed.message


def test_a_message_that_is_too_large_is_refused(stream: str) -> None:
    async def small(connection: Client) -> None:
        await connection.jetstream().update_stream(name=stream, subjects=[f"{stream}.>"], max_msg_size=300)

    on_server(small)
    messages = [{"body": "x"}, {"body": "x" * 500}]
    failed = _failure(outcome(subject_of(stream), action="publish", messages=messages))
    assert (failed.kind, failed.retryable) == ("broker", False)
    assert failed.result == {
        "published": 1,
        "refused": [{"index": 1, "code": "10054", "message": "message size exceeds maximum allowed"}],
    }


def test_core_nats_reaches_those_who_listen(stream: str) -> None:
    core = {"kind": "nats", "servers": [HOST], "tls": None, "subject": f"{stream}.a", "jetstream": False}
    assert outcome(core, action="publish", messages=[{"body": 1}]) == Succeeded({"published": 1})
    (found,) = messages_in(stream)
    assert found.data == b"1"


def test_the_next_server_is_tried_when_one_cannot_be_reached(stream: str) -> None:
    two = subject_of(stream, servers=[f"{HOST}:1", HOST])
    assert outcome(two, action="depth") == Succeeded({"depth": 0})


def test_the_depth_counts_a_stream_a_subject_or_what_a_consumer_has_not_confirmed(
    stream: str, consumer: str
) -> None:
    outcome(subject_of(stream), action="publish", messages=[{"body": 1}] * 3)
    outcome(
        subject_of(stream, subject=f"{stream}.b"), action="publish", messages=[{"body": 1, "id": "other"}]
    )
    every = subject_of(stream) | {"subject": None}
    assert outcome(every, action="depth") == Succeeded({"depth": 4})
    assert outcome(subject_of(stream), action="depth") == Succeeded({"depth": 3})
    assert outcome(every | {"consumer": consumer}, action="depth") == Succeeded({"depth": 4})
    assert _failure(outcome(every, action="depth", fail_above=3)).kind == "condition"


def test_what_does_not_exist_is_told() -> None:
    require("nats")
    failed = _failure(outcome(subject_of("no-such-stream"), action="depth"))
    assert (failed.kind, failed.retryable) == ("broker", False)
    assert "stream not found" in failed.message


def test_a_consumer_that_does_not_exist_is_told(stream: str) -> None:
    reader = subject_of(stream, consumer="nobody")
    to = subject_of(stream, subject=f"{stream}.b")
    failed = _failure(outcome(reader, action="forward", to=to))
    assert (failed.kind, failed.retryable) == ("broker", False)
    assert "consumer not found" in failed.message


def test_a_purge_empties_a_stream_or_a_subject(stream: str) -> None:
    outcome(subject_of(stream), action="publish", messages=[{"body": 1}] * 3)
    outcome(
        subject_of(stream, subject=f"{stream}.b"), action="publish", messages=[{"body": 1, "id": "other"}]
    )
    assert isinstance(outcome(subject_of(stream), action="purge", confirm=stream), Succeeded)
    assert len(messages_in(stream)) == 1
    every = subject_of(stream) | {"subject": None}
    assert isinstance(outcome(every, action="purge", confirm=stream), Succeeded)
    assert messages_in(stream) == []


class Late:
    """A subscription to which nothing comes in time."""

    def __init__(self, error: type[Exception]) -> None:
        self._error = error

    async def fetch(self, _limit: int, **_bounds: float) -> list[Msg]:
        raise self._error


@pytest.mark.parametrize("error", [errors.TimeoutError, TimeoutError], ids=["of nats", "of Python"])
def test_that_nothing_comes_in_time_is_no_failure_however_it_is_told(error: type[Exception]) -> None:
    assert asyncio.run(fetched(Late(error), 10, 1)) == []


def test_messages_are_forwarded_and_confirmed(stream: str, consumer: str) -> None:
    messages = [{"body": str(number), "headers": {"n": str(number)}} for number in range(120)]
    outcome(subject_of(stream), action="publish", messages=messages)
    other = f"{stream}-other"
    on_server(_with_stream(other))
    try:
        reader = subject_of(stream, consumer=consumer)
        found = outcome(reader, action="forward", to=subject_of(other), idle_seconds=1.5)
        assert found == Succeeded({"forwarded": 120, "ended": "empty"})
        arrived = messages_in(other)
    finally:
        on_server(_without_stream(other))
    assert [message.data for message in arrived] == [str(number).encode() for number in range(120)]
    assert arrived[7].headers is not None
    assert (arrived[7].headers["n"], arrived[7].headers["Nats-Msg-Id"]) == ("7", f"{RUN_ID}.7")
    assert outcome(reader, action="depth") == Succeeded({"depth": 0})


def test_what_the_other_subject_refuses_can_be_read_again(stream: str, consumer: str) -> None:
    outcome(subject_of(stream), action="publish", messages=[{"body": 1}] * 3)
    reader = subject_of(stream, consumer=consumer)
    wrong = subject_of(stream, stream="another")
    failed = _failure(outcome(reader, action="forward", to=wrong))
    assert (failed.kind, failed.result) == ("broker", {"forwarded": 0})
    assert outcome(reader, action="depth") == Succeeded({"depth": 3})


def test_a_server_without_tls_is_told_nothing_where_tls_is_wanted(stream: str) -> None:
    secured = subject_of(stream) | {"user": "u", "password": "wrong-secret"}
    del secured["tls"]
    failed = _failure(outcome(secured, action="depth"))
    assert failed.kind == "connection"
    assert "no TLS" in failed.message
