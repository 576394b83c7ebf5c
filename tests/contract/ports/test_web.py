"""The port Web: what the api asks of servers that tenants choose goes out through the guard, and stays small."""

import json
from typing import Any

import pytest

from chalicelib.executors.base import ExecutorSettings
from chalicelib.executors.http import asking
from chalicelib.executors.web import FRESH_SECONDS, KEPT_SECONDS, GuardedWeb
from chalicelib.ports.web import NoAnswer, NoWeb
from tests.support.http_servers import Server, Talk, answering, serving
from tests.support.memory import FakeClock

LOOPBACK = ExecutorSettings(allow_networks=("127.0.0.0/8",))


def web(clock: FakeClock | None = None) -> GuardedWeb:
    return GuardedWeb(LOOPBACK, clock or FakeClock())


def refusal(server: Server, path: str = "/") -> NoAnswer:
    with pytest.raises(NoAnswer) as refused:
        web().document(server.url(path))
    return refused.value


def test_a_form_is_sent_with_its_headers_and_the_answer_is_read() -> None:
    with serving(answering("400 Bad Request", b'{"error": "invalid_grant"}')) as server:
        reply = web().ask(server.url("/token"), form={"code": "a b&c"}, headers={"Authorization": "Basic x"})
    [sent] = server.received
    assert (sent.method, sent.target, sent.body) == ("POST", "/token", b"code=a+b%26c")
    assert sent.headers["authorization"] == "Basic x"
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    assert (reply.status, reply.json) == (400, {"error": "invalid_grant"})


def test_a_document_is_asked_for_once_in_a_while_and_again_when_it_is_doubted() -> None:
    clock = FakeClock()
    asking_one = web(clock)
    with serving(answering("200 OK", b'{"a": 1}')) as server:

        def asked(*, fresh: bool = False) -> int:
            assert asking_one.document(server.url(), fresh=fresh) == {"a": 1}
            return len(server.received)

        assert (asked(), asked(), asked(fresh=True)) == (1, 1, 1)
        clock.sleep(FRESH_SECONDS)
        assert (asked(), asked(fresh=True), asked(fresh=True)) == (1, 2, 2)
        clock.sleep(KEPT_SECONDS)
        assert asked() == 3


@pytest.mark.parametrize(
    ("status", "body", "passing", "reason"),
    [
        ("503 Service Unavailable", b"{}", True, "answered 503"),
        ("404 Not Found", b'{"a": 1}', False, "answered 404"),
        ("200 OK", b"", False, "without a JSON object"),
        ("200 OK", b"<html>", False, "without a JSON object"),
        ("200 OK", b"[1]", False, "without a JSON object"),
        ("200 OK", b"[" * 100_000, False, "without a JSON object"),
        ("200 OK", b"\xff\xfe", False, "without a JSON object"),
        ("200 OK", json.dumps({"a": "x" * asking.MAX_BYTES}).encode(), False, "without a JSON object"),
    ],
)
def test_an_answer_that_is_no_document_is_told(status: str, body: bytes, passing: bool, reason: str) -> None:
    with serving(answering(status, body)) as server:
        refused = refusal(server)
    assert (refused.passing, reason in refused.message) == (passing, True), refused.message


def test_a_redirect_is_not_followed() -> None:
    with serving(answering("200 OK", b'{"a": 1}')) as inside:
        script = answering("302 Found", b"", f"Location: {inside.url()}")
        with serving(script) as server:
            assert "answered 302" in refusal(server).message
    assert not inside.received


def test_a_connection_that_breaks_off_is_a_passing_failure() -> None:
    def hang_up(talk: Talk) -> None:
        talk.read()

    with serving(hang_up) as server:
        refused = refusal(server)
    assert refused.passing
    assert "broke off" in refused.message


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/", "http://10.0.0.1/"],
)
def test_a_private_address_is_never_dialled(url: str) -> None:
    with pytest.raises(NoAnswer, match="not a public address") as refused:
        GuardedWeb(ExecutorSettings(), FakeClock()).document(url)
    assert not refused.value.passing


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://a b/", "http://user@host/", "https:///x"])
def test_what_is_no_address_is_not_asked(url: str) -> None:
    with pytest.raises(NoAnswer, match="The address must"):
        web().ask(url)


def test_a_deployment_may_ask_nobody() -> None:
    calls: list[Any] = [NoWeb().ask, NoWeb().document]
    for call in calls:
        with pytest.raises(NoAnswer):
            call("https://example.com/")
