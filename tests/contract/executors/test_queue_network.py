"""What all kinds of message_queue have in common on the network: guard, deadline, cancelling, TLS, and nothing left."""

import re
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import ExecutorSettings
from tests.support.calls import LOOPBACK, call_of, perform
from tests.support.certificates import Authority
from tests.support.relay import relaying, silent
from tests.support.services import Service, require
from tests.support.waiting import eventually

Place = Callable[[str, int], dict[str, Any]]
KINDS: dict[str, Place] = {
    "rabbitmq": lambda host, port: {"kind": "rabbitmq", "host": host, "port": port, "exchange": "amq.fanout"},
    "nats": lambda host, port: {"kind": "nats", "servers": [_server(host, port)], "subject": "chronos.x"},
    "mqtt": lambda host, port: {"kind": "mqtt", "host": host, "port": port, "topic": "chronos/x"},
    "kafka": lambda host, port: {"kind": "kafka", "servers": [_server(host, port)], "topic": "x"},
}
SERVERS: dict[str, Service] = {"rabbitmq": "rabbitmq", "nats": "nats", "mqtt": "mqtt"}
every_kind = pytest.mark.parametrize("kind", KINDS)
every_server = pytest.mark.parametrize("kind", SERVERS)
GREETINGS = {
    "rabbitmq": b"AMQP\x00\x00\x09\x01",
    "nats": b"+OK\r\n",
    "mqtt": b"\x20\xff\xff\xff\x7f",
    "kafka": b"\x7f\xff\xff\xff",
}


def _server(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _config(kind: str, host: str, port: int, **others: Any) -> dict[str, Any]:
    place = KINDS[kind](host, port) | {"tls": None} | others
    return {"queue": place, "operation": {"action": "publish", "messages": [{"body": "x"}]}}


def _outcome(config: dict[str, Any], settings: ExecutorSettings = LOOPBACK, seconds: float = 10) -> Outcome:
    return perform(call_of("message_queue", config, settings=settings, seconds=seconds), "message_queue")


def _failure(found: Outcome) -> Failed:
    assert isinstance(found, Failed), found
    return found


@every_kind
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "::1", "::ffff:7f00:1", "0", "2130706433", "0x7f000001", "0177.0.0.1", "127.1",
     "10.0.0.1", "169.254.169.254", "192.168.1.1", "fd00:ec2::254", "64:ff9b::a9fe:a9fe"],
)  # fmt: skip
def test_no_spelling_of_an_inner_address_is_dialled(kind: str, host: str) -> None:
    failed = _failure(_outcome(_config(kind, host, 5999), settings=ExecutorSettings()))
    assert failed.kind == "forbidden_target", failed
    assert len(failed.message) < 300


@every_kind
def test_a_port_where_nobody_listens_is_a_connection_failure(kind: str) -> None:
    with silent() as port:
        closed = port
    failed = _failure(_outcome(_config(kind, "127.0.0.1", closed)))
    assert (failed.kind, failed.retryable) == ("connection", None)
    assert f"127.0.0.1:{closed}" in failed.message


@every_kind
def test_a_name_that_does_not_exist_is_a_connection_failure(kind: str) -> None:
    assert _failure(_outcome(_config(kind, "no-such-host.invalid", 5999))).kind == "connection"


@every_kind
@pytest.mark.parametrize("drips", [False, True], ids=["silent", "dripping"])
def test_the_deadline_holds_against_a_server_that_says_nothing_of_use(kind: str, drips: bool) -> None:
    with silent(GREETINGS[kind] if drips else b"", every_seconds=0.05 if drips else 0) as port:
        began = time.monotonic()
        failed = _failure(_outcome(_config(kind, "127.0.0.1", port), seconds=1))
        assert time.monotonic() - began < 6
    assert failed.kind in ({"timeout", "connection", "broker"} if drips else {"timeout"})


@every_kind
def test_who_is_told_to_stop_hangs_up_within_a_second_or_so(kind: str) -> None:
    with silent() as port:
        call = call_of("message_queue", _config(kind, "127.0.0.1", port), seconds=60)
        threading.Timer(0.3, call.stop.want).start()
        began = time.monotonic()
        assert isinstance(perform(call, "message_queue"), Failed)
        assert time.monotonic() - began < 6


@every_kind
def test_no_thread_is_left_behind(kind: str) -> None:
    before = threading.active_count()
    with silent() as port:
        _outcome(_config(kind, "localhost", port), seconds=0.5)
    eventually(lambda: threading.active_count() <= before, seconds=5)


@every_server
def test_no_thread_is_left_behind_by_a_success(kind: str) -> None:
    before = threading.active_count()
    jetstream = {"jetstream": False} if kind == "nats" else {}
    found = _outcome(_config(kind, "127.0.0.1", require(SERVERS[kind]), **jetstream))
    assert _was_let_in(found)
    eventually(lambda: threading.active_count() <= before, seconds=5)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def _by_tls(kind: str, context: ssl.SSLContext, settings: ExecutorSettings, **tls: Any) -> Outcome:
    with relaying(require(SERVERS[kind]), tls=context) as port:
        config = _config(kind, "localhost", port, tls=tls)
        config["queue"] |= {"jetstream": False} if kind == "nats" else {}
        return _outcome(config, settings=settings)


@pytest.mark.parametrize("kind", ["rabbitmq", "mqtt"])  # a NATS server speaks first, in plain text
class TestTLS:
    def test_a_good_certificate_passes(self, kind: str, authority: Authority) -> None:
        found = _by_tls(kind, authority.server_context("localhost"), authority.settings)
        assert _was_let_in(found), found

    def test_an_own_authority_is_trusted(self, kind: str, authority: Authority) -> None:
        pem = Path(str(authority.settings.ca_file)).read_text()
        assert _was_let_in(_by_tls(kind, authority.server_context("localhost"), LOOPBACK, ca=pem))

    def test_another_name_can_be_expected(self, kind: str, authority: Authority) -> None:
        context = authority.server_context("mq.example")
        assert _was_let_in(_by_tls(kind, context, authority.settings, server_name="mq.example"))

    def test_an_unknown_authority_is_refused(self, kind: str, authority: Authority) -> None:
        _is_refused(_by_tls(kind, authority.server_context("localhost"), LOOPBACK))

    def test_a_certificate_for_another_name_is_refused(self, kind: str, authority: Authority) -> None:
        _is_refused(_by_tls(kind, authority.server_context("other.example"), authority.settings))

    def test_a_certificate_that_has_run_out_is_refused(self, kind: str, authority: Authority) -> None:
        _is_refused(_by_tls(kind, authority.server_context("localhost", days=-1), authority.settings))


def _was_let_in(found: Outcome) -> bool:
    """RabbitMQ has answered, even if nobody listens at that exchange."""
    return isinstance(found, Succeeded) or (
        isinstance(found, Failed) and "no queue takes it" in found.message
    )


def _is_refused(found: Outcome) -> None:
    failed = _failure(found)
    assert failed.kind == "connection"
    assert re.search("certificate", failed.message)


@every_server
def test_a_server_that_speaks_no_tls_is_a_connection_failure(kind: str) -> None:
    config = _config(kind, "127.0.0.1", require(SERVERS[kind]))
    del config["queue"]["tls"]
    assert _failure(_outcome(config)).kind == "connection"


@every_kind
def test_pem_that_cannot_be_read_is_told_and_not_shown(kind: str) -> None:
    tls = {"certificate": "-----BEGIN x", "key": "-----BEGIN very-secret"}
    failed = _failure(_outcome(_config(kind, "127.0.0.1", 5999, tls=tls)))
    assert (failed.kind, failed.retryable) == ("connection", False)
    assert "very-secret" not in str(failed)


@every_kind
def test_a_file_of_authorities_that_is_missing_ends_as_a_failure(kind: str) -> None:
    config = _config(kind, "127.0.0.1", 5999, tls={})
    wrong = replace(LOOPBACK, ca_file="/no/such/file")
    assert _failure(_outcome(config, settings=wrong)).kind in {"connection", "unknown"}
