"""The deadline of an http job is over the whole exchange: no way of being slow stretches it."""

import ssl
import time
from collections.abc import Callable

import pytest

from chalicelib.domain.outcome import Failed
from chalicelib.executors.base import ExecutorSettings
from tests.support.calls import call_of, perform
from tests.support.certificates import Authority
from tests.support.http_servers import Script, Talk, serving

SECONDS = 0.5
TOLERANCE = 3
"""Seconds that a busy machine may add. These servers go on for ever: whoever is stretched, is stretched further."""


def _never_answers(talk: Talk) -> None:
    talk.read()
    talk.stop.wait()


def _drips_its_status_line(talk: Talk) -> None:
    talk.read()
    talk.drip(b"HTTP/1.1 200 OK and so on and so on ", every_seconds=0.05)


def _drips_its_headers(talk: Talk) -> None:
    talk.read()
    talk.say(b"HTTP/1.1 200 OK\r\n")
    talk.drip(b"X-Slow: yes\r\n", every_seconds=0.05)


def _says_continue_for_ever(talk: Talk) -> None:
    talk.read()
    talk.pour(b"HTTP/1.1 100 Continue\r\n\r\n")


def _drips_continue(talk: Talk) -> None:
    talk.read()
    talk.drip(b"HTTP/1.1 100 Continue\r\n\r\n", every_seconds=0.01)


def _drips_its_body(talk: Talk) -> None:
    talk.read()
    talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
    talk.drip(b"x", every_seconds=0.05)


def _drips_a_body_of_unknown_length(talk: Talk) -> None:
    talk.read()
    talk.say(b"HTTP/1.1 200 OK\r\n\r\n")
    talk.drip(b"x", every_seconds=0.05)


def _drips_chunks(talk: Talk) -> None:
    talk.read()
    talk.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    talk.drip(b"1\r\nx\r\n", every_seconds=0.02)


def _drips_an_endless_chunk_size(talk: Talk) -> None:
    talk.read()
    talk.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    talk.drip(b"0", every_seconds=0.02)


def _drips_trailers(talk: Talk) -> None:
    talk.read()
    talk.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    talk.drip(b"X-Slow: yes\r\n", every_seconds=0.02)


def _redirects_slowly(talk: Talk) -> None:
    while talk.read() and not talk.stop.wait(0.2):
        talk.answer("307 Again", b"", "Location: /again")


SLOW: list[Script] = [
    _never_answers,
    _drips_its_status_line,
    _drips_its_headers,
    _says_continue_for_ever,
    _drips_continue,
    _drips_its_body,
    _drips_a_body_of_unknown_length,
    _drips_chunks,
    _drips_an_endless_chunk_size,
    _drips_trailers,
    _redirects_slowly,
]


def _times_out_in_time(url: str, settings: ExecutorSettings) -> None:
    call = call_of("http", {"url": url, "follow_redirects": True}, seconds=SECONDS, settings=settings)
    outcome = perform(call, "http")
    late = time.monotonic() - call.deadline
    assert isinstance(outcome, Failed), outcome
    assert outcome.kind == "timeout"
    assert -0.1 < late < TOLERANCE


@pytest.mark.parametrize("script", SLOW)
def test_a_slow_server_cannot_stretch_the_deadline(script: Callable[[Talk], None]) -> None:
    with serving(script) as server:
        _times_out_in_time(server.url(), ExecutorSettings(allow_networks=("127.0.0.0/8",)))


@pytest.mark.parametrize("script", SLOW)
def test_a_slow_server_cannot_stretch_the_deadline_over_tls(
    script: Callable[[Talk], None], authority: Authority
) -> None:
    with serving(script, tls=authority.server_context("localhost")) as server:
        _times_out_in_time(server.url(host="localhost", scheme="https"), authority.settings)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def _says_nothing(talk: Talk) -> None:
    talk.stop.wait()


def _drips_its_handshake(talk: Talk) -> None:
    talk.connection.recv(65_536)
    talk.say(b"\x16\x03\x03\x40\x00")  # a handshake record of 16 KB, announced
    talk.drip(b"\x02", every_seconds=0.02)


@pytest.mark.parametrize("script", [_says_nothing, _drips_its_handshake])
def test_a_slow_handshake_cannot_stretch_the_deadline(
    script: Callable[[Talk], None], authority: Authority
) -> None:
    with serving(script) as server:
        _times_out_in_time(server.url(host="localhost", scheme="https"), authority.settings)


@pytest.mark.parametrize(
    "script", [_never_answers, _drips_its_headers, _drips_its_body, _says_continue_for_ever]
)
def test_an_exchange_ends_soon_when_it_is_to_stop(script: Callable[[Talk], None]) -> None:
    settings = ExecutorSettings(allow_networks=("127.0.0.0/8",))

    def told(talk: Talk) -> None:
        call.stop.want()
        script(talk)

    with serving(told) as server:
        call = call_of("http", {"url": server.url()}, seconds=60, settings=settings)
        outcome = perform(call, "http")
        assert isinstance(outcome, Failed), outcome
        assert call.remaining() > 50, "it did not wait for its deadline"


def test_a_connection_used_before_has_the_new_calls_time() -> None:
    def script(talk: Talk) -> None:
        talk.read()
        talk.answer("200 OK", b"quick")
        _drips_its_headers(talk)

    settings = ExecutorSettings(allow_networks=("127.0.0.0/8",))
    with serving(script) as server:
        perform(call_of("http", {"url": server.url()}, seconds=30, settings=settings), "http")
        _times_out_in_time(server.url(), settings)
        assert len(server.connections) == 1


def test_the_minimum_of_tls_is_1_2() -> None:
    from chalicelib.executors.deadline import tls_context

    context = tls_context(None)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
