"""grpc jobs against real servers, of grpcio."""

import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import ExecutorSettings
from tests.support.calls import LOOPBACK, RUN_ID, call_of, perform
from tests.support.certificates import Authority
from tests.support.grpc_server import SERVICE, Reports, descriptors, serving
from tests.support.relay import silent
from tests.support.waiting import eventually


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def port(reports: Reports) -> Iterator[int]:
    with serving(reports) as found:
        yield found


def _config(port: int, method: str = "Create", **others: Any) -> dict[str, Any]:
    return {"host": "localhost", "port": port, "tls": None, "service": SERVICE, "method": method, **others}


def _outcome(config: dict[str, Any], settings: ExecutorSettings = LOOPBACK, seconds: float = 10) -> Outcome:
    return perform(call_of("grpc", config, settings=settings, seconds=seconds), "grpc")


def _result(found: Outcome) -> dict[str, Any]:
    assert isinstance(found, Succeeded), found
    return found.result


def _failure(found: Outcome) -> Failed:
    assert isinstance(found, Failed), found
    return found


REQUEST = {"kind": "DAILY", "count": "7", "text": "ä", "at": "2026-05-01T12:00:00Z", "tags": ["a", "b"]}


@pytest.mark.parametrize("reflects", ["v1", "v1alpha"])
def test_a_method_is_called_as_the_server_describes_it(reports: Reports, reflects: str) -> None:
    with serving(reports, reflects=reflects) as port:
        result = _result(_outcome(_config(port, request=REQUEST)))
    assert result == {"code": "OK", "count": 1, "messages": [REQUEST], "truncated": False}


def test_a_method_is_called_as_the_job_describes_it(reports: Reports) -> None:
    with serving(reports, reflects="") as port:
        result = _result(_outcome(_config(port, request=REQUEST, descriptors=descriptors())))
    assert result["messages"] == [REQUEST]


def test_the_call_carries_metadata_and_the_runs_id(reports: Reports, port: int) -> None:
    metadata = {"authorization": "Bearer x", "trace-bin": b64encode(b"\x00\xff").decode()}
    _result(_outcome(_config(port, metadata=metadata)))
    [(_, got)] = reports.asked
    assert (got["authorization"], got["trace-bin"], got["idempotency-key"]) == (
        "Bearer x",
        b"\x00\xff",
        RUN_ID,
    )


def test_the_server_knows_the_deadline(reports: Reports, port: int) -> None:
    left: list[float] = []

    def create(ask: Any, context: grpc.ServicerContext) -> Any:
        left.append(context.time_remaining())
        return ask

    reports.create = create
    _result(_outcome(_config(port), seconds=7))
    assert 3 < left[0] <= 7


def test_a_stream_is_kept_as_far_as_it_fits(port: int) -> None:
    request = {"count": "5", "text": "x"}
    result = _result(_outcome(_config(port, "List", request=request)))
    assert (result["count"], result["truncated"]) == (5, False)
    assert [message.get("count", "0") for message in result["messages"]] == ["0", "1", "2", "3", "4"]
    long = _result(_outcome(_config(port, "List", request={"count": "500", "text": "x" * 100})))
    assert (long["count"], long["truncated"]) == (500, True)
    assert 50 < len(long["messages"]) < 90


def test_a_stream_is_left_after_enough_answers(reports: Reports, port: int) -> None:
    request = {"count": "1000000", "text": "x"}
    result = _result(_outcome(_config(port, "List", request=request, max_messages=10)))
    assert (result["count"], result["ended"]) == (10, "max_messages")
    assert reports.left.wait(5)


def test_a_stream_that_ends_when_it_is_left_is_a_success(port: int) -> None:
    for count in range(1, 30):
        request = {"count": str(count), "text": "x"}
        assert _result(_outcome(_config(port, "List", request=request, max_messages=count)))["count"] == count


def test_what_came_before_a_failure_is_kept(port: int) -> None:
    failed = _failure(_outcome(_config(port, "List", request={"count": "2", "text": "then fail"})))
    assert (failed.kind, failed.retryable) == ("grpc", True)
    assert failed.result is not None
    assert (failed.result["code"], failed.result["count"]) == ("RESOURCE_EXHAUSTED", 2)
    assert "no more today" in failed.message


@pytest.mark.parametrize(
    ("code", "retryable"),
    [
        ("UNAVAILABLE", True),
        ("DEADLINE_EXCEEDED", True),
        ("RESOURCE_EXHAUSTED", True),
        ("ABORTED", True),
        ("UNKNOWN", None),
        ("INTERNAL", None),
        ("INVALID_ARGUMENT", False),
        ("NOT_FOUND", False),
        ("ALREADY_EXISTS", False),
        ("PERMISSION_DENIED", False),
        ("UNAUTHENTICATED", False),
        ("FAILED_PRECONDITION", False),
        ("UNIMPLEMENTED", False),
    ],
)
def test_a_status_code_says_whether_to_try_again(
    reports: Reports, port: int, code: str, retryable: bool | None
) -> None:
    reports.create = lambda _ask, context: context.abort(getattr(grpc.StatusCode, code), "because")
    failed = _failure(_outcome(_config(port)))
    assert (failed.kind, failed.retryable) == ("grpc", retryable)
    assert failed.message == f"The server answers {code}: because."


def test_another_code_can_be_a_success(reports: Reports, port: int) -> None:
    reports.create = lambda _ask, context: context.abort(grpc.StatusCode.ALREADY_EXISTS, "there")
    result = _result(_outcome(_config(port, expected_codes=["OK", "ALREADY_EXISTS"])))
    assert (result["code"], result["message"]) == ("ALREADY_EXISTS", "there")


def test_ok_can_be_a_failure(port: int) -> None:
    failed = _failure(_outcome(_config(port, expected_codes=["NOT_FOUND"])))
    assert failed.message == "The server answers OK."


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"method": "Missing"}, "There is no method shop.v1.Reports/Missing"),
        ({"method": "Upload"}, "wants a stream of requests"),
        ({"service": "shop.v1.Other"}, "does not describe it"),
        ({"request": {"no_such_field": 1}}, "does not fit /shop.v1.Reports/Create"),
        ({"request": {"count": "many"}}, "does not fit"),
        ({"descriptors": b64encode(b"nonsense").decode()}, "no FileDescriptorSet"),
        ({"descriptors": ""}, "There is no method"),
    ],
)
def test_what_cannot_be_called_is_told(port: int, others: dict[str, Any], said: str) -> None:
    failed = _failure(_outcome(_config(port) | others))
    assert (failed.kind, failed.retryable) == ("grpc", False)
    assert said in failed.message


def _described(*files: descriptor_pb2.FileDescriptorProto) -> str:
    return b64encode(descriptor_pb2.FileDescriptorSet(file=files).SerializeToString()).decode()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([{"name": "a", "dependency": ["b"]}], "b is imported, but not described"),
        ([{"name": "a", "dependency": ["b"]}, {"name": "b", "dependency": ["a"]}], "import each other"),
        ([{"name": f"f{number}"} for number in range(501)], "more than 500 files"),
        ([{"name": "a", "message_type": [{"name": "not a name"}]}], "describes nothing sensible"),
    ],
    ids=["missing", "circle", "many", "nonsense"],
)
def test_descriptors_that_make_no_sense_are_told(port: int, files: list[dict[str, Any]], said: str) -> None:
    set_ = _described(*(descriptor_pb2.FileDescriptorProto(**file) for file in files))
    failed = _failure(_outcome(_config(port, descriptors=set_)))
    assert (failed.kind, failed.retryable) == ("grpc", False)
    assert said in failed.message


def test_a_server_without_reflection_is_told() -> None:
    with serving(Reports(), reflects="") as port:
        failed = _failure(_outcome(_config(port)))
    assert (failed.kind, failed.retryable) == ("grpc", False)
    assert "give `descriptors`" in failed.message


def test_an_answer_that_is_too_large_is_not_read(reports: Reports, port: int) -> None:
    reports.create = lambda ask, _context: type(ask)(text="x" * 1_000_000)
    failed = _failure(_outcome(_config(port, max_message_bytes=500_000)))
    assert (failed.kind, failed.retryable) == ("grpc", False)
    assert "more than 500000" in failed.message
    assert _result(_outcome(_config(port)))["truncated"]


def test_an_answer_that_is_another_message_is_told(reports: Reports, port: int) -> None:
    reports.create = lambda _ask, _context: b"\xff\xff\xff"
    failed = _failure(_outcome(_config(port)))
    assert (failed.kind, failed.retryable) == ("grpc", False)


@pytest.mark.parametrize(
    "says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["silent", "another protocol"]
)
def test_the_deadline_holds_against_a_server_that_says_nothing_of_use(says: bytes) -> None:
    with silent(says, every_seconds=0.05 if says else 0) as port:
        began = time.monotonic()
        failed = _failure(_outcome(_config(port), seconds=1))
        assert time.monotonic() - began < 6
    assert failed.kind in ({"timeout", "connection"} if says else {"timeout"})


def test_the_deadline_holds_against_a_method_that_hangs(port: int) -> None:
    began = time.monotonic()
    assert _failure(_outcome(_config(port, "Hang"), seconds=1)).kind == "timeout"
    assert time.monotonic() - began < 6


def test_who_is_told_to_stop_leaves_the_method(reports: Reports, port: int) -> None:
    call = call_of("grpc", _config(port, "Hang"), seconds=60)
    threading.Timer(0.5, call.stop.want).start()
    began = time.monotonic()
    assert isinstance(perform(call, "grpc"), Failed)
    assert time.monotonic() - began < 6
    assert reports.left.wait(5)


def test_no_thread_is_left_behind(port: int) -> None:
    def ours() -> list[threading.Thread]:
        return [one for one in threading.enumerate() if "ThreadPool" not in one.name]

    before = len(ours())
    _result(_outcome(_config(port)))
    eventually(lambda: len(ours()) <= before, seconds=5)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "::1", "::ffff:7f00:1", "0", "2130706433", "0x7f000001", "127.1", "10.0.0.1",
     "169.254.169.254", "192.168.1.1", "fd00:ec2::254", "64:ff9b::a9fe:a9fe"],
)  # fmt: skip
def test_no_spelling_of_an_inner_address_is_dialled(host: str) -> None:
    failed = _failure(_outcome(_config(5999) | {"host": host}, settings=ExecutorSettings()))
    assert failed.kind == "forbidden_target"


def test_who_cannot_be_reached_is_told() -> None:
    with silent() as port:
        closed = port
    assert _failure(_outcome(_config(closed))).kind == "connection"
    assert _failure(_outcome(_config(80) | {"host": "no-such-host.invalid"})).kind == "connection"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def _by_tls(authority: Authority, name: str, settings: ExecutorSettings, **tls: Any) -> Outcome:
    certificate, key = (text.encode() for text in authority.client(name))
    with serving(Reports(), credentials=grpc.ssl_server_credentials([(key, certificate)])) as port:
        return _outcome(_config(port) | {"tls": tls}, settings=settings)


def test_a_good_certificate_passes(authority: Authority) -> None:
    _result(_by_tls(authority, "localhost", authority.settings))


def test_an_own_authority_is_trusted(authority: Authority) -> None:
    _result(_by_tls(authority, "localhost", LOOPBACK, ca=authority.pem))


def test_another_name_can_be_expected(authority: Authority) -> None:
    _result(_by_tls(authority, "grpc.example", authority.settings, server_name="grpc.example"))


@pytest.mark.parametrize("name", ["localhost", "other.example"])
def test_a_certificate_that_is_not_good_is_refused(authority: Authority, name: str) -> None:
    settings = LOOPBACK if name == "localhost" else authority.settings
    failed = _failure(_by_tls(authority, name, settings))
    assert (failed.kind, "certificate" in failed.message) == ("connection", True)


def test_a_client_certificate_is_shown(authority: Authority) -> None:
    certificate, key = authority.client("localhost")
    pair = [(key.encode(), certificate.encode())]
    demanding = grpc.ssl_server_credentials(pair, authority.pem.encode(), require_client_auth=True)
    shown = {"key": key, "certificate": certificate}
    with serving(Reports(), credentials=demanding) as port:
        config = _config(port, descriptors=descriptors())
        assert _failure(_outcome(config | {"tls": {}}, settings=authority.settings)).kind == "connection"
        _result(_outcome(config | {"tls": shown}, settings=authority.settings))


def test_pem_that_cannot_be_read_is_told_and_not_shown() -> None:
    tls = {"certificate": "-----BEGIN x", "key": "-----BEGIN very-secret"}
    failed = _failure(_outcome(_config(5999) | {"tls": tls}))
    assert (failed.kind, failed.retryable, "very-secret" in str(failed)) == ("connection", False, False)
