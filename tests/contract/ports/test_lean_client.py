"""What our lean client writes and reads, beside the stock one: the same requests, the same answers, the same errors."""

import inspect
import re
from base64 import b64decode
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import get_session

from chalicelib.aws import dynamodb, sqs
from chalicelib.aws.clients import ATTEMPTS
from chalicelib.ports.queue import Outgoing
from chalicelib.ports.table import (
    PRESENT,
    Absent,
    Below,
    Delete,
    Is,
    Item,
    Put,
    Update,
    all_of,
    any_of,
)
from tests.support.aws import ACCESS
from tests.support.wire import Reply, ScriptedAws, ScriptedPorts, Sent, error, without_waits

KEY = ("p#ü", "s")
ITEM: Item = {
    "pk": "p#ü",
    "sk": "s",
    "text": 'a "quote"\n\u2028 ü \U0001f552',
    "n": -(10**30),
    "raw": bytes(range(256)),
}
EMPTY: Item = {"pk": "p", "sk": "s", "text": "", "raw": b"", "n": 0}
MINE = all_of(Is("owner", "me"), any_of(Absent(), Below("lease", 5)))

WIRE_KEY = {"pk": {"S": "p"}, "sk": {"S": "s"}}
WIRE_ITEM = {**WIRE_KEY, "n": {"N": "7"}, "raw": {"B": "AP8="}, "text": {"S": "\u2028 ü"}, "none": {"S": ""}}
CAPACITY = {"TableName": "t-runs", "CapacityUnits": 0.5}

Call = Callable[[ScriptedPorts], Any]
CALLS: list[tuple[str, Call, dict[str, Any]]] = [
    ("GetItem", lambda p: p.table.get(KEY), {"Item": WIRE_ITEM, "ConsumedCapacity": CAPACITY}),
    ("GetItem", lambda p: p.table.get(("p", "nothing")), {}),
    (
        "BatchGetItem",
        lambda p: p.table.get_many([KEY, ("p", "s")]),
        {"Responses": {"t-runs": [WIRE_ITEM, WIRE_KEY]}, "UnprocessedKeys": {}},
    ),
    (
        "Query",
        lambda p: p.table.query("p", low="a", high="z", limit=1, backwards=True, after="y"),
        {"Items": [WIRE_ITEM], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": WIRE_KEY},
    ),
    ("Query", lambda p: p.table.query("p"), {"Items": [], "Count": 0, "ScannedCount": 0}),
    (
        "Query",
        lambda p: p.table.query_index("by_job", "j", limit=2, after={"pk": "p", "sk": "s", "job": "j"}),
        {"Items": [WIRE_KEY], "Count": 1, "ScannedCount": 1},
    ),
    ("PutItem", lambda p: p.table.write(Put(ITEM)), {}),
    ("PutItem", lambda p: p.table.write(Put(EMPTY, Absent())), {"ConsumedCapacity": CAPACITY}),
    (
        "UpdateItem",
        lambda p: p.table.write(Update(KEY, {"a": 1, "raw": b"\x00"}, {"n": 2}, ("old",), MINE)),
        {"Attributes": WIRE_ITEM},
    ),
    ("DeleteItem", lambda p: p.table.write(Delete(KEY, Is("owner", "me"))), {}),
    ("BatchWriteItem", lambda p: p.table.put_all([ITEM, EMPTY]), {"UnprocessedItems": {}}),
    (
        "BatchWriteItem",
        lambda p: p.table.delete_all([KEY]),
        {"UnprocessedItems": {}, "ConsumedCapacity": [CAPACITY]},
    ),
    (
        "BatchExecuteStatement",
        lambda p: p.table.write_each([Put(ITEM, Absent()), Update(KEY, {"raw": b"\xff"}, when=PRESENT)]),
        {
            "Responses": [
                {"TableName": "t-runs"},
                {
                    "TableName": "t-runs",
                    "Error": {"Code": "ConditionalCheckFailed", "Message": "no", "Item": WIRE_ITEM},
                },
            ]
        },
    ),
    (
        "TransactWriteItems",
        lambda p: p.db.transact(
            ("runs", Put(ITEM, Absent())), ("timers", Delete(KEY, MINE)), ("audit", Update(KEY, {"a": ""}))
        ),
        {},
    ),
    (
        "SendMessageBatch",
        lambda p: p.lane.send([Outgoing('["ü", "\\u0000"]', 900), Outgoing("b")]),
        {
            "Successful": [
                {"Id": "0", "MessageId": "m0", "MD5OfMessageBody": "3bbdde6e6ca0c69fa21ac3e3cb6d4ea5"},
                {"Id": "1", "MessageId": "m1", "MD5OfMessageBody": "92eb5ffee6ae2fec3ad71c777531578f"},
            ]
        },
    ),
]
IDS = [f"{operation}-{number}" for number, (operation, *_) in enumerate(CALLS)]
every_call = pytest.mark.parametrize(("operation", "call", "answer"), CALLS, ids=IDS)
VOLATILE = {"authorization", "x-amz-date", "user-agent", "amz-sdk-invocation-id", "amz-sdk-request"}


def sent_by_us(call: Call, answer: dict[str, Any]) -> tuple[Sent, dict[str, Any]]:
    """The one request that an adapter's call makes, and the parameters that it gave to the client."""
    ports = ScriptedPorts(Reply(answer))
    given: list[dict[str, Any]] = []
    for client in (ports.db._client, ports.lane._client):
        client.meta.events.register("provide-client-params", lambda params, **_: given.append(dict(params)))
    call(ports)
    ((sent,), (parameters,)) = ports.sent, given
    return sent, parameters


stock_session = cache(get_session)


def stock(service: str, script: ScriptedAws) -> Any:
    """botocore's client as it comes, with its checks of parameters."""
    retries = Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS})
    return script.attach(without_waits(stock_session().create_client(service, config=retries, **ACCESS)))


def service_of(operation: str) -> str:
    return "sqs" if operation == "SendMessageBatch" else "dynamodb"


def with_bytes(value: Any) -> Any:
    """As botocore wants and gives blobs: bytes, where ours are base64."""
    if isinstance(value, list):
        return [with_bytes(each) for each in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("B"), str):
        return {"B": b64decode(value["B"])}
    return {name: with_bytes(each) for name, each in value.items()}


def lasting(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name.lower() not in VOLATILE}


@every_call
def test_our_request_is_the_one_that_the_stock_client_makes(
    operation: str, call: Call, answer: dict[str, Any]
) -> None:
    ours, parameters = sent_by_us(call, answer)
    script = ScriptedAws([Reply(answer)])
    getattr(stock(service_of(operation), script), xform_name(operation))(**with_bytes(parameters))
    (theirs,) = script.sent
    assert ours.operation == theirs.operation == operation
    assert without_token(ours) == without_token(theirs)
    assert lasting(ours.headers) == lasting(theirs.headers)


def without_token(sent: Sent) -> dict[str, Any]:
    """The body without the random part of a transaction's, which must be there."""
    body = dict(sent.body)
    if sent.operation == "TransactWriteItems":
        assert len(body.pop("ClientRequestToken")) == 36
    return body


def asked(operation: str, call: Call, answer: dict[str, Any], reply: Reply) -> tuple[Any, Any]:
    """What our client and the stock one give, or raise, when the call of this operation is answered so."""
    _, parameters = sent_by_us(call, answer)
    service, name = service_of(operation), xform_name(operation)
    ours, theirs = (ScriptedAws([reply] * ATTEMPTS) for _ in range(2))
    return (
        outcome(lambda: getattr(ours.client(service), name)(**parameters)),
        outcome(lambda: getattr(stock(service, theirs), name)(**with_bytes(parameters))),
    )


def outcome(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except ClientError as raised:
        return type(raised).__name__, str(raised), raised.operation_name, raised.response


@every_call
def test_we_read_an_answer_as_the_stock_client_does(
    operation: str, call: Call, answer: dict[str, Any]
) -> None:
    ours, theirs = asked(operation, call, answer, Reply(answer))
    assert with_bytes(ours) == theirs
    assert {name: value for name, value in ours.items() if name != "ResponseMetadata"} == answer


REASONS = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Message": "no", "Item": WIRE_ITEM}]
QUERY_ERROR = {"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"}
ERRORS = {
    "condition": error("ConditionalCheckFailedException", Item=WIRE_ITEM),
    "condition without an item": error("ConditionalCheckFailedException"),
    "transaction": error("TransactionCanceledException", CancellationReasons=REASONS),
    "throttled": error("ThrottlingException"),
    "denied": error("AccessDeniedException", Message="User: x is not authorized"),
    "invalid": error("ValidationException"),
    "broken": error("InternalServerError", 500),
    "a code of another kind": Reply({"__type": "SerializationException:http://internal.amazon.com/"}, 400),
    "no such queue": Reply({"__type": "com.amazonaws.sqs#QueueDoesNotExist"}, 400, QUERY_ERROR),
    "a proxy's page": Reply(b"<html><body>502</body></html>", 502),
    "an empty page": Reply(b"", 503),
    "no JSON": Reply(b"forbidden", 403),
}


@every_call
@pytest.mark.parametrize("name", ERRORS)
def test_we_read_an_error_as_the_stock_client_does(
    operation: str, call: Call, answer: dict[str, Any], name: str
) -> None:
    ours, theirs = asked(operation, call, answer, ERRORS[name])
    assert isinstance(ours, tuple), "the call failed"
    assert ours == theirs


def test_every_operation_of_the_adapters_is_compared() -> None:
    sources = [Path(inspect.getfile(module)).read_text() for module in (dynamodb, sqs)]
    used = {name for source in sources for name in re.findall(r"_client\.([a-z_]+)", source)}
    assert used == {xform_name(operation) for operation, *_ in CALLS}
