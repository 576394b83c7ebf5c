"""The AWS adapters when AWS does a part of a batch: what was refused for now is sent again, and only that."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.aws.backoff import TRIES
from chalicelib.aws.expressions import encode, encode_key
from chalicelib.aws.fan import ThreadedFan
from chalicelib.aws.faults import Refused
from chalicelib.domain.errors import Unavailable
from chalicelib.ports.table import PRESENT, ConditionFailed, Is, Item, Put, Update
from tests.support.wire import NAMES, Reply, ScriptedPorts, Sent, accepted, error, ids, letters, statements

RUNS = NAMES["runs"]
KEY = ("p", "s")
ITEM: Item = {"pk": "p", "sk": "s", "owner": "me", "count": 7, "raw": b"\x00\xff"}
OTHER: Item = {**ITEM, "owner": "another"}


def updates(count: int) -> list[Update]:
    return [Update(("p", str(number)), {"a": number}, when=PRESENT) for number in range(count)]


def failed(number: int, code: str, *, sender: bool) -> dict[str, Any]:
    return {"Id": str(number), "Code": code, "Message": "m", "SenderFault": sender}


def unprocessed(*requests: Any) -> Reply:
    return Reply({"UnprocessedItems": {RUNS: list(requests)} if requests else {}})


def test_puts_that_were_not_processed_are_sent_again_and_only_they() -> None:
    rows = [{**ITEM, "sk": sk} for sk in "abc"]
    puts = [{"PutRequest": {"Item": encode(row)}} for row in rows]
    ports = ScriptedPorts(unprocessed(puts[2], puts[0]), unprocessed(puts[0]), unprocessed())
    ports.table.put_all(rows)
    assert [sent.body["RequestItems"][RUNS] for sent in ports.sent] == [
        puts,
        [puts[2], puts[0]],
        [puts[0]],
    ]
    assert ports.backed_off(2)


def test_deletes_that_were_not_processed_are_sent_again() -> None:
    delete = {"DeleteRequest": {"Key": encode_key(KEY)}}
    ports = ScriptedPorts(unprocessed(delete), unprocessed())
    ports.table.delete_all([KEY])
    assert ports.sent[1].body == {"RequestItems": {RUNS: [delete]}}


def test_keys_that_were_not_processed_are_asked_again_and_only_they() -> None:
    keys = [("p", sk) for sk in "abc"]
    rows = [{**ITEM, "sk": sk} for sk in "abc"]
    rest = {RUNS: {"Keys": [encode_key(key) for key in keys[1:]], "ConsistentRead": True}}
    first = Reply({"Responses": {RUNS: [encode(rows[0])]}, "UnprocessedKeys": rest})
    ports = ScriptedPorts(first, Reply({"Responses": {RUNS: [encode(row) for row in rows[1:]]}}))
    assert ports.table.get_many(keys) == dict(zip(keys, rows, strict=True))
    assert ports.sent[1].body == {"RequestItems": rest}
    assert ports.backed_off(1)


PUT = {"PutRequest": {"Item": encode(ITEM)}}
UNENDING: list[tuple[Callable[[ScriptedPorts], Any], Reply, str]] = [
    (lambda p: p.table.put_all([ITEM]), unprocessed(PUT), "items"),
    (lambda p: p.table.delete_all([KEY]), unprocessed({"DeleteRequest": {"Key": encode_key(KEY)}}), "keys"),
    (
        lambda p: p.table.get_many([KEY]),
        Reply({"Responses": {}, "UnprocessedKeys": {RUNS: {"Keys": [encode_key(KEY)]}}}),
        "reads",
    ),
    (lambda p: p.table.write_each(updates(2)), statements(*["ThrottlingError"] * 2), "statements"),
    (
        lambda p: p.lane.send(letters(1)),
        Reply({"Failed": [failed(0, "InternalError", sender=False)]}),
        "a message",
    ),
    (lambda p: p.lane.send(letters(1)), Reply(), "a message of which nothing is said"),
]


@pytest.mark.parametrize(("call", "never", "_reason"), UNENDING)
def test_a_part_that_is_always_refused_is_unavailable_after_the_last_try(
    call: Callable[[ScriptedPorts], Any], never: Reply, _reason: str
) -> None:
    ports = ScriptedPorts(*[never] * TRIES)
    with pytest.raises(Unavailable, match="again and again"):
        call(ports)
    assert len(ports.sent) == TRIES
    assert ports.backed_off(TRIES - 1)


def test_the_other_calls_of_a_large_batch_are_made_when_one_fails() -> None:
    done = unprocessed()
    ports = ScriptedPorts(error("ValidationException"), done, done, fan=ThreadedFan(3))
    with pytest.raises(Refused):
        ports.table.put_all({**ITEM, "sk": str(number)} for number in range(60))
    assert len(ports.sent) == 3


# Statements, each with an outcome of its own.

OUTCOMES = [
    (None, True, "carried out"),
    ("ConditionalCheckFailed", False, "its condition does not hold"),
    ("DuplicateItem", False, "there is such an item"),
]
AGAIN = [
    "TransactionConflict",
    "ThrottlingError",
    "InternalServerError",
    "RequestLimitExceeded",
    "ProvisionedThroughputExceeded",
]
FOR_GOOD = ["AccessDenied", "ResourceNotFound", "ValidationError", "ItemCollectionSizeLimitExceeded"]


def keys_of(sent: Sent) -> list[str]:
    """The sort keys of a request's statements."""
    return [statement["Parameters"][2]["S"] for statement in sent.body["Statements"]]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_each_statement_has_its_own_outcome(order: tuple[int, ...]) -> None:
    rows = [OUTCOMES[number] for number in order]
    assert ScriptedPorts(statements(*(code for code, *_ in rows))).table.write_each(updates(3)) == [
        held for _, held, _ in rows
    ]


def test_a_refused_statement_may_carry_the_item_that_refused_it() -> None:
    refused = {
        "Error": {"Code": "ConditionalCheckFailed", "Message": "m", "Item": encode(OTHER)},
        "TableName": RUNS,
    }
    assert ScriptedPorts(Reply({"Responses": [refused, {}]})).table.write_each(updates(2)) == [False, True]


@pytest.mark.parametrize("code", AGAIN)
def test_statements_that_were_refused_for_now_are_sent_again_and_only_they(code: str) -> None:
    ports = ScriptedPorts(
        statements(code, None, "ConditionalCheckFailed", code),
        statements(None, code),
        statements("ConditionalCheckFailed"),
    )
    assert ports.table.write_each(updates(4)) == [True, True, False, False]
    assert [keys_of(sent) for sent in ports.sent] == [["0", "1", "2", "3"], ["0", "3"], ["3"]]
    assert ports.backed_off(2)


@pytest.mark.parametrize("code", FOR_GOOD)
def test_a_statement_that_cannot_be_carried_out_is_told_and_not_taken_for_a_lost_race(code: str) -> None:
    with pytest.raises(Refused, match=f"{code}: m"):
        ScriptedPorts(statements(None, code)).table.write_each(updates(2))


# Transactions, cancelled for the reasons of their writes.


def cancelled(*reasons: dict[str, Any]) -> Reply:
    return error("TransactionCanceledException", CancellationReasons=list(reasons))


NONE = {"Code": "None"}
CONDITION = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}
REASONS: list[tuple[list[dict[str, Any]], type[Exception], str]] = [
    ([NONE, CONDITION], ConditionFailed, "one condition"),
    ([CONDITION, {"Code": "TransactionConflict"}], ConditionFailed, "a refused condition is certain"),
    ([{"Code": "ThrottlingError"}, CONDITION], ConditionFailed, "in whatever order"),
    ([{"Code": "ValidationError", "Message": "no such path"}, NONE], Refused, "a fault of ours"),
    ([NONE, {"Code": "ItemCollectionSizeLimitExceeded"}], Refused, "it will not fit later either"),
]


@pytest.mark.parametrize(("reasons", "expected", "_reason"), REASONS)
def test_a_transaction_that_was_cancelled_for_good_says_why(
    reasons: list[dict[str, Any]], expected: type[Exception], _reason: str
) -> None:
    with pytest.raises(expected):
        two_writes(ScriptedPorts(cancelled(*reasons)))


FOR_NOW = [
    ([NONE, {"Code": "ThrottlingError"}], "throttled, and the SDK does not look into the reasons"),
    ([{"Code": "ProvisionedThroughputExceeded"}, NONE], "throttled"),
    ([{"Code": "TransactionConflict"}, {"Code": "ThrottlingError"}], "neither stays"),
]


@pytest.mark.parametrize(("reasons", "_reason"), FOR_NOW)
def test_a_transaction_that_was_cancelled_for_now_is_sent_again(
    reasons: list[dict[str, Any]], _reason: str
) -> None:
    ports = ScriptedPorts(cancelled(*reasons), cancelled(*reasons), Reply())
    two_writes(ports)
    assert len(ports.sent) == 3
    assert ports.backed_off(2)


@pytest.mark.parametrize(("reasons", "_reason"), FOR_NOW)
def test_a_transaction_that_is_always_cancelled_is_unavailable(
    reasons: list[dict[str, Any]], _reason: str
) -> None:
    with pytest.raises(Unavailable):
        two_writes(ScriptedPorts(*[cancelled(*reasons)] * TRIES))


EXISTING = [
    ([NONE, {**CONDITION, "Item": encode(OTHER)}], OTHER, "the item of the write that was refused"),
    ([{**CONDITION, "Item": encode(ITEM)}, {**CONDITION, "Item": encode(OTHER)}], ITEM, "of the first one"),
    ([NONE, CONDITION], None, "there was none"),
]


@pytest.mark.parametrize(("reasons", "existing", "_reason"), EXISTING)
def test_a_refused_transaction_shows_the_item_that_refused_it(
    reasons: list[dict[str, Any]], existing: Item | None, _reason: str
) -> None:
    with pytest.raises(ConditionFailed) as refused:
        two_writes(ScriptedPorts(cancelled(*reasons)))
    assert refused.value.existing == existing


def two_writes(ports: ScriptedPorts) -> None:
    ports.db.transact(("timers", Put(ITEM)), ("runs", Update(KEY, {"a": 1}, when=Is("owner", "me"))))


# Sending.


@pytest.mark.parametrize(
    ("code", "sender"), [("InternalError", False), ("ServiceUnavailable", False), ("RequestThrottled", True)]
)
def test_entries_that_failed_are_sent_again_and_only_they(code: str, sender: bool) -> None:
    partly = Reply(
        {**accepted(0, 2).body, "Failed": [failed(1, code, sender=sender), failed(3, code, sender=sender)]}
    )
    ports = ScriptedPorts(partly, accepted(1, 3))
    ports.lane.send(letters(4))
    assert [ids(sent) for sent in ports.sent] == [["0", "1", "2", "3"], ["1", "3"]]
    assert ports.sent[1].body["Entries"][0] == {"Id": "1", "MessageBody": "body 1", "DelaySeconds": 1}
    assert ports.backed_off(1)


def test_an_entry_that_sqs_says_nothing_about_is_sent_again() -> None:
    ports = ScriptedPorts(accepted(0), accepted(1))
    ports.lane.send(letters(2))
    assert [ids(sent) for sent in ports.sent] == [["0", "1"], ["1"]]


def test_an_entry_that_is_wrong_in_itself_is_told_at_once() -> None:
    answer = Reply({**accepted(0).body, "Failed": [failed(1, "InvalidMessageContents", sender=True)]})
    with pytest.raises(Refused, match="InvalidMessageContents: m"):
        ScriptedPorts(answer).lane.send(letters(2))


def test_each_further_ten_messages_are_a_call_of_their_own() -> None:
    ports = ScriptedPorts(accepted(*range(10)), accepted(*range(10)), accepted(*range(5)))
    ports.lane.send(letters(25))
    assert [len(ids(sent)) for sent in ports.sent] == [10, 10, 5]
