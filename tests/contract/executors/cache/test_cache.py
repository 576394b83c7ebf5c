"""What `cache` jobs do, on a real Redis."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from redis import Redis

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import ExecutorSettings
from chalicelib.executors.cache.spec import Config
from chalicelib.ports.contact import Contact
from tests.support.calls import LOOPBACK, call_of, perform
from tests.support.certificates import Authority
from tests.support.databases import database
from tests.support.http_servers import Script, Talk, answering, serving
from tests.support.services import require, unique

TOLERANCE_SECONDS = 3


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis(host="127.0.0.1", port=require("redis"), decode_responses=True) as client:
        yield client


@pytest.fixture
def prefix(redis: Redis) -> Iterator[str]:
    """What all keys of a test begin with."""
    name = unique() + ":"
    yield name
    for key in redis.scan_iter(name + "*"):
        redis.delete(key)


def _place(**fields: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": require("redis"), "tls": None, **fields}


def _run(
    do: str,
    *,
    place: dict[str, Any] | None = None,
    seconds: float = 10,
    settings: ExecutorSettings = LOOPBACK,
    stop: Contact | None = None,
    **fields: Any,
) -> Outcome:
    config = {"connection": place or _place(), "operation": {"do": do, **fields}}
    given = {"stop": stop} if stop else {}
    return perform(call_of("cache", config, seconds=seconds, settings=settings, **given), "cache")


def _done(do: str, **fields: Any) -> dict[str, Any]:
    outcome = _run(do, **fields)
    assert isinstance(outcome, Succeeded), outcome
    return outcome.result


def test_values_are_read_as_text_or_base64_and_what_is_absent_is_null(redis: Redis, prefix: str) -> None:
    redis.set(prefix + "text", "ä")
    redis.set(prefix + "bytes", b"\xff\x00")
    redis.set(prefix + "empty", "")
    found = _done("get", keys=[prefix + one for one in ("text", "bytes", "empty", "absent")])
    values = dict(zip(("text", "bytes", "empty", "absent"), ("ä", {"base64": "/wA="}, "", None), strict=True))
    assert found == {"values": {prefix + name: value for name, value in values.items()}, "truncated": False}


def test_a_value_that_has_no_room_is_left_out_and_not_read(redis: Redis, prefix: str) -> None:
    redis.set(prefix + "big", "x" * 20_000_000)
    redis.set(prefix + "small", "y")
    assert _done("get", keys=[prefix + "small", prefix + "big"]) == {
        "values": {prefix + "small": "y"},
        "truncated": True,
    }


@pytest.mark.parametrize(
    ("value", "stored"),
    [("text", "text"), ("", ""), ({"a": [1, "ä"]}, '{"a":[1,"ä"]}'), (5, "5"), (None, "null")],
)
def test_a_value_is_stored_as_text_or_json(redis: Redis, prefix: str, value: Any, stored: str) -> None:
    assert _done("set", key=prefix, value=value, ttl_seconds=60) == {"stored": True}
    assert redis.get(prefix) == stored
    assert 0 < redis.ttl(prefix) <= 60


def test_a_value_is_stored_only_if_the_key_is_absent_or_present(redis: Redis, prefix: str) -> None:
    assert _done("set", key=prefix, value="1", when="present") == {"stored": False}
    assert _done("set", key=prefix, value="2", when="absent") == {"stored": True}
    assert _done("set", key=prefix, value="3", when="absent") == {"stored": False}
    assert redis.get(prefix) == "2"
    assert redis.ttl(prefix) == -1


def test_keys_are_deleted_and_made_to_expire(redis: Redis, prefix: str) -> None:
    redis.mset({prefix + "a": "1", prefix + "b": "2"})
    assert _done("expire", keys=[prefix + "a", prefix + "none"], ttl_seconds=30) == {"expiring": 1}
    assert 0 < redis.ttl(prefix + "a") <= 30
    assert _done("delete", keys=[prefix + "a", prefix + "b", prefix + "none"]) == {"deleted": 2}
    assert redis.exists(prefix + "a", prefix + "b") == 0


def test_a_number_is_added_to_and_expires_from_its_first_time_on(redis: Redis, prefix: str) -> None:
    assert _done("increment", key=prefix, by=5, ttl_seconds=100) == {"value": 5}
    redis.expire(prefix, 50)
    assert _done("increment", key=prefix, by=-7, ttl_seconds=100) == {"value": -2}
    assert 0 < redis.ttl(prefix) <= 50
    assert _done("increment", key=prefix) == {"value": -1}


@pytest.mark.parametrize("more", [{}, {"ttl_seconds": 5}])
def test_what_is_no_number_is_a_failure_that_is_not_tried_again(
    redis: Redis, prefix: str, more: dict[str, int]
) -> None:
    redis.set(prefix, "text")
    outcome = _run("increment", key=prefix, **more)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("cache", False)


@pytest.fixture
def many(redis: Redis, prefix: str) -> str:
    """5,000 keys, and some whose names look like patterns."""
    redis.mset({f"{prefix}page:{number}": "x" for number in range(5000)})
    redis.mset({f"{prefix}{name}": "x" for name in ("p*", "pa", "p[a]", "p\\a")})
    return prefix


def test_keys_are_listed_by_a_pattern(many: str) -> None:
    found = _done("scan", pattern=many + "p?")
    assert found == {"keys": [many + "p*", many + "pa"], "count": 2, "complete": True, "truncated": False}


def test_a_list_of_keys_is_bounded_in_number_and_size(many: str) -> None:
    found = _done("scan", pattern=many + "page:*", max_keys=2000)
    assert (found["count"], found["complete"], found["truncated"]) == (2000, False, True)
    assert len(found["keys"]) < 2000


def test_keys_are_deleted_by_a_pattern_up_to_a_bound(redis: Redis, many: str) -> None:
    assert _done("delete_matching", pattern=many + "page:*", dry_run=True) == {
        "matching": 5000,
        "complete": True,
    }
    assert _done("delete_matching", pattern=many + "page:*", max_keys=1500) == {
        "deleted": 1500,
        "complete": False,
    }
    assert _done("delete_matching", pattern=many + "page:*") == {"deleted": 3500, "complete": True}
    assert redis.exists(many + "pa") == 1


@pytest.mark.parametrize(
    ("flushed", "count"), [("p*", 1), ("p[a]", 1), ("p\\", 1), ("p", 5004), ("page:1", 1111), ("none", 0)]
)
def test_a_prefix_is_taken_literally(redis: Redis, many: str, flushed: str, count: int) -> None:
    assert _done("flush_prefix", prefix=many + flushed) == {"deleted": count, "complete": True}
    assert len(list(redis.scan_iter(many + "*", count=1000))) == 5004 - count


@pytest.mark.parametrize("pattern", ["*", "**", "?*", "[^]", "\\*", ""])
def test_a_pattern_that_matches_everything_deletes_nothing(pattern: str) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(
            {"connection": {"host": "a.example"}, "operation": {"do": "delete_matching", "pattern": pattern}}
        )


@pytest.mark.parametrize("engine", ["postgresql", "mysql", "sqlite"])
def test_a_cache_is_warmed_from_a_query(redis: Redis, prefix: str, engine: str, tmp_path: Any) -> None:
    with database(engine, tmp_path) as source:
        source.ask("INSERT INTO {t} VALUES (1, 'one'), (2, 'two')")
        sql = f"SELECT id, name FROM {source.table} WHERE id >= ?"
        query = {"connection": source.connection(), "query": {"sql": sql, "parameters": [1]}}
        found = _done(
            "warm", source=query, key_field="id", prefix=prefix, ttl_seconds=60, settings=source.settings
        )
    assert found == {"stored": 2}
    assert redis.get(prefix + "2") == '{"id":2,"name":"two"}'
    assert 0 < redis.ttl(prefix + "1") <= 60


def test_a_cache_is_warmed_with_many_rows(redis: Redis, prefix: str, tmp_path: Any) -> None:
    with database("postgresql", tmp_path) as source:
        query = {
            "connection": source.connection(),
            "query": {"sql": "SELECT i FROM generate_series(1, 12345) AS i"},
        }
        assert _done("warm", source=query, key_field="i", value_field="i", prefix=prefix) == {"stored": 12345}
        assert redis.get(prefix + "12345") == "12345"
        outcome = _run("warm", source=query, key_field="i", prefix=prefix, max_keys=10)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("cache", False)


@pytest.mark.parametrize(
    ("body", "more"),
    [
        (b'{"a": "1", "b": {"x": 2}}', {}),
        (b'[{"key": "a", "v": "1"}, {"key": "b", "v": {"x": 2}}]', {"value_field": "v"}),
    ],
)
def test_a_cache_is_warmed_from_a_document(
    redis: Redis, prefix: str, body: bytes, more: dict[str, Any]
) -> None:
    with serving(answering("200 OK", body)) as server:
        source = {"url": server.url(), "headers": {"X-Key": "k"}}
        assert _done("warm", source=source, prefix=prefix, **more) == {"stored": 2}
        assert server.received[0].headers["x-key"] == "k"
    assert [redis.get(prefix + key) for key in "ab"] == ["1", '{"x":2}']


@pytest.mark.parametrize(
    ("script", "kind", "why"),
    [
        (answering("404 Not Found"), "http_4xx", "it is not there"),
        (answering("302 Found", b"", "Location: http://169.254.169.254/"), "http_unexpected", "a redirect"),
        (answering("200 OK", b"no json"), "cache", "no JSON"),
        (answering("200 OK", b"5"), "cache", "neither object nor list"),
        (answering("200 OK", b"[5]"), "cache", "items that are no objects"),
        (answering("200 OK", b'[{"other": 1}]'), "cache", "no such field"),
        (answering("200 OK", b"[" * 100_000), "cache", "nested without an end"),
        (answering("200 OK", b" " * 8_400_000), "cache", "too long"),
    ],
)
def test_a_document_that_does_not_do_is_told(script: Script, kind: str, why: str) -> None:
    require("redis")
    with serving(script) as server:
        outcome = _run("warm", source={"url": server.url()})
    assert isinstance(outcome, Failed), why
    assert outcome.kind == kind, why


def test_a_source_is_guarded_like_the_cache(prefix: str) -> None:
    for source in (
        {"url": "http://169.254.169.254/latest"},
        {
            "connection": {"engine": "postgresql", "host": "10.0.0.1", "database": "a", "user": "a"},
            "query": {"sql": "SELECT 1"},
        },
    ):
        outcome = _run("warm", source=source, prefix=prefix)
        assert isinstance(outcome, Failed)
        assert outcome.kind == "forbidden_target"


def test_the_server_tells_about_itself() -> None:
    found = _done("stats")
    assert found["fields"]["role"] == "master"
    assert found["fields"]["used_memory"] > 0
    assert found["keys"] >= 0
    assert _done("stats", fields=["role", "no_such_field"])["fields"] == {"role": "master"}


def test_a_database_by_its_number_is_another_one(redis: Redis, prefix: str) -> None:
    _done("set", key=prefix, value="in 3", ttl_seconds=10, place=_place(database=3))
    assert redis.get(prefix) is None
    assert _done("get", keys=[prefix], place=_place(database=3))["values"] == {prefix: "in 3"}


def test_a_user_may_do_what_the_server_lets_it(redis: Redis, prefix: str) -> None:
    user = unique()
    redis.execute_command(
        "ACL", "SETUSER", user, "on", ">a-password", f"~{prefix}*", "+get", "+getrange", "+exists"
    )
    try:
        place = _place(user=user, password="a-password")
        assert _done("get", keys=[prefix], place=place)["values"] == {prefix: None}
        refused = _run("set", key=prefix, value="a-value", place=place)
        assert isinstance(refused, Failed)
        assert (refused.kind, refused.retryable) == ("cache", False)
        wrong = _run("get", keys=[prefix], place=_place(user=user, password="another-password"))
        assert isinstance(wrong, Failed)
        assert wrong.kind == "authentication"
        assert "password" not in wrong.message.replace("username-password", "")
    finally:
        redis.execute_command("ACL", "DELUSER", user)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "169.254.169.254", "::1", "10.1"]
)
def test_the_guard_stands_before_every_server(host: str) -> None:
    outcome = _run("stats", place=_place(host=host), settings=ExecutorSettings())
    assert isinstance(outcome, Failed)
    assert outcome.kind == "forbidden_target"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"port": 1}, "nothing listens"),
        ({"host": "no-such-host.invalid"}, "no such name"),
        ({"tls": {"ca": "-----BEGIN nonsense"}}, "authorities that are none"),
    ],
)
def test_a_server_that_cannot_be_reached_is_a_failed_connection(fields: dict[str, Any], why: str) -> None:
    outcome = _run("stats", place=_place(**fields))
    assert isinstance(outcome, Failed)
    assert outcome.kind == "connection", why


def _silent(talk: Talk) -> None:
    talk.stop.wait(60)


def _dripping(talk: Talk) -> None:
    talk.drip(b"+", every_seconds=0.05)


@pytest.mark.parametrize("script", [_silent, _dripping])
@pytest.mark.parametrize("tls", [None, {}])
def test_a_server_that_accepts_and_says_nothing_is_left_in_time(script: Script, tls: Any) -> None:
    with serving(script) as server:
        started = time.monotonic()
        outcome = _run("stats", place=_place(port=server.port, tls=tls), seconds=0.5)
        assert time.monotonic() - started < TOLERANCE_SECONDS
    assert isinstance(outcome, Failed)
    assert outcome.kind in ("timeout", "connection")


def test_a_wish_to_stop_is_heard_while_a_server_is_silent() -> None:
    stop = Contact()
    with serving(_silent) as server:
        threading.Timer(0.3, stop.want).start()
        started = time.monotonic()
        outcome = _run("stats", place=_place(port=server.port), seconds=60, stop=stop)
        assert time.monotonic() - started < TOLERANCE_SECONDS
    assert isinstance(outcome, Failed)


@pytest.mark.parametrize(
    ("answer", "kind", "retryable", "why"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "cache", None, "it starts"),
        (b"-OOM command not allowed\r\n", "cache", None, "its memory is full"),
        (b"-READONLY You can't write\r\n", "cache", None, "a replica, for now"),
        (b"-BUSY a script runs\r\n", "cache", None, "it is busy"),
        (b"-MOVED 1 10.0.0.1:6379\r\n", "cache", False, "another node has it"),
        (
            b"-ERR unknown command 'INFO', with args beginning with: 'a-secret'\r\n",
            "cache",
            False,
            "it is disabled",
        ),
        (b"-NOAUTH Authentication required.\r\n", "authentication", None, "a password is wanted"),
        (b"no protocol\r\n", "connection", None, "something else listens"),
        (b"", "connection", None, "it hangs up"),
    ],
)
def test_what_a_server_says_is_told_apart(answer: bytes, kind: str, retryable: bool | None, why: str) -> None:
    def script(talk: Talk) -> None:
        talk.connection.recv(65_536)
        talk.say(answer * 2)

    with serving(script) as server:
        outcome = _run("get", keys=["a"], place=_place(port=server.port))
    assert isinstance(outcome, Failed), why
    assert (outcome.kind, outcome.retryable) == (kind, retryable), (why, outcome)
    assert "a-secret" not in repr(outcome), why


def _answering_info(talk: Talk) -> None:
    talk.connection.recv(65_536)
    talk.say(b"$13\r\nrole:master\r\n\r\n:7\r\n")


@pytest.mark.parametrize(
    ("name", "is_trusted"),
    [("localhost", True), ("another.example", False)],
    ids=["its name", "another name"],
)
def test_tls_verifies_the_servers_name(tmp_path: Any, name: str, is_trusted: bool) -> None:
    authority = Authority(tmp_path)
    with serving(_answering_info, authority.server_context(name)) as server:
        place = _place(host="localhost", port=server.port, tls={})
        outcome = _run("stats", place=place, settings=authority.settings)
        unknown = _run("stats", place=place)
    assert isinstance(outcome, Succeeded if is_trusted else Failed), outcome
    assert isinstance(unknown, Failed), "nobody vouches for the authority"
    assert unknown.kind == "connection"
