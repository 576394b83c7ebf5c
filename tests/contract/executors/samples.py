"""For every job type, configs against real targets: what the conformance suite needs to know of a new type."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from threading import Event
from typing import Any

from chalicelib.domain.outcome import Succeeded
from chalicelib.ports.cloud import CloudError
from tests.support import grpc_server
from tests.support.calls import call_of, perform
from tests.support.doubles import MemoryOutputs, ScriptedCloud
from tests.support.http_servers import Talk, serving
from tests.support.kafka_broker import kafka
from tests.support.relay import silent
from tests.support.sandbox import ProcessSandbox
from tests.support.services import HOST, require, unique


@dataclass(frozen=True)
class Sample:
    """Configs of one type, while its targets are up.

    `quick` succeeds at once, `large` succeeds with as much output as there can be, `failing` fails at once, `endless`
    would go on for minutes. `means` are what their calls are given.
    """

    quick: dict[str, Any]
    large: dict[str, Any]
    failing: dict[str, Any]
    endless: dict[str, Any]
    means: dict[str, Any] = field(default_factory=dict)


@contextmanager
def _dummy() -> Iterator[Sample]:
    yield Sample(
        quick={"output": {"rows": 3}},
        large={"output": "\x01" * 680},
        failing={"outcome": "failure"},
        endless={"duration_seconds": 300},
    )


@contextmanager
def _http() -> Iterator[Sample]:
    def script(talk: Talk) -> None:
        while request := talk.read():
            if request.target == "/quick":
                talk.answer("200 OK", b"ok")
            elif request.target == "/failing":
                talk.answer("500 Internal Server Error", b'"' * 100_000)
            elif request.target == "/endless":
                talk.drip(b"HTTP/1.1 200 OK\r\n", every_seconds=0.05)
            else:
                talk.answer("200 OK", b'"' * 100_000, *(f"ETag: {'x' * 5000}" for _ in range(3)))

    with serving(script) as server:
        yield Sample(*({"url": server.url(path)} for path in ("/quick", "/large", "/failing", "/endless")))


def _sql(sql: str) -> dict[str, Any]:
    place = {"engine": "postgresql", "host": "127.0.0.1", "database": "test", "user": "root", "tls": None}
    return {"connection": place, "statements": [{"sql": sql}]}


@contextmanager
def _database() -> Iterator[Sample]:
    require("postgresql")
    yield Sample(
        quick=_sql("SELECT 1"),
        large=_sql("SELECT repeat('ä', 500) FROM generate_series(1, 1000)"),
        failing=_sql("SELECT * FROM no_such_table"),
        endless=_sql("SELECT pg_sleep(300)"),
    )


@contextmanager
def _grpc() -> Iterator[Sample]:
    with grpc_server.serving(grpc_server.Reports()) as port, silent() as silent_port:
        job = {"host": HOST, "port": port, "tls": None, "service": grpc_server.SERVICE, "method": "List"}
        yield Sample(
            quick=job | {"request": {"count": 1}},
            large=job | {"request": {"count": 1000, "text": "ä" * 50}},
            failing=job | {"method": "Missing"},
            endless=job | {"port": silent_port},
        )


@contextmanager
def _message_queue() -> Iterator[Sample]:
    def job(message: dict[str, Any], **queue: Any) -> dict[str, Any]:
        rabbit = {"kind": "rabbitmq", "host": HOST, "tls": None, "exchange": "amq.fanout", **queue}
        return {"queue": rabbit, "operation": {"action": "publish", "messages": [message] * 20}}

    stream = f"chronos-{unique()}"
    core = {"kind": "nats", "servers": [f"{HOST}:{require('nats')}"], "tls": None, "jetstream": False}
    quick = {
        "queue": core | {"subject": stream},
        "operation": {"action": "publish", "messages": [{"body": 1}]},
    }
    require("rabbitmq")
    with silent() as port:
        yield Sample(quick=quick, large=quick, failing=job({"body": 1}), endless=job({"body": 1}, port=port))


@contextmanager
def _cache() -> Iterator[Sample]:
    prefix = unique()
    place = {"host": "127.0.0.1", "port": require("redis"), "tls": None}
    database = _sql("")["connection"]

    def config(**operation: Any) -> dict[str, Any]:
        return {"connection": place, "operation": operation}

    many = "SELECT i AS key, repeat('x', 500) AS value FROM generate_series(1, 200) AS i"
    slow = {"connection": database, "query": {"sql": "SELECT 1 AS key, pg_sleep(300)"}}
    warm = config(do="warm", prefix=prefix, ttl_seconds=60, source={**slow, "query": {"sql": many}})
    assert isinstance(perform(call_of("cache", warm), "cache"), Succeeded)
    yield Sample(
        quick=config(do="set", key=prefix, value={"a": 1}, ttl_seconds=60),
        large=config(do="get", keys=[f"{prefix}{number}" for number in range(1, 101)]),
        failing=config(do="increment", key=f"{prefix}1"),
        endless=config(do="warm", prefix=prefix, source=slow),
    )
    perform(call_of("cache", config(do="flush_prefix", prefix=prefix)), "cache")


def _function(name: str) -> dict[str, Any]:
    role = "arn:aws:iam::123456789012:role/chronos-jobs"
    return {"invoke": {"service": "lambda", "role_arn": role, "function": name}}


def _lambda(**asked: Any) -> dict[str, Any]:
    """What Lambda answers: `endless` until its client gives up."""
    name = asked["FunctionName"]
    if name == "endless":
        Event().wait(0.4)
        raise CloudError("timeout", "Lambda did not answer in time.", retryable=True)
    error = {"FunctionError": "Unhandled"} if name == "failing" else {}
    said = {"quick": b"{}", "large": b'"' + b"x" * 1_000_000 + b'"', "failing": b'{"errorMessage": "no"}'}
    return {"StatusCode": 200, "Payload": BytesIO(said[name]), **error}


@contextmanager
def _cloud_function() -> Iterator[Sample]:
    cloud = ScriptedCloud().on("lambda", "invoke", _lambda)
    names = ("quick", "large", "failing", "endless")
    yield Sample(*map(_function, names), means={"cloud": cloud, "outputs": MemoryOutputs()})


@contextmanager
def _script() -> Iterator[Sample]:
    yield Sample(
        quick={"script": "echo done"},
        large={"script": "head -c 200000 /dev/zero; head -c 200000 /dev/zero >&2"},
        failing={"script": "exit 3"},
        endless={"script": "sleep 300"},
        means={"sandbox": ProcessSandbox()},
    )


@contextmanager
def _db_to_kafka() -> Iterator[Sample]:
    require("postgresql")

    def config(servers: list[str], sql: str) -> dict[str, Any]:
        place = {"connection": _sql("")["connection"], "query": {"sql": sql}}
        return {**place, "kafka": {"servers": servers, "tls": None}, "topic": unique(), "batch_rows": 5000}

    with kafka() as servers:
        yield Sample(
            quick=config(servers, "SELECT 1 AS id"),
            large=config(servers, "SELECT i, repeat('x', 100) FROM generate_series(1, 3000) AS i"),
            failing=config(servers, "SELECT * FROM no_such_table"),
            endless=config(servers, "SELECT 1, pg_sleep(300)"),
        )


@contextmanager
def _report() -> Iterator[Sample]:
    def job(path: str) -> dict[str, Any]:
        section = {"title": "Rows", "source": {"kind": "http", "url": server.url(path)}}
        return {"title": "Report", "format": "pdf", "sections": [section]}

    def script(talk: Talk) -> None:
        while request := talk.read():
            if request.target == "/endless":
                talk.drip(b"HTTP/1.1 200 OK\r\n", every_seconds=0.05)
            else:
                answers = {
                    "/quick": b'[{"n": 1}]',
                    "/large": b"[%s]" % b",".join([b'{"n": "\\u0001"}'] * 500),
                }
                talk.answer("200 OK", answers.get(request.target, b"no JSON"))

    with serving(script) as server:
        paths = ("/quick", "/large", "/failing", "/endless")
        yield Sample(*map(job, paths), means={"outputs": MemoryOutputs()})


class _Dripping:
    """A file that never ends."""

    def iter_chunks(self, _size: int) -> Iterator[bytes]:
        while True:
            Event().wait(0.05)
            yield b"x"

    def close(self) -> None:
        """Nobody holds anything."""


@contextmanager
def _file_system() -> Iterator[Sample]:
    role, then = "arn:aws:iam::123456789012:role/files", datetime(2027, 1, 15, tzinfo=UTC)
    here = {"ContentLength": 3, "Size": 3, "LastModified": then, "ETag": "e"}

    def head(**asked: Any) -> dict[str, Any]:
        if asked["Key"] == "gone":
            raise CloudError("404", "Not Found", status=404)
        return here

    listed = {"Contents": [{**here, "Key": f"{number:04d}{'x' * 900}"} for number in range(5000)]}
    cloud = ScriptedCloud().on("s3", "head_object", head).on("s3", "list_objects_v2", listed)
    cloud.on("s3", "get_object", {"Body": _Dripping()})

    def config(do: str, name: str, **more: Any) -> dict[str, Any]:
        return {"operation": {"do": do, "source": f"s3://bucket/{name}", **more}, "role_arn": role}

    yield Sample(
        quick=config("list", "here"),
        large=config("list", "**", max_files=10_000),
        failing=config("list", "gone"),
        endless=config("checksum", "here"),
        means={"cloud": cloud},
    )


SAMPLES: dict[str, Callable[[], Any]] = {
    "cache": _cache,
    "cloud_function": _cloud_function,
    "database": _database,
    "db_to_kafka": _db_to_kafka,
    "dummy": _dummy,
    "file_system": _file_system,
    "grpc": _grpc,
    "http": _http,
    "message_queue": _message_queue,
    "report": _report,
    "script": _script,
}
