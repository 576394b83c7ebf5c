"""message_queue jobs on brokers of Kafka: librdkafka's own, in this process."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Message

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import ExecutorSettings
from tests.support.calls import LOOPBACK, RUN_ID, call_of, perform
from tests.support.kafka_broker import kafka
from tests.support.relay import relaying

Queue = dict[str, Any]


@pytest.fixture(scope="module")
def servers() -> Iterator[list[str]]:
    with kafka(brokers=2) as found:
        yield found


@pytest.fixture
def topic(servers: list[str]) -> Queue:
    return {"kind": "kafka", "servers": servers, "tls": None, "topic": f"t-{uuid4().hex}"}


def outcome(
    queue: Queue, settings: ExecutorSettings = LOOPBACK, seconds: float = 20, **operation: Any
) -> Outcome:
    """Of one attempt."""
    config = {"queue": queue, "operation": operation}
    return perform(call_of("message_queue", config, settings=settings, seconds=seconds), "message_queue")


def messages_in(queue: Queue, count: int) -> list[Message]:
    """The first messages of the topic, read by librdkafka."""
    consumer = Consumer(
        {
            "bootstrap.servers": ",".join(queue["servers"]),
            "group.id": uuid4().hex,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([queue["topic"]])
    try:
        return consumer.consume(count, timeout=15)
    finally:
        consumer.close()


def _failure(found: Outcome) -> Failed:
    assert isinstance(found, Failed), found
    return found


def test_a_message_arrives_with_its_key_and_headers(topic: Queue) -> None:
    message = {"body": {"day": 1}, "key": "k", "headers": {"x-kind": "daily"}}
    assert outcome(topic, action="publish", messages=[message]) == Succeeded({"published": 1})
    (found,) = messages_in(topic, 1)
    assert (found.value(), found.key()) == (b'{"day":1}', b"k")
    assert dict(found.headers() or []) == {
        "x-kind": b"daily",
        "chronos-message-id": RUN_ID.encode(),
        "content-type": b"application/json",
    }


def test_a_batch_arrives_in_order_in_its_partition(topic: Queue) -> None:
    messages = [{"body": number} for number in range(300)]
    assert outcome(topic | {"partition": 2}, action="publish", messages=messages) == Succeeded(
        {"published": 300}
    )
    found = messages_in(topic, 300)
    assert [message.value() for message in found] == [str(number).encode() for number in range(300)]
    assert {message.partition() for message in found} == {2}


def test_messages_of_a_key_share_a_partition(topic: Queue) -> None:
    messages = [{"body": number, "key": f"k{number % 3}"} for number in range(30)]
    outcome(topic, action="publish", messages=messages)
    places = {(message.key(), message.partition()) for message in messages_in(topic, 30)}
    assert len(places) == 3


def test_the_depth_is_what_a_group_has_not_read_or_all(topic: Queue) -> None:
    outcome(topic, action="publish", messages=[{"body": 1}] * 9)
    assert outcome(topic, action="depth") == Succeeded({"depth": 9})
    group = topic | {"group": uuid4().hex}
    assert outcome(group, action="depth") == Succeeded({"depth": 9})
    assert isinstance(
        outcome(group, action="forward", to=topic | {"topic": "other"}, max_messages=9), Succeeded
    )
    assert outcome(group, action="depth") == Succeeded({"depth": 0})
    assert _failure(outcome(topic, action="depth", fail_above=8)).kind == "condition"


def test_messages_are_forwarded_once(topic: Queue) -> None:
    messages = [{"body": str(number), "key": "k", "headers": {"n": str(number)}} for number in range(120)]
    outcome(topic, action="publish", messages=messages)
    source, to = topic | {"group": uuid4().hex}, topic | {"topic": f"t-{uuid4().hex}"}
    first = outcome(source, action="forward", to=to, idle_seconds=1.5)
    assert first == Succeeded({"forwarded": 120, "ended": "empty"})
    again = outcome(source, action="forward", to=to, idle_seconds=0.5)
    assert again == Succeeded({"forwarded": 0, "ended": "empty"})
    found = messages_in(to, 120)
    assert [message.value() for message in found] == [str(number).encode() for number in range(120)]
    assert (found[7].key(), dict(found[7].headers() or [])["chronos-message-id"]) == (
        b"k",
        f"{RUN_ID}.7".encode(),
    )


def test_what_the_other_queue_refuses_is_read_again(topic: Queue) -> None:
    outcome(topic, action="publish", messages=[{"body": 1}] * 3)
    source = topic | {"group": uuid4().hex}
    nowhere = {"kind": "rabbitmq", "host": "127.0.0.1", "port": 1, "tls": None, "queue": "no-such-queue"}
    assert _failure(outcome(source, action="forward", to=nowhere)).kind == "connection"
    assert outcome(source, action="depth") == Succeeded({"depth": 3})


def test_one_partition_can_be_read(topic: Queue) -> None:
    outcome(topic | {"partition": 1}, action="publish", messages=[{"body": 1}] * 3)
    outcome(topic | {"partition": 2}, action="publish", messages=[{"body": 2}] * 2)
    source = topic | {"group": uuid4().hex, "partition": 1}
    found = outcome(source, action="forward", to=topic | {"topic": "other"}, idle_seconds=1.5)
    assert found == Succeeded({"forwarded": 3, "ended": "empty"})
    assert outcome(topic | {"partition": 2}, action="depth") == Succeeded({"depth": 2})


def test_the_next_server_is_tried_when_one_cannot_be_reached(topic: Queue) -> None:
    two = topic | {"servers": ["127.0.0.1:1", *topic["servers"]]}
    assert outcome(two, action="publish", messages=[{"body": 1}]) == Succeeded({"published": 1})


def test_a_broker_that_the_cluster_advertises_must_pass_the_guard(topic: Queue) -> None:
    """The server that the job names is allowed; the addresses that it gives for its brokers are not."""
    only_one = ExecutorSettings(allow_networks=("127.0.0.2/32",))
    port = int(topic["servers"][0].rpartition(":")[2])
    with relaying(port, host="127.0.0.2") as relay:
        named = topic | {"servers": [f"127.0.0.2:{relay}"]}
        found = outcome(named, settings=only_one, action="publish", messages=[{"body": 1}])
    failed = _failure(found)
    assert failed.kind == "forbidden_target"
    assert "127.0.0.1, which is loopback" in failed.message
