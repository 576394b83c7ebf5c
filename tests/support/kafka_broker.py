"""A cluster of Kafka brokers on loopback: librdkafka's mock, hosted by a client in this process."""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Producer


@contextmanager
def kafka(brokers: int = 1) -> Iterator[list[str]]:
    """The brokers' addresses, as long as they are up. A topic is made when it is first asked for."""
    host = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": brokers, "log_level": 0})
    yield [f"{each.host}:{each.port}" for each in host.list_topics(timeout=10).brokers.values()]
    host.flush(0)
