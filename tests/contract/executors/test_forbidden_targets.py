"""The outbound guard over every protocol: no spelling of an inner address is dialled, whoever asks."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.domain.outcome import Failed
from chalicelib.executors import registry
from chalicelib.executors.base import ExecutorSettings
from tests.support.calls import call_of, perform
from tests.support.doubles import MemoryJobState
from tests.support.targets import REFUSED

Job = tuple[str, dict[str, Any]]


def _end(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _database(engine: str) -> Callable[[str], Job]:
    def job(host: str) -> Job:
        place = {"engine": engine, "host": host, "database": "a", "user": "a", "tls": None}
        return "database", {"connection": place, "statements": [{"sql": "SELECT 1"}]}

    return job


def _queue(kind: str, **others: Any) -> Callable[[str], Job]:
    def job(host: str) -> Job:
        place = {"servers": [_end(host, 5999)]} if kind in ("kafka", "nats") else {"host": host, "port": 5999}
        queue = {"kind": kind, "tls": None, **place, **others}
        return "message_queue", {
            "queue": queue,
            "operation": {"action": "publish", "messages": [{"body": "x"}]},
        }

    return job


def _db_to_kafka(host: str) -> Job:
    kafka = {"servers": [_end(host, 5999)], "tls": None}
    place = {"engine": "sqlite", "path": "never.db"}
    return "db_to_kafka", {"connection": place, "query": {"sql": "SELECT 1"}, "kafka": kafka, "topic": "t"}


PROTOCOLS: dict[str, Callable[[str], Job]] = {
    "HTTP": lambda host: ("http", {"url": f"http://{_end(host, 80)}/"}),
    "HTTPS": lambda host: ("http", {"url": f"https://{_end(host, 443)}/"}),
    "PostgreSQL": _database("postgresql"),
    "MySQL": _database("mysql"),
    "Redis": lambda host: (
        "cache",
        {"connection": {"host": host, "tls": None}, "operation": {"do": "stats"}},
    ),
    "Kafka": _queue("kafka", topic="t"),
    "RabbitMQ": _queue("rabbitmq", exchange="e"),
    "NATS": _queue("nats", subject="s"),
    "MQTT": _queue("mqtt", topic="t"),
    "Kafka from a database": _db_to_kafka,
    "gRPC": lambda host: ("grpc", {"host": host, "port": 5999, "tls": None, "service": "a.B", "method": "C"}),
}


def _ends_as(job: Job) -> str:
    """The kind of the failure, `refused` if the job cannot even be saved."""
    type_, config = job
    try:
        call = call_of(type_, config, settings=ExecutorSettings(), seconds=10, state=MemoryJobState())
    except ValidationError:
        return "refused"
    outcome = perform(call, type_)
    assert isinstance(outcome, Failed), outcome
    return outcome.kind


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_spelling_of_an_inner_address_is_dialled(protocol: str) -> None:
    ends = {spelling: _ends_as(PROTOCOLS[protocol](spelling)) for spelling, _ in REFUSED}
    assert len(ends) >= 150
    assert {
        spelling: end for spelling, end in ends.items() if end not in ("forbidden_target", "refused")
    } == {}
    assert list(ends.values()).count("forbidden_target") > 100


def test_every_type_that_dials_is_tried() -> None:
    """Those that dial nothing, or only AWS by its own client, are named here."""
    elsewhere = {"cloud_function", "dummy", "file_system", "report", "script"}
    tried = {job("192.0.2.1")[0] for job in PROTOCOLS.values()}
    assert set(registry.types()) - elsewhere == tried
