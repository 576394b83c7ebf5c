"""message_queue jobs on a real RabbitMQ."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import aiormq
import pytest
from aiormq.abc import AbstractChannel, DeliveredMessage

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from tests.support.calls import RUN_ID, call_of, perform
from tests.support.services import HOST, require


def rabbit(queue: str | None = None, **others: Any) -> dict[str, Any]:
    """How a job names a queue of the broker."""
    named = {} if queue is None else {"queue": queue}
    return {"kind": "rabbitmq", "host": HOST, "tls": None, **named, **others}


def outcome(queue: dict[str, Any], **operation: Any) -> Outcome:
    """Of one attempt."""
    return perform(call_of("message_queue", {"queue": queue, "operation": operation}), "message_queue")


def on_broker(work: Callable[[AbstractChannel], Awaitable[Any]]) -> Any:
    """The result of work on a channel of the test's own."""

    async def within() -> Any:
        connection = await aiormq.connect(f"amqp://guest:guest@{HOST}:{require('rabbitmq')}/")
        try:
            return await work(await connection.channel())
        finally:
            await connection.close()

    return asyncio.run(within())


@contextmanager
def queue_of(**options: Any) -> Iterator[str]:
    """A queue of the broker, as long as it is needed."""
    name = f"chronos-{uuid4().hex}"
    on_broker(lambda channel: channel.queue_declare(name, **options))
    try:
        yield name
    finally:
        on_broker(lambda channel: channel.queue_delete(name))


def messages_in(queue: str) -> list[DeliveredMessage]:
    """What lies in the queue; it is taken out."""

    async def work(channel: AbstractChannel) -> list[DeliveredMessage]:
        found = []
        while (message := await channel.basic_get(queue, no_ack=True)).delivery.name == "Basic.GetOk":
            found.append(message)
        return found

    found: list[DeliveredMessage] = on_broker(work)
    return found


@pytest.fixture
def queue() -> Iterator[str]:
    with queue_of() as name:
        yield name


def _failure(found: Outcome) -> Failed:
    assert isinstance(found, Failed), found
    return found


def test_a_message_arrives_with_its_properties(queue: str) -> None:
    message = {"body": {"day": 1}, "headers": {"x-kind": "daily"}}
    assert outcome(rabbit(queue), action="publish", messages=[message]) == Succeeded({"published": 1})
    (found,) = messages_in(queue)
    properties = found.header.properties
    assert found.body == b'{"day":1}'
    assert (properties.message_id, properties.content_type, properties.delivery_mode) == (
        RUN_ID,
        "application/json",
        2,
    )
    assert properties.headers == {"x-kind": "daily"}


@pytest.mark.parametrize(
    ("message", "body", "content_type"),
    [
        ({"body": "plain"}, b"plain", "text/plain; charset=utf-8"),
        ({"body": "AAEC", "base64": True}, b"\x00\x01\x02", "application/octet-stream"),
        ({"body": [1, "ä"]}, '[1,"ä"]'.encode(), "application/json"),
        ({}, b"", "application/octet-stream"),
        ({"body": "<a/>", "content_type": "text/xml"}, b"<a/>", "text/xml"),
    ],
)
def test_bodies_of_every_sort_arrive(queue: str, message: Any, body: bytes, content_type: str) -> None:
    outcome(rabbit(queue), action="publish", messages=[message])
    (found,) = messages_in(queue)
    assert (found.body, found.header.properties.content_type) == (body, content_type)


def test_a_batch_arrives_in_order_with_an_id_for_each(queue: str) -> None:
    messages = [{"body": number} for number in range(100)]
    assert outcome(rabbit(queue), action="publish", messages=messages) == Succeeded({"published": 100})
    found = messages_in(queue)
    assert [message.body for message in found] == [str(number).encode() for number in range(100)]
    assert [message.header.properties.message_id for message in found] == [
        f"{RUN_ID}.{number}" for number in range(100)
    ]


def test_a_message_that_no_queue_takes_is_a_failure(queue: str) -> None:
    messages = [{"body": 1}, {"body": 2, "key": f"{queue}-missing"}, {"body": 3}]
    failed = _failure(outcome(rabbit(queue), action="publish", messages=messages))
    assert (failed.kind, failed.retryable) == ("broker", False)
    assert failed.message.startswith("1 of 3 messages were refused; the first, number 1: no queue takes it")
    assert failed.result is not None
    assert failed.result["published"] == 2
    assert [message.body for message in messages_in(queue)] == [b"1", b"3"]


def test_a_full_queue_is_a_failure_that_may_pass() -> None:
    with queue_of(arguments={"x-max-length": 1, "x-overflow": "reject-publish"}) as full:
        failed = _failure(outcome(rabbit(full), action="publish", messages=[{"body": 1}] * 3))
    assert (failed.kind, failed.retryable) == ("broker", True)


def test_an_exchange_routes_by_the_key(queue: str) -> None:
    on_broker(lambda channel: channel.queue_bind(queue, "amq.topic", "orders.#"))
    by_key = rabbit(exchange="amq.topic", routing_key="orders.daily")
    messages = [{"body": "a"}, {"body": "b", "key": "orders.hourly"}]
    assert isinstance(outcome(by_key, action="publish", messages=messages), Succeeded)
    assert [message.body for message in messages_in(queue)] == [b"a", b"b"]


def test_an_exchange_that_does_not_exist_is_a_lasting_failure() -> None:
    require("rabbitmq")
    missing = rabbit(exchange="no-such-exchange", routing_key="x")
    failed = _failure(outcome(missing, action="publish", messages=[{"body": 1}]))
    assert (failed.kind, failed.retryable) == ("broker", False)
    assert "no exchange" in failed.message


def test_a_wrong_password_is_told_and_not_shown(queue: str) -> None:
    failed = _failure(outcome(rabbit(queue, password="wrong-secret"), action="depth"))
    assert failed.kind == "authentication"
    assert "wrong-secret" not in str(failed)


def test_a_virtual_host_that_does_not_exist_is_told(queue: str) -> None:
    failed = _failure(outcome(rabbit(queue, virtual_host="no/such host"), action="depth"))
    assert failed.kind == "broker"
    assert "virtual host" in failed.message


@pytest.mark.parametrize(
    ("condition", "passes"),
    [({}, True), ({"fail_above": 2}, False), ({"fail_above": 3}, True), ({"fail_below": 4}, False)],
)
def test_the_depth_decides(queue: str, condition: dict[str, int], passes: bool) -> None:
    outcome(rabbit(queue), action="publish", messages=[{"body": 1}] * 3)
    found = outcome(rabbit(queue), action="depth", **condition)
    if passes:
        assert found == Succeeded({"depth": 3})
    else:
        assert (_failure(found).kind, _failure(found).result) == ("condition", {"depth": 3})


def test_the_depth_of_a_queue_that_does_not_exist_is_a_lasting_failure() -> None:
    require("rabbitmq")
    failed = _failure(outcome(rabbit("no-such-queue"), action="depth"))
    assert (failed.kind, failed.retryable) == ("broker", False)


def test_a_purge_empties_the_queue(queue: str) -> None:
    outcome(rabbit(queue), action="publish", messages=[{"body": 1}] * 3)
    found = outcome(rabbit(queue), action="purge", confirm=queue)
    assert found == Succeeded({"purged": queue, "messages": 3})
    assert messages_in(queue) == []


def test_messages_are_forwarded_whole(queue: str) -> None:
    messages = [{"body": str(number), "headers": {"n": str(number)}} for number in range(120)]
    outcome(rabbit(queue), action="publish", messages=messages)
    with queue_of() as other:
        found = outcome(rabbit(queue), action="forward", to=rabbit(other), idle_seconds=0.5)
        assert found == Succeeded({"forwarded": 120, "ended": "empty"})
        arrived = messages_in(other)
    assert [message.body for message in arrived] == [str(number).encode() for number in range(120)]
    assert arrived[7].header.properties.headers == {"n": "7"}
    assert arrived[7].header.properties.message_id == f"{RUN_ID}.7"
    assert messages_in(queue) == []


def test_no_more_is_forwarded_than_was_asked_for(queue: str) -> None:
    outcome(rabbit(queue), action="publish", messages=[{"body": 1}] * 70)
    with queue_of() as other:
        found = outcome(rabbit(queue), action="forward", to=rabbit(other), max_messages=60)
        assert found == Succeeded({"forwarded": 60, "ended": "max_messages"})
    assert len(messages_in(queue)) == 10


def test_what_the_other_queue_refuses_stays_in_the_first(queue: str) -> None:
    outcome(rabbit(queue), action="publish", messages=[{"body": number} for number in range(3)])
    failed = _failure(outcome(rabbit(queue), action="forward", to=rabbit("no-such-queue")))
    assert (failed.kind, failed.retryable, failed.result) == ("broker", False, {"forwarded": 0})
    assert sorted(message.body for message in messages_in(queue)) == [b"0", b"1", b"2"]


def test_messages_without_ids_of_their_own_are_forwarded_all(queue: str) -> None:
    async def twice(channel: AbstractChannel) -> None:
        same = aiormq.spec.Basic.Properties(message_id="same")
        for _ in range(2):
            await channel.basic_publish(b"x", routing_key=queue, properties=same)

    on_broker(twice)
    with queue_of() as other:
        found = outcome(rabbit(queue), action="forward", to=rabbit(other), idle_seconds=0.5)
        assert found == Succeeded({"forwarded": 2, "ended": "empty"})
        assert len(messages_in(other)) == 2
