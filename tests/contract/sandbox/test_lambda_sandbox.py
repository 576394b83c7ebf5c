"""The sandbox's adapter against servers that answer like Lambda, late, wrongly, or not at all."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib.aws import sandbox as adapter
from chalicelib.aws.sandbox import LambdaSandbox
from chalicelib.ports.sandbox import SandboxError
from chalicelib.ports.stop import Stop
from tests.support.http_servers import Talk, serving

EVENT = {"program": "shell", "script": "true"}
Script = Callable[[Talk], None]


class Signed(LambdaSandbox):
    """Its requests go to the test's server, with credentials that are made up."""

    def __init__(self, url: str) -> None:
        super().__init__("chronos-test-sandbox")
        self._url = url

    def _where(self) -> tuple[str, str, Any]:
        from botocore.credentials import Credentials

        return self._url, "eu-central-1", Credentials("key", "secret", "token")


def called(script: Script, *, seconds: float = 5, stop: Stop | None = None) -> dict[str, Any]:
    with serving(script) as server:
        return Signed(server.url("").rstrip("/")).run("acme/job_1", EVENT, seconds, stop or Stop())


def test_a_script_is_sent_signed_with_its_owner_as_lambdas_tenant() -> None:
    seen: list[Any] = []

    def script(talk: Talk) -> None:
        request = talk.read()
        seen.append(request)
        talk.answer("200 OK", b'{"ended": "exit"}')

    assert called(script) == {"ended": "exit"}
    (request,) = seen
    assert request.target == "/2015-03-31/functions/chronos-test-sandbox/invocations"
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["x-amz-tenant-id"] == "acme/job_1"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=key/")
    assert json.loads(request.body) == EVENT


ANSWERS = [
    ("200 OK", b'{"errorMessage": "x"}', ("X-Amz-Function-Error: Unhandled",), "died", True),
    ("200 OK", b'{"ended": ', (), "connection", True),
    ("429 Too Many Requests", b"{}", (), "busy", True),
    ("500 Internal Server Error", b"{}", (), "busy", True),
    ("403 Forbidden", b"{}", (), "refused", False),
    ("404 Not Found", b"{}", (), "refused", False),
]


@pytest.mark.parametrize(("status", "body", "headers", "code", "retryable"), ANSWERS)
def test_what_is_no_answer_of_a_script_has_its_code(
    status: str, body: bytes, headers: tuple[str, ...], code: str, retryable: bool
) -> None:
    def script(talk: Talk) -> None:
        talk.read()
        talk.answer(status, body, *headers)

    with pytest.raises(SandboxError) as caught:
        called(script)
    assert (caught.value.code, caught.value.retryable) == (code, retryable)


def test_nobody_there_is_a_connection_that_failed() -> None:
    with pytest.raises(SandboxError) as caught:
        Signed("http://127.0.0.1:1").run("acme", EVENT, 5, Stop())
    assert caught.value.code == "connection"


def _silent(talk: Talk) -> None:
    talk.read()
    talk.read()


def _dripping(talk: Talk) -> None:
    talk.read()
    talk.drip(b"HTTP/1.1 200 OK\r\n", every_seconds=0.05)


@pytest.fixture
def threads() -> Iterator[None]:
    yield
    until = time.monotonic() + 5
    while any(each.name == "sandbox" for each in threading.enumerate()):
        assert time.monotonic() < until, "its thread ends with the connection"


@pytest.mark.parametrize("script", [_silent, _dripping])
def test_the_time_is_kept_and_the_connection_closed(script: Script, threads: None) -> None:
    begun = time.monotonic()
    with pytest.raises(SandboxError) as caught:
        called(script, seconds=0.5)
    assert caught.value.code == "timeout"
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("script", [_silent, _dripping])
def test_who_is_to_stop_waits_no_longer(script: Script, threads: None) -> None:
    stop = Stop()
    threading.Timer(0.3, stop.want).start()
    begun = time.monotonic()
    with pytest.raises(SandboxError) as caught:
        called(script, seconds=60, stop=stop)
    assert (caught.value.code, caught.value.retryable) == ("stopped", False)
    assert time.monotonic() - begun < 2


def test_lambda_is_spoken_to_over_tls() -> None:
    connection = adapter._connection("https://lambda.eu-central-1.amazonaws.com/x")
    assert connection.default_port == 443
