"""What can go wrong with one call of AWS, and what then comes back."""

import json
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Any

from botocore.exceptions import EndpointConnectionError

from chalicelib.aws.clients import READ_SECONDS
from tests.support.memory import FakeClock
from tests.support.wire import Reply, Sent, error, lost

Answer = Callable[[Sent], Reply]

READS = frozenset({"GetItem", "BatchGetItem", "Query", "GetParameter", "GetSecretValue"})
BATCHES = frozenset(
    {
        "BatchGetItem",
        "BatchWriteItem",
        "BatchExecuteStatement",
        "SendMessageBatch",
        "Query",
        "TransactWriteItems",
    }
)


class Crash(BaseException):
    """The process is no more."""


class Kind(StrEnum):
    """One way to fail. "Once": the SDK's next try gets through; otherwise every try of the call meets the same."""

    CRASH_BEFORE = "the process dies, nothing happened"
    CRASH_AFTER = "the process dies, it took effect"
    LOST_ONCE = "it took effect, the answer was lost, the SDK sent it again"
    LOST = "it took effect at every try, and no answer came"
    LATE = "no answer came, the SDK sent it again, and the first arrived long afterwards"
    FAILED_ONCE = "it took effect, the answer was 500, the SDK sent it again"
    FAILED = "it took effect at every try, the answers were 500"
    GARBLED = "it took effect, and half of the answer came"
    THROTTLED_ONCE = "refused for now, then taken"
    THROTTLED = "refused for now, at every try"
    UNREACHABLE = "the connection was refused, at every try"
    PARTIAL = "a part took effect, the rest was refused for now"
    STARVED = "a part took effect, and the rest was refused as often as it was sent"
    OUTAGE = "refused, and so was everything after it"
    OUTAGE_OF_IT = "refused, and so was every later call of this table or queue"


ABSORBED = frozenset({Kind.LOST_ONCE, Kind.LATE, Kind.FAILED_ONCE, Kind.THROTTLED_ONCE, Kind.PARTIAL})
"""Nobody above the adapters notices these."""
DEADLY = frozenset({Kind.CRASH_BEFORE, Kind.CRASH_AFTER})
OUTAGES = frozenset({Kind.OUTAGE, Kind.OUTAGE_OF_IT})
_EFFECT_FIRST = frozenset(
    {Kind.CRASH_AFTER, Kind.LOST_ONCE, Kind.LOST, Kind.LATE, Kind.FAILED_ONCE, Kind.FAILED}
)
_TAKES_EFFECT = (_EFFECT_FIRST - {Kind.LATE}) | {Kind.GARBLED}
_FIRST_TRY_ONLY = frozenset({Kind.LOST_ONCE, Kind.LATE, Kind.FAILED_ONCE, Kind.THROTTLED_ONCE})


_ALIKE = (
    (Kind.LOST_ONCE, Kind.FAILED_ONCE),
    (Kind.LOST, Kind.FAILED),
    (Kind.THROTTLED, Kind.UNREACHABLE),
)
_ALIKE_FOR_READS = ((Kind.THROTTLED, Kind.UNREACHABLE, Kind.GARBLED),)


def all_kinds_of(operation: str) -> list[Kind]:
    """The kinds that a call of this operation can meet: what reads has no effect that could come first."""
    found = [kind for kind in Kind if operation not in READS or kind not in _EFFECT_FIRST]
    partly = operation in BATCHES or operation not in READS
    return [kind for kind in found if partly or kind not in (Kind.PARTIAL, Kind.STARVED)]


def kinds_of(operation: str, number: int) -> list[Kind]:
    """As `all_kinds_of`, but those that nobody above the SDK can tell apart take turns from one call to the next."""
    alike = _ALIKE_FOR_READS if operation in READS else _ALIKE
    others = {kind for group in alike for kind in group if kind is not group[number % len(group)]}
    return [kind for kind in all_kinds_of(operation) if kind not in others]


def struck(kind: Kind, sent: Sent, tries: int, answer: Answer, clock: FakeClock) -> Reply:
    """What comes back for try number `tries` (from 1) of a call that meets this kind; raises what botocore would."""
    if kind in _FIRST_TRY_ONLY and tries > 1:
        return answer(sent)
    whole = answer(sent) if kind in _TAKES_EFFECT else Reply()
    match kind:
        case Kind.CRASH_BEFORE | Kind.CRASH_AFTER:
            raise Crash
        case Kind.LOST | Kind.LOST_ONCE | Kind.LATE:
            raise _timed_out(clock)
        case Kind.FAILED | Kind.FAILED_ONCE:
            return error("InternalServerError", 500)
        case Kind.GARBLED:
            text = json.dumps(whole.body).encode()
            return Reply(text[: len(text) // 2])
        case Kind.THROTTLED | Kind.THROTTLED_ONCE:
            return throttled(sent.operation)
        case Kind.PARTIAL | Kind.STARVED:
            return partly(sent, answer)
        case Kind.UNREACHABLE | Kind.OUTAGE | Kind.OUTAGE_OF_IT:
            raise EndpointConnectionError(endpoint_url="https://aws.example", error="refused")


def throttled(operation: str) -> Reply:
    """The refusal that each service has for too many requests."""
    is_transaction = operation == "TransactWriteItems"
    if operation == "SendMessageBatch":
        return error("RequestThrottled", 403)
    if is_transaction:
        return cancelled("ThrottlingError")
    return error("ProvisionedThroughputExceededException")


def cancelled(*codes: str) -> Reply:
    reasons = [{"Code": code, "Message": "so it is"} for code in codes]
    return error("TransactionCanceledException", CancellationReasons=reasons)


def partly(sent: Sent, answer: Answer) -> Reply:
    """The first half takes effect, the rest is left; of a single write nothing, since a transaction is at the item."""
    body = sent.body
    match sent.operation:
        case "BatchWriteItem":
            [(table, requests)] = body["RequestItems"].items()
            done, left = _halves(requests)
            if done:
                answer(replace(sent, body={"RequestItems": {table: done}}))
            return Reply({"UnprocessedItems": {table: left}})
        case "BatchGetItem":
            return _some_keys(sent, answer)
        case "BatchExecuteStatement":
            return _some_statements(sent, answer)
        case "SendMessageBatch":
            return _some_messages(sent, answer)
        case "Query":
            return answer(replace(sent, body={**body, "Limit": 1}))
        case "TransactWriteItems":
            others = ["None"] * (len(body["TransactItems"]) - 1)
            return cancelled("TransactionConflict", *others)
        case _:
            return error("TransactionConflictException")


def _some_keys(sent: Sent, answer: Answer) -> Reply:
    [(table, wanted)] = sent.body["RequestItems"].items()
    done, left = _halves(wanted["Keys"])
    found = {table: []}
    if done:
        asked = {"RequestItems": {table: {**wanted, "Keys": done}}}
        found = answer(replace(sent, body=asked)).body["Responses"]
    return Reply({"Responses": found, "UnprocessedKeys": {table: {**wanted, "Keys": left}}})


def _some_statements(sent: Sent, answer: Answer) -> Reply:
    done, left = _halves(sent.body["Statements"])
    replies = answer(replace(sent, body={"Statements": done})).body["Responses"] if done else []
    refused = {"Error": {"Code": "ThrottlingError", "Message": "so it is"}}
    return Reply({"Responses": [*replies, *(refused for _ in left)]})


def _some_messages(sent: Sent, answer: Answer) -> Reply:
    done, left = _halves(sent.body["Entries"])
    taken = answer(replace(sent, body={**sent.body, "Entries": done})).body["Successful"] if done else []
    failed = [{"Id": each["Id"], "SenderFault": False, "Code": "InternalError"} for each in left]
    return Reply({"Successful": taken, "Failed": failed})


def _halves(entries: list[Any]) -> tuple[list[Any], list[Any]]:
    return entries[: len(entries) // 2], entries[len(entries) // 2 :]


def _timed_out(clock: FakeClock) -> Exception:
    """Nothing came back for as long as the SDK waits."""
    clock.ms += READ_SECONDS * 1000
    return lost()
