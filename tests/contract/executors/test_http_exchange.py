"""http jobs against real servers: what is sent, and what becomes of the answers."""

import gzip
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import requests

from chalicelib.domain.outcome import Failed, Outcome, Succeeded, Waiting
from chalicelib.domain.trace import traceparent
from chalicelib.executors.base import Callback, ExecutorSettings
from chalicelib.executors.http.transport import Adapter
from tests.support.calls import LOOPBACK, RUN_ID, call_of, perform
from tests.support.http_servers import Talk, answering, serving


def _outcome(config: dict[str, Any], **of_call: Any) -> Outcome:
    return perform(call_of("http", config, **of_call), "http")


def _result(outcome: Outcome) -> dict[str, Any]:
    assert isinstance(outcome, Succeeded), outcome
    return outcome.result


def _failure(outcome: Outcome) -> Failed:
    assert isinstance(outcome, Failed), outcome
    return outcome


def test_a_job_that_posts_json_sends_it_with_our_headers() -> None:
    with serving(answering()) as server:
        _result(
            _outcome(
                {"url": server.url("/hook?a=1"), "body": {"ä": [1]}, "query": {"b": [True, "c d"]}}, attempt=2
            )
        )
    (request,) = server.received
    assert (request.method, request.target) == ("POST", "/hook?a=1&b=true&b=c+d")
    assert json.loads(request.body) == {"ä": [1]}
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": "Chronos/1",
        "accept-encoding": "identity",
        "idempotency-key": RUN_ID,
        "x-chronos-run-id": RUN_ID,
        "x-chronos-job-id": "job_01KVB7TYZ0A1B2C3D4E5F6G7H8",
        "x-chronos-attempt": "2",
        "x-chronos-scheduled-at": "2026-05-01T12:00:00Z",
        "traceparent": traceparent(RUN_ID, 2),
        "content-type": "application/json",
        "content-length": str(len(request.body)),
    }


def test_the_jobs_own_headers_replace_ours_but_not_the_runs_identity() -> None:
    headers = {
        "user-agent": "mine",
        "Idempotency-Key": "my-own",
        "content-type": "text/csv",
        "X-Latin": "café",
    }
    with serving(answering()) as server:
        _result(_outcome({"url": server.url(), "headers": headers, "body": "a,b"}))
    (request,) = server.received
    assert request.headers["user-agent"] == "mine"
    assert request.headers["idempotency-key"] == "my-own"
    assert request.headers["content-type"] == "text/csv"
    assert request.headers["x-latin"] == "café"
    assert request.headers["x-chronos-run-id"] == RUN_ID
    assert request.body == b"a,b"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_every_method_is_sent(method: str) -> None:
    def script(talk: Talk) -> None:
        while request := talk.read():
            talk.answer("200 OK", b"" if request.method == "HEAD" else b"ok")

    with serving(script) as server:
        result = _result(_outcome({"url": server.url(), "method": method}))
    assert result["body"] == ("" if method == "HEAD" else "ok")
    assert server.received[0].method == method


def test_the_answer_is_kept() -> None:
    with serving(
        answering("201 Created", b'{"id":1}', "Content-Type: application/json", "X-Other: a")
    ) as server:
        result = _result(_outcome({"url": server.url()}))
    assert result.pop("duration_ms") >= 0
    assert result == {
        "status": 201,
        "headers": {"content-type": "application/json", "content-length": "8"},
        "body": '{"id":1}',
        "body_encoding": "text",
        "truncated": False,
    }


def test_a_long_answer_is_cut_and_the_rest_is_not_read() -> None:
    with serving(answering("200 OK", b"x" * 10_000)) as server:
        result = _result(_outcome({"url": server.url()}))
        assert server.connections[0].gone.wait(5)
    assert (len(result["body"]), result["truncated"]) == (8192, True)


def test_an_endless_answer_is_cut_and_hung_up_on() -> None:
    def script(talk: Talk) -> None:
        talk.read()
        talk.say(b"HTTP/1.1 200 OK\r\n\r\n")
        talk.pour(b"x" * 65_536)

    with serving(script) as server:
        result = _result(_outcome({"url": server.url()}))
        assert server.connections[0].gone.wait(5)
    assert (len(result["body"]), result["truncated"]) == (8192, True)


def test_an_endless_redirect_that_is_not_followed_is_cut_too() -> None:
    def script(talk: Talk) -> None:
        talk.read()
        talk.say(b"HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\n")
        talk.pour(b"x" * 65_536)

    with serving(script) as server:
        failed = _failure(_outcome({"url": server.url()}))
    assert (failed.kind, failed.status) == ("http_unexpected", 302)
    assert failed.result is not None
    assert failed.result["truncated"]


def test_a_compressed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(b"\x00" * 50_000_000)
    with serving(answering("200 OK", bomb, "Content-Encoding: gzip")) as server:
        result = _result(_outcome({"url": server.url()}))
    assert (result["body_encoding"], result["truncated"]) == ("base64", True)


@pytest.mark.parametrize(
    ("status", "header", "kind", "retry_after"),
    [
        ("404 Not Found", "X: y", "http_4xx", None),
        ("429 Too Many Requests", "Retry-After: 7", "http_429", 7),
        ("500 Oops", "X: y", "http_5xx", None),
        ("503 Service Unavailable", "Retry-After: 120", "http_5xx", 120),
        ("302 Found", "Location: /next", "http_unexpected", None),
    ],
)
def test_an_unexpected_status_is_a_typed_failure(
    status: str, header: str, kind: str, retry_after: float | None
) -> None:
    with serving(answering(status, b"sorry", header)) as server:
        failed = _failure(_outcome({"url": server.url()}))
    assert (failed.kind, failed.retry_after_seconds) == (kind, retry_after)
    assert failed.status == int(status[:3])
    assert failed.result is not None
    assert failed.result["body"] == "sorry"


def _closes(talk: Talk) -> None:
    talk.read()


def _babbles(talk: Talk) -> None:
    talk.read()
    talk.say(b"220 mail.example ESMTP\r\n")


def _breaks_off(talk: Talk) -> None:
    talk.read()
    talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


def _garbles_chunks(talk: Talk) -> None:
    talk.read()
    talk.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n")


def _floods_headers(talk: Talk) -> None:
    talk.read()
    talk.say(b"HTTP/1.1 200 OK\r\n")
    talk.pour(b"X-Same: again\r\n" * 100)


def _sends_an_endless_header(talk: Talk) -> None:
    talk.read()
    talk.say(b"HTTP/1.1 200 OK\r\nX: ")
    talk.pour(b"x" * 65_536)


@pytest.mark.parametrize(
    "script", [_closes, _babbles, _breaks_off, _garbles_chunks, _floods_headers, _sends_an_endless_header]
)
def test_a_server_that_breaks_the_protocol_is_a_connection_failure(script: Callable[[Talk], None]) -> None:
    with serving(script) as server:
        failed = _failure(_outcome({"url": server.url()}))
    assert failed.kind == "connection"
    assert failed.message.startswith(f"The exchange with 127.0.0.1:{server.port} broke off: ")
    assert len(failed.message) <= 300


def test_a_port_where_nobody_listens_is_a_connection_failure() -> None:
    with serving(answering()) as server:
        closed = server.port
    failed = _failure(_outcome({"url": f"http://127.0.0.1:{closed}/?token=secret"}))
    assert failed.kind == "connection"
    assert "refused" in failed.message
    assert "secret" not in failed.message


def test_a_name_that_does_not_exist_is_a_connection_failure() -> None:
    assert _failure(_outcome({"url": "http://no-such-host.invalid/"})).kind == "connection"


def test_the_next_call_uses_the_same_connection() -> None:
    with serving(answering()) as server:
        for _ in range(5):
            _result(_outcome({"url": server.url()}))
    assert len(server.connections) == 1


def test_a_connection_that_the_server_has_closed_is_not_used_again() -> None:
    def script(talk: Talk) -> None:
        talk.read()
        talk.answer("200 OK", b"ok")

    with serving(script) as server:
        _result(_outcome({"url": server.url()}))
        assert server.connections[0].gone.wait(5)
        _result(_outcome({"url": server.url()}))
    assert len(server.connections) == 2


def test_a_connection_that_was_idle_for_too_long_is_not_used_again() -> None:
    impatient = Adapter(LOOPBACK, max_idle_seconds=0)
    with serving(answering()) as server:
        for _ in range(2):
            request = requests.Request("GET", server.url()).prepare()
            assert impatient.exchange(request, seconds=5).text == "ok"
    assert len(server.connections) == 2


def test_ten_calls_run_side_by_side() -> None:
    together = threading.Barrier(10)

    def script(talk: Talk) -> None:
        request = talk.read()
        together.wait(5)
        assert request is not None
        talk.answer("200 OK", request.body)

    with serving(script) as server, ThreadPoolExecutor(10) as pool:
        outcomes = list(pool.map(lambda number: _outcome({"url": server.url(), "body": number}), range(10)))
    assert [_result(outcome)["body"] for outcome in outcomes] == [str(number) for number in range(10)]


def test_a_cookie_of_one_job_does_not_reach_the_next() -> None:
    with serving(answering("200 OK", b"", "Set-Cookie: session=secret")) as server:
        _outcome({"url": server.url()})
        _outcome({"url": server.url()})
    assert all("cookie" not in request.headers for request in server.received)


def _redirecting(target: Callable[[int], str]) -> Callable[[Talk], None]:
    """Redirects /n to target(n + 1), and answers at /3."""

    def script(talk: Talk) -> None:
        while request := talk.read():
            hop = int(request.target.strip("/"))
            if hop == 3:
                talk.answer("200 OK", b"arrived")
            else:
                talk.answer("302 Found", b"", f"Location: {target(hop + 1)}")

    return script


def test_a_redirect_is_not_followed_by_default() -> None:
    with serving(_redirecting(lambda hop: f"/{hop}")) as server:
        failed = _failure(_outcome({"url": server.url("/0")}))
    assert (failed.kind, failed.status) == ("http_unexpected", 302)
    assert len(server.received) == 1


def test_redirects_are_followed_when_asked_for() -> None:
    with serving(_redirecting(lambda hop: f"/{hop}")) as server:
        result = _result(_outcome({"url": server.url("/0"), "follow_redirects": True}))
    assert result["body"] == "arrived"
    assert [request.method for request in server.received] == ["POST", "GET", "GET", "GET"]


def test_redirects_in_a_circle_end() -> None:
    with serving(_redirecting(lambda hop: "/0")) as server:
        failed = _failure(_outcome({"url": server.url("/0"), "follow_redirects": True}))
    assert (failed.kind, failed.status) == ("http_unexpected", 302)
    assert len(server.received) == 6


def test_a_redirect_to_a_forbidden_target_is_refused_before_it_is_dialled() -> None:
    only_one = ExecutorSettings(allow_networks=("127.0.0.1/32",))
    with serving(answering()) as inner:
        with serving(answering("307 Moved", b"", f"Location: http://127.0.0.2:{inner.port}/")) as outer:
            failed = _failure(_outcome({"url": outer.url(), "follow_redirects": True}, settings=only_one))
        assert failed.kind == "forbidden_target"
        assert not inner.connections


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1/", "loopback"),
        ("http://localhost/", "its name"),
        ("http://LOCALHOST/", "in capitals"),
        ("http://[::1]/", "in IPv6"),
        ("http://[::ffff:127.0.0.1]/", "mapped"),
        ("http://[::ffff:7f00:1]/", "mapped, in hexadecimal"),
        ("http://0/", "the unspecified address"),
        ("http://2130706433/", "in decimal"),
        ("http://0x7f000001/", "in hexadecimal"),
        ("http://0177.0.0.1/", "in octal"),
        ("http://127.1/", "shortened"),
        ("http://169.254.169.254/latest/meta-data/", "a cloud's metadata"),
        ("http://[fd00:ec2::254]/", "the same in IPv6"),
        ("http://[64:ff9b::a9fe:a9fe]/", "by NAT64"),
        ("http://10.0.0.1/", "private"),
        ("https://192.168.1.1/", "private, by TLS"),
    ],
)
def test_a_forbidden_target_is_refused_in_any_spelling_of_its_url(url: str, why: str) -> None:
    failed = _failure(_outcome({"url": url}, settings=ExecutorSettings()))
    assert failed.kind == "forbidden_target", why


@pytest.mark.parametrize("url", ["http://localhost./", "http://127.0.0.1./", "http://0x7f.0.0.0x1./"])
def test_a_spelling_that_only_some_resolvers_take_never_gets_through(url: str) -> None:
    assert _failure(_outcome({"url": url}, settings=ExecutorSettings())).kind in {
        "forbidden_target",
        "connection",
    }


def test_a_job_without_time_left_sends_nothing() -> None:
    with serving(answering()) as server:
        assert _failure(_outcome({"url": server.url()}, seconds=0)).kind == "timeout"
    assert not server.connections


def test_a_setting_that_opens_the_loopback_opens_its_name() -> None:
    with serving(answering()) as server:
        _result(_outcome({"url": server.url(host="localhost")}, settings=LOOPBACK))
    assert server.received[0].headers["host"] == f"localhost:{server.port}"


CALLBACK = Callback("https://chronos.test/api/callbacks/v1.k.c.m", 1_777_640_400_000, 60_000)


def _waiting(config: dict[str, Any]) -> Outcome:
    return perform(replace(call_of("http", config), callback=CALLBACK), "http")


def test_a_job_that_is_to_call_back_waits_once_it_is_accepted() -> None:
    with serving(answering("202 Accepted", b"queued")) as server:
        outcome = _waiting({"url": server.url(), "expected_status": [202]})
    assert isinstance(outcome, Waiting)
    assert (outcome.result["status"], outcome.result["body"]) == (202, "queued")
    (request,) = server.received
    assert request.headers["x-chronos-callback-url"] == CALLBACK.url
    assert request.headers["x-chronos-callback-by"] == "2026-05-01T13:00:00Z"
    assert request.headers["x-chronos-callback-heartbeat-seconds"] == "60"


def test_what_is_not_accepted_has_failed_at_once() -> None:
    with serving(answering("200 OK")) as server:
        assert _failure(_waiting({"url": server.url(), "expected_status": [202]})).kind == "http_unexpected"


def test_the_address_for_callbacks_does_not_follow_to_another_origin() -> None:
    with serving(answering()) as other, serving(_elsewhere(other.url())) as server:
        assert isinstance(_waiting({"url": server.url(), "follow_redirects": True}), Waiting)
    assert "x-chronos-callback-url" in server.received[0].headers
    assert not [name for name in other.received[0].headers if "callback" in name]


def _elsewhere(url: str) -> Callable[[Talk], None]:
    return answering("307 Temporary Redirect", b"", f"Location: {url}")


def test_nobody_else_sets_the_headers_of_callbacks() -> None:
    with pytest.raises(ValueError, match="set by Chronos"):
        call_of("http", {"url": "http://example.com", "headers": {"X-Chronos-Callback-Url": "http://x"}})
