"""http jobs that say who they are, against real servers: and nobody else is told."""

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.retry import RetryPolicy
from chalicelib.executors.base import ExecutorSettings
from chalicelib.executors.http.spec import Config
from chalicelib.executors.http.tokens import TOKENS
from tests.support.calls import call_of, perform
from tests.support.http_servers import Received, Server, Talk, answering, serving


@pytest.fixture(autouse=True)
def no_tokens() -> Iterator[None]:
    TOKENS.forget()
    yield
    TOKENS.forget()


def outcome_of(config: dict[str, Any], **of_call: Any) -> Outcome:
    return perform(call_of("http", config, **of_call), "http")


@pytest.mark.parametrize(
    ("auth", "name", "sent"),
    [
        ({"kind": "basic", "username": "ü", "password": "a:b"}, "authorization", "Basic w7w6YTpi"),
        ({"kind": "basic", "username": "", "password": ""}, "authorization", "Basic Og=="),
        ({"kind": "bearer", "token": "t.o-k"}, "authorization", "Bearer t.o-k"),
        ({"kind": "api_key", "name": "X-Key", "value": "k"}, "x-key", "k"),
    ],
)
def test_a_header_says_who_it_is(auth: dict[str, Any], name: str, sent: str) -> None:
    with serving(answering()) as server:
        assert isinstance(outcome_of({"url": server.url(), "auth": auth}), Succeeded)
    assert server.received[0].headers[name] == sent


def test_a_key_may_stand_in_the_query() -> None:
    auth = {"kind": "api_key", "place": "query", "name": "key", "value": "a&b"}
    with serving(answering()) as server:
        outcome_of({"url": server.url("/x?a=1"), "query": {"b": 2}, "auth": auth})
    assert server.received[0].target == "/x?a=1&b=2&key=a%26b"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"auth": {"kind": "basic", "username": "a:b", "password": "c"}}, "a colon in the name"),
        ({"auth": {"kind": "basic", "username": "a", "password": "c\n"}}, "a line's end"),
        ({"auth": {"kind": "bearer", "token": "a b"}}, "a space"),
        ({"auth": {"kind": "bearer", "token": "ü"}}, "no ASCII"),
        ({"auth": {"kind": "api_key", "name": "Host", "value": "a"}}, "a header of ours"),
        ({"auth": {"kind": "api_key", "name": "X Y", "value": "a"}}, "no header"),
        (
            {"auth": {"kind": "oauth2", "token_url": "ftp://x/", "client_id": "a", "client_secret": "b"}},
            "no web",
        ),
        ({"auth": {"kind": "digest"}}, "an unknown kind"),
        ({"auth": {"kind": "bearer", "token": "a"}, "headers": {"AUTHORIZATION": "b"}}, "said twice"),
        ({"auth": {"kind": "api_key", "name": "X-K", "value": "a"}, "headers": {"x-k": "b"}}, "said twice"),
    ],
)
def test_what_cannot_be_said_is_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({"url": "https://example.com/", **fields})
    assert caught.value.errors()[0]["loc"][0] == "auth", why


@pytest.mark.parametrize(
    "auth",
    [
        {"kind": "basic", "username": "u", "password": "p"},
        {"kind": "api_key", "name": "X-Key", "value": "k"},
    ],
)
def test_another_origin_is_not_told(auth: dict[str, Any]) -> None:
    with serving(answering()) as other:

        def away(talk: Talk) -> None:
            talk.read()
            talk.answer("307 There", b"", f"Location: {other.url()}")

        with serving(away) as server:
            outcome_of({"url": server.url(), "auth": auth, "follow_redirects": True})
    assert {"authorization", "x-key"} & server.received[0].headers.keys()
    assert not {"authorization", "x-key"} & other.received[0].headers.keys()


def test_secrets_are_not_in_what_a_config_looks_like() -> None:
    for auth in (
        {"kind": "basic", "username": "u", "password": "hidden"},
        {"kind": "bearer", "token": "hidden"},
        {"kind": "oauth2", "token_url": "https://x/", "client_id": "a", "client_secret": "hidden"},
    ):
        assert "hidden" not in repr(Config.model_validate({"url": "https://example.com/", "auth": auth}))


@dataclass
class Office:
    """An authorization server, and one that takes its latest token. `answer` makes the answer to a request for one."""

    server: Server
    answer: Callable[["Office", Talk], None]
    given: list[str] = field(default_factory=list)
    asked: list[Received] = field(default_factory=list)

    def config(self, **auth: Any) -> dict[str, Any]:
        wanted = {"kind": "oauth2", "token_url": self.server.url("/token"), "client_id": "id", **auth}
        return {"url": self.server.url("/data"), "auth": {"client_secret": "se/cret", **wanted}}

    def give(self, talk: Talk, **more: Any) -> None:
        self.given.append(f"token-{len(self.given) + 1}")
        said = {"access_token": self.given[-1], "token_type": "Bearer", "expires_in": 3600, **more}
        talk.answer("200 OK", json.dumps(said).encode())

    def __call__(self, talk: Talk) -> None:
        while request := talk.read():
            if request.target == "/token":
                self.asked.append(request)
                self.answer(self, talk)
            elif self.given and request.headers.get("authorization") == f"Bearer {self.given[-1]}":
                talk.answer("200 OK", f"hello {self.given[-1]}".encode())
            else:
                talk.answer("401 Unauthorized", b"who?")


@contextmanager
def office(answer: Callable[[Office, Talk], None] = Office.give) -> Iterator[Office]:
    held: list[Office] = []

    def script(talk: Talk) -> None:
        held[0](talk)

    with serving(script) as server:
        held.append(Office(server, answer))
        yield held[0]


def test_a_token_is_fetched_once_and_used_again_and_not_shown() -> None:
    with office() as there:
        outcomes = [outcome_of(there.config(scopes=["a", "b"], audience="api")) for _ in range(3)]
    assert len(there.asked) == 1
    for outcome in outcomes:
        assert isinstance(outcome, Succeeded), outcome
        assert outcome.result["body"] == "hello ***"
    [asked] = there.asked
    form = {"grant_type": ["client_credentials"], "scope": ["a b"], "audience": ["api"]}
    assert parse_qs(asked.body.decode()) == form
    assert asked.headers["authorization"] == f"Basic {b64encode(b'id:se%2Fcret').decode()}"


def test_the_credentials_may_be_sent_in_the_form() -> None:
    with office() as there:
        outcome_of(there.config(credentials_in="body"))
    form = parse_qs(there.asked[0].body.decode())
    assert (form["client_id"], form["client_secret"]) == (["id"], ["se/cret"])
    assert "authorization" not in there.asked[0].headers


@pytest.mark.parametrize(
    "other", [{"client_secret": "x"}, {"client_id": "x"}, {"scopes": ["x"]}, {"audience": "x"}]
)
def test_another_client_or_right_gets_a_token_of_its_own(other: dict[str, Any]) -> None:
    with office() as there:
        outcome_of(there.config())
        outcome_of(there.config(**other))
    assert len(there.asked) == 2


def test_a_token_that_is_not_taken_any_more_is_replaced_once() -> None:
    with office() as there:
        outcome_of(there.config())
        there.given.append("another one is good now")
        outcome = outcome_of(there.config())
        assert isinstance(outcome, Succeeded), outcome
        assert len(there.asked) == 2
        there.server.received.clear()
        there.answer = lambda self, talk: talk.answer("200 OK", b'{"access_token": "bad"}')
        there.given.append("and another")
        refused = outcome_of(there.config())
    assert isinstance(refused, Failed)
    assert (refused.kind, refused.status) == ("http_4xx", 401)
    assert [request.target for request in there.server.received] == ["/data", "/token", "/data"]


def test_a_new_token_that_is_not_taken_is_not_replaced() -> None:
    with office(lambda self, talk: talk.answer("200 OK", b'{"access_token": "bad"}')) as there:
        outcome = outcome_of(there.config())
    assert isinstance(outcome, Failed)
    assert outcome.status == 401
    assert len(there.asked) == 1


@pytest.mark.parametrize("seconds", [0, 30, -5])
def test_a_token_that_is_as_good_as_over_is_not_kept(seconds: int) -> None:
    with office(lambda self, talk: self.give(talk, expires_in=seconds)) as there:
        assert isinstance(outcome_of(there.config()), Succeeded)
        outcome_of(there.config())
    assert len(there.asked) == 2


@pytest.mark.parametrize(
    ("status", "body", "words", "again"),
    [
        (
            "401 No",
            b'{"error": "invalid_client", "error_description": "se/cret"}',
            "401 (invalid_client)",
            False,
        ),
        ("400 No", b'{"error": "<b>se/cret</b>"}', "answered 400.", False),
        ("503 Later", b"", "answered 503.", True),
        ("429 Later", b"[]", "answered 429.", True),
        ("302 There", b"", "answered 302.", False),
        ("200 OK", b"<html>", "without a bearer token", False),
        ("200 OK", b'{"access_token": 5}', "without a bearer token", False),
        ("200 OK", b'{"access_token": "a b"}', "without a bearer token", False),
        ("200 OK", b'{"access_token": "a", "token_type": "mac"}', "without a bearer token", False),
        (
            "200 OK",
            b'{"pad": "' + b"x" * 70_000 + b'", "access_token": "a"}',
            "without a bearer token",
            False,
        ),
    ],
)
def test_a_client_that_gets_no_token_fails_as_unknown_there(
    status: str, body: bytes, words: str, again: bool
) -> None:
    with office(lambda _, talk: talk.answer(status, body, "Retry-After: 7", "Location: /x")) as there:
        outcome = outcome_of(there.config())
    assert isinstance(outcome, Failed)
    assert outcome.kind == "authentication"
    assert words in outcome.message
    assert "se/cret" not in outcome.message
    assert RetryPolicy().is_retryable(outcome) is again
    assert [request.target for request in there.server.received] == ["/token"]


def test_a_token_is_fetched_through_the_guard_and_within_the_time() -> None:
    forbidden = {
        "kind": "oauth2",
        "token_url": "http://169.254.169.254/t",
        "client_id": "a",
        "client_secret": "b",
    }
    with serving(answering()) as server:
        outcome = outcome_of({"url": server.url(), "auth": forbidden})
        assert isinstance(outcome, Failed)
        assert outcome.kind == "forbidden_target"
        elsewhere = {**forbidden, "token_url": server.url()}
        closed = perform(
            call_of("http", {"url": server.url(), "auth": elsewhere}, settings=ExecutorSettings()), "http"
        )
        assert isinstance(closed, Failed)
        assert closed.kind == "forbidden_target"
        assert server.received == []
    started = time.monotonic()
    with office(lambda _, talk: talk.drip(b"HTTP/1.1 200 OK and ", every_seconds=0.05)) as there:
        slow = outcome_of(there.config(), seconds=0.5)
    assert isinstance(slow, Failed)
    assert slow.kind == "timeout"
    assert time.monotonic() - started < 3


def test_many_at_once_fetch_one_token() -> None:
    with office() as there, ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda _: outcome_of(there.config()), range(8)))
    assert all(isinstance(each, Succeeded) for each in outcomes)
    assert len(there.asked) == 1


def test_who_waits_for_anothers_token_keeps_its_own_deadline() -> None:
    gate = threading.Event()

    def slow(self: Office, talk: Talk) -> None:
        gate.wait(20)
        self.give(talk)

    with office(slow) as there, ThreadPoolExecutor(1) as threads:
        first = threads.submit(outcome_of, there.config(), seconds=20)
        while not there.asked:
            assert not first.done()
        started = time.monotonic()
        second = outcome_of(there.config(), seconds=0.4)
        assert time.monotonic() - started < 3
        gate.set()
        assert isinstance(first.result(), Succeeded)
    assert isinstance(second, Failed)
    assert second.kind == "timeout"
