"""message_queue jobs at brokers that want passwords and certificates, or hang up in the middle."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import ExecutorSettings
from tests.support.calls import LOOPBACK, call_of, perform
from tests.support.certificates import Authority
from tests.support.kafka_broker import kafka
from tests.support.own_brokers import PASSWORD, USER, kafka_that_wants_a_password, mosquitto, nats_server
from tests.support.relay import cutting
from tests.support.services import Service, require

PUBLISH: dict[str, Any] = {"action": "publish", "messages": [{"body": "x"}] * 5}
GOOD = {"user": USER, "password": PASSWORD}
WRONG = {"user": USER, "password": "wrong-secret"}


def _outcome(
    queue: dict[str, Any], settings: ExecutorSettings = LOOPBACK, seconds: float = 10, **operation: Any
) -> Outcome:
    config = {"queue": {"tls": None} | queue, "operation": operation or PUBLISH}
    return perform(call_of("message_queue", config, settings=settings, seconds=seconds), "message_queue")


def _is_refused(found: Outcome, kind: str = "authentication") -> None:
    assert isinstance(found, Failed), found
    assert found.kind == kind, found
    assert "wrong-secret" not in str(found)


def _nats(port: int, **others: Any) -> dict[str, Any]:
    return {"kind": "nats", "servers": [f"localhost:{port}"], "subject": "a.b", "jetstream": False, **others}


def test_nats_wants_a_token(tmp_path: Path) -> None:
    with nats_server(tmp_path, f"authorization {{ token: {PASSWORD} }}") as port:
        assert _outcome(_nats(port, token=PASSWORD)) == Succeeded({"published": 5})
        _is_refused(_outcome(_nats(port, token="wrong-secret")))
        _is_refused(_outcome(_nats(port)))


def test_nats_wants_a_user_who_may_do_what_the_job_does(tmp_path: Path) -> None:
    rights = "permissions { publish: a.* }"
    users = f"authorization {{ users: [ {{ user: {USER}, password: {PASSWORD}, {rights} }} ] }}"
    with nats_server(tmp_path, users) as port:
        assert _outcome(_nats(port, **GOOD)) == Succeeded({"published": 5})
        _is_refused(_outcome(_nats(port, **WRONG)))
        _is_refused(_outcome(_nats(port, **GOOD) | {"subject": "other"}))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def _files(authority: Authority, folder: Path, name: str) -> str:
    certificate, key = authority.client(name)
    (folder / "certificate.pem").write_text(certificate)
    (folder / "key.pem").write_text(key)
    return f'cert_file: "{folder}/certificate.pem", key_file: "{folder}/key.pem"'


def test_nats_by_tls(authority: Authority, tmp_path: Path) -> None:
    with nats_server(tmp_path, f"tls {{ {_files(authority, tmp_path, 'localhost')} }}") as port:
        assert _outcome(_nats(port, tls={}), authority.settings) == Succeeded({"published": 5})
        assert _outcome(_nats(port, tls={"ca": authority.pem})) == Succeeded({"published": 5})
        _is_refused(_outcome(_nats(port, tls={})), "connection")
        _is_refused(_outcome(_nats(port, tls={"server_name": "x.example"}), authority.settings), "connection")


def test_nats_wants_a_certificate(authority: Authority, tmp_path: Path) -> None:
    files = _files(authority, tmp_path, "localhost")
    demanding = f'tls {{ {files}, ca_file: "{authority.settings.ca_file}", verify: true }}'
    certificate, key = authority.client("chronos")
    with nats_server(tmp_path, demanding) as port:
        shown = {"certificate": certificate, "key": key, "ca": authority.pem}
        assert _outcome(_nats(port, tls=shown)) == Succeeded({"published": 5})
        _is_refused(_outcome(_nats(port, tls={"ca": authority.pem})), "connection")


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_mqtt_wants_a_password(tmp_path: Path, version: str) -> None:
    with mosquitto(tmp_path, "topic readwrite a/#") as port:
        topic = {"kind": "mqtt", "host": "localhost", "port": port, "topic": "a/b", "version": version}
        assert _outcome(topic | GOOD) == Succeeded({"published": 5})
        _is_refused(_outcome(topic | WRONG))
        _is_refused(_outcome(topic))


def test_mqtt_says_what_a_user_may_not_do(tmp_path: Path) -> None:
    with mosquitto(tmp_path, "topic write a/#") as port:
        topic = {"kind": "mqtt", "host": "localhost", "port": port, "topic": "other", **GOOD}
        failed = _outcome(topic)
        _is_refused(failed, "broker")
        assert isinstance(failed, Failed)
        assert (failed.retryable, failed.message) == (
            False,
            "5 of 5 messages were refused; the first, number 0: Not authorized.",
        )
        _is_refused(_outcome(topic, action="purge", confirm="other"), "broker")


@pytest.mark.parametrize(
    ("mechanisms", "wanted", "why"),
    [
        (("PLAIN",), "PLAIN", "the password is wrong"),
        (("SCRAM-SHA-256",), "SCRAM-SHA-256", "the password is wrong"),
        (("SCRAM-SHA-512",), "SCRAM-SHA-512", "the password is wrong"),
        (("GSSAPI",), "PLAIN", "the broker does not offer it"),
    ],
)
def test_kafka_wants_a_password(mechanisms: tuple[str, ...], wanted: str, why: str) -> None:
    with kafka_that_wants_a_password(mechanisms) as port:
        topic = {
            "kind": "kafka",
            "servers": [f"localhost:{port}"],
            "topic": "t",
            "mechanism": wanted,
            **WRONG,
        }
        _is_refused(_outcome(topic))


@pytest.fixture(scope="module")
def kafka_port() -> Iterator[int]:
    with kafka() as [server]:
        yield int(server.rpartition(":")[2])


@pytest.mark.parametrize("after", [0, 1, 7, 20, 200, 370, 420, 700, 1310])
@pytest.mark.parametrize("kind", ["rabbitmq", "nats", "jetstream", "mqtt", "kafka"])
def test_a_server_that_hangs_up_ends_the_attempt_at_once(kafka_port: int, kind: str, after: int) -> None:
    with cutting(_port(kind, kafka_port), after) as port:
        began = time.monotonic()
        found = _outcome(_queue(kind, port), seconds=20)
        assert time.monotonic() - began < 10, found
    if isinstance(found, Failed):
        assert found.kind in {"connection", "broker"}, found


def _port(kind: str, of_kafka: int) -> int:
    if kind == "kafka":
        return of_kafka
    servers: dict[str, Service] = {
        "rabbitmq": "rabbitmq",
        "nats": "nats",
        "jetstream": "nats",
        "mqtt": "mqtt",
    }
    return require(servers[kind])


def _queue(kind: str, port: int) -> dict[str, Any]:
    return {
        "rabbitmq": {"kind": kind, "host": "localhost", "port": port, "exchange": "amq.fanout"},
        "nats": _nats(port),
        "jetstream": _nats(port, jetstream=True, subject="$JS.API.INFO"),  # somebody answers there, always
        "mqtt": {"kind": kind, "host": "localhost", "port": port, "topic": "chronos/cut"},
        "kafka": {"kind": kind, "servers": [f"localhost:{port}"], "topic": "cut"},
    }[kind]
