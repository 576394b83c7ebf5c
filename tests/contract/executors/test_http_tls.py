"""http jobs over TLS: the certificate must be good, and for the name in the URL."""

import ssl
import time
from pathlib import Path

import pytest

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import ExecutorSettings
from tests.support.calls import LOOPBACK, call_of, perform
from tests.support.certificates import Authority
from tests.support.http_servers import Talk, answering, serving


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def _outcome(context: ssl.SSLContext, settings: ExecutorSettings, host: str = "localhost") -> Outcome:
    with serving(answering(), tls=context) as server:
        url = server.url(host=host, scheme="https")
        return perform(call_of("http", {"url": url}, settings=settings), "http")


def test_a_good_certificate_passes_and_the_name_is_sent(authority: Authority) -> None:
    context = authority.server_context("localhost")
    asked: list[str | None] = []
    context.sni_callback = lambda connection, name, _: asked.append(name)
    assert isinstance(_outcome(context, authority.settings), Succeeded)
    assert asked == ["localhost"]


def test_tls_connections_are_used_again(authority: Authority) -> None:
    with serving(answering(), tls=authority.server_context("localhost")) as server:
        for _ in range(3):
            url = server.url(host="localhost", scheme="https")
            assert isinstance(
                perform(call_of("http", {"url": url}, settings=authority.settings), "http"), Succeeded
            )
    assert len(server.connections) == 1


def test_an_unknown_authority_is_refused(authority: Authority) -> None:
    _is_refused(_outcome(authority.server_context("localhost"), LOOPBACK))


def test_a_certificate_for_another_name_is_refused(authority: Authority) -> None:
    _is_refused(_outcome(authority.server_context("other.example"), authority.settings))


def test_a_certificate_for_a_name_does_not_do_for_its_address(authority: Authority) -> None:
    _is_refused(_outcome(authority.server_context("localhost"), authority.settings, host="127.0.0.1"))


def test_a_certificate_that_has_run_out_is_refused(authority: Authority) -> None:
    _is_refused(_outcome(authority.server_context("localhost", days=-1), authority.settings))


def _is_refused(outcome: Outcome) -> None:
    assert isinstance(outcome, Failed)
    assert outcome.kind == "connection"
    assert "certificate" in outcome.message


def _own(context: ssl.SSLContext, tls: dict[str, object], host: str = "localhost") -> Outcome:
    with serving(answering(), tls=context) as server:
        url = server.url(host=host, scheme="https")
        return perform(call_of("http", {"url": url, "tls": tls}), "http")


def test_a_job_may_trust_an_authority_of_its_own(authority: Authority) -> None:
    assert isinstance(_own(authority.server_context("localhost"), {"ca": authority.pem}), Succeeded)
    _is_refused(_own(authority.server_context("localhost"), {}))


def test_an_own_authority_verifies_the_name_too(authority: Authority) -> None:
    _is_refused(_own(authority.server_context("other.example"), {"ca": authority.pem}))
    named = {"ca": authority.pem, "server_name": "other.example"}
    assert isinstance(_own(authority.server_context("other.example"), named), Succeeded)
    _is_refused(_own(authority.server_context("localhost"), named))


def test_a_server_may_ask_who_the_client_is(authority: Authority) -> None:
    context = authority.server_context("localhost")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.pem)
    certificate, key = authority.client("client")
    shown = {"ca": authority.pem, "certificate": certificate, "key": key}
    assert isinstance(_own(context, shown), Succeeded)
    outcome = _own(context, {"ca": authority.pem})
    assert isinstance(outcome, Failed)
    assert outcome.kind == "connection"


def test_an_old_version_of_tls_is_not_spoken(authority: Authority) -> None:
    context = authority.server_context("localhost")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    tls = {"ca": authority.pem, "minimum_version": "1.3"}
    outcome = _own(context, tls)
    assert isinstance(outcome, Failed)
    assert outcome.kind == "connection"


def test_a_pem_that_is_none_fails_for_good_and_is_not_shown(authority: Authority) -> None:
    certificate, _ = authority.client("client")
    for tls in (
        {"ca": "-----BEGIN CERTIFICATE-----\nsecret\n-----END CERTIFICATE-----\n"},
        {
            "certificate": certificate,
            "key": "-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n",
        },
    ):
        outcome = _own(authority.server_context("localhost"), tls)
        assert isinstance(outcome, Failed)
        assert (outcome.kind, outcome.retryable) == ("connection", False)
        assert "secret" not in outcome.message


def test_another_origin_does_not_see_the_clients_certificate(authority: Authority) -> None:
    with serving(answering(), tls=authority.server_context("localhost")) as other:
        away = answering("307 There", b"", f"Location: {other.url(host='localhost', scheme='https')}")
        with serving(away, tls=authority.server_context("localhost")) as server:
            url = server.url(host="localhost", scheme="https")
            config = {"url": url, "tls": {"ca": authority.pem}, "follow_redirects": True}
            outcome = perform(call_of("http", config), "http")
    assert isinstance(outcome, Failed)
    assert outcome.status == 307
    assert other.connections == []


def test_the_connections_of_a_job_with_tls_of_its_own_end_with_the_attempt(authority: Authority) -> None:
    with serving(answering(), tls=authority.server_context("localhost")) as server:
        url = server.url(host="localhost", scheme="https")
        perform(call_of("http", {"url": url, "tls": {"ca": authority.pem}}), "http")
        assert server.connections[0].gone.wait(5)


def test_a_silent_server_under_own_tls_does_not_stretch_the_deadline(authority: Authority) -> None:
    def silent(talk: Talk) -> None:
        talk.read()
        talk.drip(b"HTTP/1.1 200 OK and so on ", every_seconds=0.05)

    started = time.monotonic()
    with serving(silent, tls=authority.server_context("localhost")) as server:
        url = server.url(host="localhost", scheme="https")
        outcome = perform(call_of("http", {"url": url, "tls": {"ca": authority.pem}}, seconds=0.5), "http")
    assert isinstance(outcome, Failed)
    assert outcome.kind == "timeout"
    assert time.monotonic() - started < 3
