"""message_queue jobs on a real Mosquitto."""

import queue as waiting
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from tests.support.calls import RUN_ID, call_of, perform
from tests.support.services import HOST, require


def topic_of(topic: str, **others: Any) -> dict[str, Any]:
    """How a job names a topic of the broker."""
    return {"kind": "mqtt", "host": HOST, "tls": None, "topic": topic, **others}


def outcome(queue: dict[str, Any], **operation: Any) -> Outcome:
    """Of one attempt."""
    return perform(call_of("message_queue", {"queue": queue, "operation": operation}), "message_queue")


@contextmanager
def listening(topic: str) -> Iterator["waiting.Queue[MQTTMessage]"]:
    """What arrives at a topic; it is listened to by a client of the test's own."""
    arrived: waiting.Queue[MQTTMessage] = waiting.Queue()
    ready: waiting.Queue[bool] = waiting.Queue()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    client.on_message = lambda _client, _data, message: arrived.put(message)
    client.on_subscribe = lambda *_: ready.put(True)
    client.connect(HOST, require("mqtt"))
    client.subscribe(topic, qos=2)
    client.loop_start()
    try:
        ready.get(timeout=5)
        yield arrived
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.fixture
def topic() -> Iterator[str]:
    require("mqtt")
    name = f"chronos/{uuid4().hex}"
    yield name
    outcome(topic_of(name), action="purge", confirm=name)


def _failure(found: Outcome) -> Failed:
    assert isinstance(found, Failed), found
    return found


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_messages_arrive_in_order_in_every_quality(topic: str, version: str, qos: int) -> None:
    messages = [{"body": number} for number in range(50)]
    with listening(topic) as arrived:
        found = outcome(topic_of(topic, version=version, qos=qos), action="publish", messages=messages)
        assert found == Succeeded({"published": 50})
        got = [arrived.get(timeout=5) for _ in range(50)]
    assert [message.payload for message in got] == [str(number).encode() for number in range(50)]
    assert {message.qos for message in got} == {qos}


def test_version_5_carries_headers_a_content_type_and_an_id(topic: str) -> None:
    with listening(topic) as arrived:
        outcome(
            topic_of(topic), action="publish", messages=[{"body": {"a": 1}, "headers": {"x-kind": "daily"}}]
        )
        found = arrived.get(timeout=5)
    assert found.properties is not None
    assert found.properties.ContentType == "application/json"
    assert dict(found.properties.UserProperty) == {"x-kind": "daily", "chronos-message-id": RUN_ID}


def test_a_retained_message_waits_for_those_who_come_later(topic: str) -> None:
    outcome(topic_of(topic, retain=True), action="publish", messages=[{"body": "kept"}])
    with listening(topic) as arrived:
        found = arrived.get(timeout=5)
    assert (found.payload, found.retain) == (b"kept", True)


def test_a_purge_drops_the_retained_message(topic: str) -> None:
    outcome(topic_of(topic, retain=True), action="publish", messages=[{"body": "kept"}])
    assert outcome(topic_of(topic), action="purge", confirm=topic) == Succeeded({"purged": topic})
    with listening(topic) as arrived, pytest.raises(waiting.Empty):
        arrived.get(timeout=0.5)


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_what_was_published_between_two_runs_is_forwarded(topic: str, version: str) -> None:
    client_id = f"chronos-{uuid4().hex}"
    source = topic_of(f"{topic}/+", client_id=client_id, version=version)
    to = topic_of(f"{topic}/there/all")
    with listening(f"{topic}/there/all") as arrived:
        first = outcome(source, action="forward", to=to, idle_seconds=0.5)
        assert first == Succeeded({"forwarded": 0, "ended": "empty"})
        messages = [{"body": number} for number in range(60)]
        outcome(topic_of(f"{topic}/a"), action="publish", messages=messages)
        second = outcome(source, action="forward", to=to, idle_seconds=1.5)
        assert second == Succeeded({"forwarded": 60, "ended": "empty"})
        third = outcome(source, action="forward", to=to, idle_seconds=0.5)
        assert third == Succeeded({"forwarded": 0, "ended": "empty"})
        got = [arrived.get(timeout=5).payload for _ in range(60)]
    assert got == [str(number).encode() for number in range(60)]


def test_what_the_other_queue_refuses_comes_again(topic: str) -> None:
    source = topic_of(f"{topic}/+", client_id=f"chronos-{uuid4().hex}")
    to = topic_of(f"{topic}/there/all")
    outcome(source, action="forward", to=to, idle_seconds=0.5)
    outcome(topic_of(f"{topic}/a"), action="publish", messages=[{"body": 1}] * 3)
    require("rabbitmq")
    missing = {"kind": "rabbitmq", "host": HOST, "tls": None, "queue": "no-such-queue"}
    assert _failure(outcome(source, action="forward", to=missing)).result == {"forwarded": 0}
    found = outcome(source, action="forward", to=to, idle_seconds=1.5)
    assert found == Succeeded({"forwarded": 3, "ended": "empty"})
