"""http jobs over TLS: the certificate must be good, and for the name in the URL."""

import ssl
from pathlib import Path

import pytest

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import ExecutorSettings
from tests.support.calls import LOOPBACK, call_of, perform
from tests.support.certificates import Authority
from tests.support.http_servers import answering, serving


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
