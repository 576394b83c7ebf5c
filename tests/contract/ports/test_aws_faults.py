"""The AWS adapters when AWS fails: what may pass is tried again or Unavailable, what stays is Refused."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from botocore import exceptions as network
from botocore.retries import standard

from chalicelib.aws.backoff import TRIES
from chalicelib.aws.clients import ATTEMPTS
from chalicelib.aws.expressions import encode, encode_key
from chalicelib.aws.faults import PASSING, Refused
from chalicelib.domain.errors import Unavailable
from chalicelib.ports.queue import Outgoing
from chalicelib.ports.table import PRESENT, Absent, ConditionFailed, Delete, Is, Item, Put, Update
from tests.support.wire import Reply, ScriptedPorts, accepted, error, ids, letters, lost, statements

KEY = ("p", "s")
ITEM: Item = {"pk": "p", "sk": "s", "owner": "me", "count": 7, "raw": b"\x00\xff"}
Call = Callable[[ScriptedPorts], Any]
CALLS: dict[str, tuple[Call, Reply]] = {
    "get": (lambda p: p.table.get(KEY), Reply()),
    "get_many": (lambda p: p.table.get_many([KEY]), Reply({"Responses": {}})),
    "query": (lambda p: p.table.query("p"), Reply({"Items": []})),
    "query_index": (lambda p: p.table.query_index("by_job", "j", limit=3), Reply({"Items": []})),
    "index_rows": (lambda p: p.table.index_rows("by_job", "j", limit=3), Reply({"Items": []})),
    "put": (lambda p: p.table.write(Put(ITEM, Absent())), Reply()),
    "update": (lambda p: p.table.write(Update(KEY, {"a": 1}, when=PRESENT)), Reply({"Attributes": {}})),
    "delete": (lambda p: p.table.write(Delete(KEY, Is("owner", "me"))), Reply()),
    "write_each of one": (lambda p: p.table.write_each([Put(ITEM, Absent())]), Reply()),
    "write_each": (lambda p: p.table.write_each([Put(ITEM, Absent()), Update(KEY)]), statements(None, None)),
    "put_all": (lambda p: p.table.put_all([ITEM]), Reply({"UnprocessedItems": {}})),
    "delete_all": (lambda p: p.table.delete_all([KEY]), Reply({"UnprocessedItems": {}})),
    "transact": (lambda p: p.db.transact(("runs", Put(ITEM, Absent()))), Reply()),
    "send": (lambda p: p.lane.send([Outgoing("a")]), accepted(0)),
}
every_call = pytest.mark.parametrize("name", CALLS)

AT = "https://aws.example"
PASSING_FAULTS: dict[str, Reply | Exception] = {
    "throttled": error("ThrottlingException"),
    "throughput": error("ProvisionedThroughputExceededException"),
    "an internal error": error("InternalServerError", 500),
    "unavailable": error("ServiceUnavailable", 503),
    "a proxy's page": Reply(b"<html><body><h1>502 Bad Gateway</h1></body></html>", 502),
    "a page with a doctype": Reply(b"<!DOCTYPE html><title>Bad Gateway</title>", 502),
    "an empty 504": Reply(b"", 504),
    "a read time-out": network.ReadTimeoutError(endpoint_url=AT),
    "a connect time-out": network.ConnectTimeoutError(endpoint_url=AT),
    "nobody listens": network.EndpointConnectionError(endpoint_url=AT),
    "a reset": network.ConnectionClosedError(endpoint_url=AT),
    "a broken handshake": network.SSLError(endpoint_url=AT, error="eof"),
    "another transport error": network.HTTPClientError(error="broken pipe"),
}


@every_call
@pytest.mark.parametrize("fault", PASSING_FAULTS)
def test_a_fault_that_passes_is_not_noticed(name: str, fault: str) -> None:
    call, success = CALLS[name]
    ports = ScriptedPorts(PASSING_FAULTS[fault], PASSING_FAULTS[fault], success)
    call(ports)
    assert len(ports.sent) == ATTEMPTS


@every_call
@pytest.mark.parametrize("fault", PASSING_FAULTS)
def test_a_fault_that_lasts_is_unavailable(name: str, fault: str) -> None:
    ports = ScriptedPorts(*[PASSING_FAULTS[fault]] * ATTEMPTS)
    with pytest.raises(Unavailable):
        CALLS[name][0](ports)
    assert len(ports.sent) == ATTEMPTS


GARBLED = {
    "a login page": b"<html>please sign in</html>",
    "half of an answer": b'{"Responses": {"t-ru',
    "nothing": b"",
    "no text": b"\xff\xfe\x00",
    "a list": b"[]",
    "a word": b'"ok"',
    "null": b"null",
}


@every_call
@pytest.mark.parametrize("body", GARBLED)
def test_a_success_that_cannot_be_read_is_neither_a_success_nor_an_empty_answer(name: str, body: str) -> None:
    with pytest.raises(Unavailable):
        CALLS[name][0](ScriptedPorts(Reply(GARBLED[body])))


@every_call
def test_an_error_that_cannot_be_read_is_unavailable(name: str) -> None:
    for body in (b"\xff\xfe\x00", b"[]", b'"no"'):
        with pytest.raises(Unavailable):
            CALLS[name][0](ScriptedPorts(*[Reply(body, 502)] * ATTEMPTS))


LASTING_FAULTS = [
    (error("AccessDeniedException", message="User: x is not authorized"), "AccessDenied.*not authorized"),
    (error("ResourceNotFoundException", message="Requested resource not found"), "ResourceNotFound"),
    (error("ValidationException", message="Invalid expression"), "ValidationException: Invalid expression"),
    (error("UnrecognizedClientException"), "UnrecognizedClient"),
    (Reply(b"<html>blocked</html>", 403), "403"),
]


@every_call
@pytest.mark.parametrize(("fault", "told"), LASTING_FAULTS)
def test_a_fault_of_ours_is_told_at_once_and_clearly(name: str, fault: Reply, told: str) -> None:
    ports = ScriptedPorts(fault)
    with pytest.raises(Refused, match=told):
        CALLS[name][0](ports)
    assert len(ports.sent) == 1


@every_call
def test_a_client_that_cannot_sign_says_why(name: str) -> None:
    with pytest.raises(Refused, match="credentials"):
        CALLS[name][0](ScriptedPorts(network.NoCredentialsError()))


def test_whatever_the_sdk_tries_again_may_pass() -> None:
    transient = standard.TransientRetryableChecker._TRANSIENT_ERROR_CODES
    throttled = standard.ThrottledRetryableChecker._THROTTLED_ERROR_CODES
    assert {*transient, *throttled} <= PASSING


CONFLICT = error("TransactionConflictException")
CONTENDED: dict[str, Reply] = {
    "put": CONFLICT,
    "update": CONFLICT,
    "delete": CONFLICT,
    "write_each of one": CONFLICT,
    "write_each": statements("TransactionConflict", "TransactionConflict"),
    "transact": error("TransactionCanceledException", CancellationReasons=[{"Code": "TransactionConflict"}]),
}


@pytest.mark.parametrize("name", CONTENDED)
def test_a_write_waits_until_another_transaction_is_done(name: str) -> None:
    ports = ScriptedPorts(CONTENDED[name], CONTENDED[name], CALLS[name][1])
    CALLS[name][0](ports)
    assert len(ports.sent) == 3
    assert ports.backed_off(2)


@pytest.mark.parametrize("name", CONTENDED)
def test_a_write_that_always_meets_another_transaction_is_unavailable(name: str) -> None:
    ports = ScriptedPorts(*[CONTENDED[name]] * TRIES)
    with pytest.raises(Unavailable):
        CALLS[name][0](ports)
    assert ports.backed_off(TRIES - 1)


# A lost answer: the call took effect, the SDK sends it again.


def condition_failed(existing: Item | None) -> Reply:
    more: dict[str, Any] = {"Item": encode(existing)} if existing else {}
    return error("ConditionalCheckFailedException", **more)


LOST_WRITES: list[tuple[Callable[[ScriptedPorts], Any], Item]] = [
    (lambda p: p.table.write(Put(ITEM, Absent())), ITEM),
    (lambda p: p.table.write(Update(KEY, {"owner": "me"}, when=Is("owner", "another"))), ITEM),
]


@pytest.mark.parametrize(("write", "left"), LOST_WRITES)
def test_a_write_refused_by_its_own_first_try_shows_what_that_try_left(
    write: Callable[[ScriptedPorts], Any], left: Item
) -> None:
    with pytest.raises(ConditionFailed) as refused:
        write(ScriptedPorts(lost(), condition_failed(left)))
    assert refused.value.existing == left, "so that an owner token in it is recognized"


def test_a_delete_refused_by_its_own_first_try_finds_nothing() -> None:
    with pytest.raises(ConditionFailed) as refused:
        ScriptedPorts(lost(), condition_failed(None)).table.write(Delete(KEY, Is("owner", "me")))
    assert refused.value.existing is None


def two_writes(ports: ScriptedPorts) -> None:
    ports.db.transact(("timers", Put(ITEM)), ("runs", Update(KEY, {"a": 1}, when=Is("owner", "me"))))


def test_a_transaction_whose_answer_was_lost_is_sent_again_under_the_same_token() -> None:
    ports = ScriptedPorts(lost(), Reply())
    two_writes(ports)
    first, second = (sent.body for sent in ports.sent)
    assert first == second, "DynamoDB then answers as if it were the first"
    assert len(first["ClientRequestToken"]) == 36


def test_two_transactions_never_share_a_token() -> None:
    ports = ScriptedPorts(Reply(), Reply())
    two_writes(ports)
    two_writes(ports)
    assert len({sent.body["ClientRequestToken"] for sent in ports.sent}) == 2


def test_statements_whose_answer_was_lost_may_be_refused_by_themselves() -> None:
    puts = [Put({**ITEM, "sk": sk}, Absent()) for sk in "ab"]
    assert ScriptedPorts(lost(), statements("DuplicateItem", None)).table.write_each(puts) == [False, True]


def test_messages_whose_answer_was_lost_are_doubled_and_not_lost() -> None:
    ports = ScriptedPorts(lost(), accepted(0, 1))
    ports.lane.send(letters(2))
    assert [ids(sent) for sent in ports.sent] == [["0", "1"], ["0", "1"]]


# Pages.


def page(sort_keys: Iterable[str], last: str | None) -> Reply:
    body: dict[str, Any] = {"Items": [encode({"pk": "p", "sk": sk}) for sk in sort_keys]}
    return Reply({**body, "LastEvaluatedKey": encode_key(("p", last))} if last else body)


def sort_keys(found: Iterable[Item]) -> list[str]:
    return [str(item["sk"]) for item in found]


def test_a_query_goes_on_over_the_pages_of_a_megabyte() -> None:
    ports = ScriptedPorts(page("ab", "b"), page("", "c"), page("d", None))
    found = ports.table.query("p", limit=9)
    assert sort_keys(found.items) == ["a", "b", "d"]
    assert found.next is None
    assert [sent.body.get("ExclusiveStartKey") for sent in ports.sent] == [
        None,
        encode_key(("p", "b")),
        encode_key(("p", "c")),
    ]
    assert [sent.body["Limit"] for sent in ports.sent] == [9, 7, 7]


def test_a_query_ends_at_its_limit_and_says_where() -> None:
    ports = ScriptedPorts(page("ab", "b"), page("c", "c"))
    found = ports.table.query("p", limit=3)
    assert (sort_keys(found.items), found.next) == (["a", "b", "c"], "c")
    assert len(ports.sent) == 2


def test_the_upper_bound_does_not_belong_to_a_range_although_dynamodb_includes_it() -> None:
    found = ScriptedPorts(page("ab", "b"), page("c", None)).table.query("p", low="a", high="c")
    assert sort_keys(found.items) == ["a", "b"]


def test_a_later_page_that_fails_makes_the_query_unavailable_rather_than_short() -> None:
    with pytest.raises(Unavailable):
        ScriptedPorts(page("ab", "b"), *[error("ThrottlingException")] * ATTEMPTS).table.query("p")


def test_an_index_is_read_a_page_at_a_time() -> None:
    last: Item = {"pk": "p", "sk": "b", "job": "j"}
    ports = ScriptedPorts(Reply({"Items": [encode(last)], "LastEvaluatedKey": encode(last)}))
    assert ports.table.query_index("by_job", "j", limit=1) == ([("p", "b")], last)
