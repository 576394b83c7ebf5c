"""AWS for one process: requests as botocore would send them, answered by moto's models without the way through HTTP.

moto's own way costs 3 to 20 ms a call, most of it for walks over the service's model; asking its handlers costs 1.
What moto does not have, or does too slowly, stands here, each with its reason.
"""

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.utils import camelcase_to_underscores
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.models.utilities import dynamo_json_dump
from moto.dynamodb.responses import DynamoHandler
from moto.sqs.models import SQSBackend

from chalicelib.aws.expressions import decode
from chalicelib.ports.table import Item
from tests.support.aws import create_tables
from tests.support.lanes import Lane, Message
from tests.support.memory import FakeClock
from tests.support.wire import Reply, Sent, error

ACCOUNT, REGION = "123456789012", "eu-central-1"
_WORDS = re.compile(r'"\w+"|\?')


class MotoAws:
    """Four tables, the lanes' queues, a store of parameters and one of secrets.

    `lanes` are by URL, `names` of tables by ours.
    """

    def __init__(self, clock: FakeClock, lanes: Mapping[str, Lane]) -> None:
        self._clock, self.lanes = clock, dict(lanes)
        self._dynamodb, self._sqs = DynamoDBBackend(REGION, ACCOUNT), SQSBackend(REGION, ACCOUNT)
        self.names = create_tables(_Creator(self._dynamodb))
        for url in self.lanes:
            self._sqs.create_queue(_queue_name(url))
        self._tokens: dict[str, str] = {}
        self.parameters: dict[str, str] = {}
        self.secrets: dict[str, str] = {}

    def answer(self, sent: Sent) -> Reply:
        """What AWS answers to the request, which takes effect."""
        shim = {
            "SendMessageBatch": self._send,
            "BatchExecuteStatement": self._statements,
            "TransactWriteItems": self._transact,
            "GetParameter": self._parameter,
            "GetSecretValue": self._secret,
        }.get(sent.operation)
        return shim(sent.body) if shim else self._ask(sent.operation, sent.body)

    def items(self, table: str) -> list[Item]:
        """Everything in a table, seen from outside: no call is made."""
        stored = self._dynamodb.tables[self.names[table]].items.values()
        return [decode(item.to_json()["Attributes"]) for items in stored for item in items.values()]

    def saved(self) -> Any:
        """All that is stored, for `restore`."""
        tables = {name: table.items for name, table in self._dynamodb.tables.items()}
        lanes = {url: lane.messages for url, lane in self.lanes.items()}
        return copy.deepcopy((tables, lanes, self._tokens))

    def restore(self, saved: Any) -> None:
        """Make it as it was then."""
        tables, lanes, self._tokens = copy.deepcopy(saved)
        for name, items in tables.items():
            self._dynamodb.tables[name].items = items
        for url, messages in lanes.items():
            self.lanes[url].messages = messages

    def _ask(self, operation: str, body: Any) -> Reply:
        handler = _Handler(self._dynamodb, body)
        try:
            answer = getattr(handler, camelcase_to_underscores(operation))().result
        except JsonRESTError as refused:
            return Reply(json.loads(refused.get_body()), int(refused.code))
        return Reply(json.loads(dynamo_json_dump(answer)))

    def _transact(self, body: Any) -> Reply:
        """moto ignores the token by which DynamoDB knows a transaction that it has carried out before."""
        token, items = body["ClientRequestToken"], json.dumps(body["TransactItems"])
        if token in self._tokens:
            same = self._tokens[token] == items
            return Reply() if same else error("IdempotentParameterMismatchException")
        answer = self._ask("TransactWriteItems", body)
        if answer.status == 200:
            self._tokens[token] = items
        return answer

    def _statements(self, body: Any) -> Reply:
        """moto's PartiQL needs another parser, and knows no parameters: each statement is the call it means."""
        return Reply({"Responses": [self._statement(**each) for each in body["Statements"]]})

    def _statement(self, Statement: str, Parameters: list[Any]) -> dict[str, Any]:  # noqa: N803 - as on the wire
        if Statement.startswith("INSERT"):
            operation, asked = "PutItem", _put(Statement, Parameters)
        else:
            operation, asked = "UpdateItem", _update(Statement, Parameters)
        answer = self._ask(operation, asked)
        if answer.status == 200:
            return {"TableName": asked["TableName"]}
        assert answer.body["__type"].endswith("#ConditionalCheckFailedException"), answer.body
        code = "DuplicateItem" if operation == "PutItem" else "ConditionalCheckFailed"
        return {"Error": {"Code": code, "Message": "refused"}, "TableName": asked["TableName"]}

    def _parameter(self, body: Any) -> Reply:
        """moto's parameters need its key service for what is encrypted; these never change."""
        return Reply({"Parameter": {"Name": body["Name"], "Value": self.parameters[body["Name"]]}})

    def _secret(self, body: Any) -> Reply:
        """As for parameters."""
        return Reply({"Name": body["SecretId"], "SecretString": self.secrets[body["SecretId"]]})

    def _send(self, body: Any) -> Reply:
        """moto checks the batch; what it takes lies in a lane then, since its queues know only the machine's clock."""
        lane, name = self.lanes[body["QueueUrl"]], _queue_name(body["QueueUrl"])
        entries = {entry["Id"]: {"MessageAttributes": {}, **entry} for entry in body["Entries"]}
        taken, failed = self._sqs.send_message_batch(name, entries)
        self._sqs.get_queue(name)._messages.clear()
        for message in taken:
            delay_ms = entries[message.user_id]["DelaySeconds"] * 1000
            lane.messages.append(Message(message.body, self._clock.now_ms() + delay_ms))
        sent = [{"Id": each.user_id, "MessageId": each.id} for each in taken]
        return Reply({"Successful": sent, "Failed": failed})


class _Handler(DynamoHandler):  # type: ignore[misc]
    """moto's DynamoDB, given a body instead of a request."""

    def __init__(self, backend: DynamoDBBackend, body: Any) -> None:
        super().__init__()
        self.body, self._backend = body, backend

    @property
    def dynamodb_backend(self) -> DynamoDBBackend:
        return self._backend


class _Table(Table):  # type: ignore[misc]
    """moto copies tables before a transaction, with their streams and indexes; the items are what it can change."""

    def __deepcopy__(self, memo: Any) -> "_Table":
        twin = copy.copy(self)
        twin.items = copy.deepcopy(self.items, memo)
        return twin


class _Creator:
    """As much of a client as `create_tables` needs; without streams, which nobody reads here."""

    def __init__(self, backend: DynamoDBBackend) -> None:
        self._backend = backend

    def create_table(self, **properties: Any) -> None:
        properties.pop("StreamSpecification", None)
        _Handler(self._backend, properties).create_table()
        self._backend.tables[properties["TableName"]].__class__ = _Table


def _queue_name(url: str) -> str:
    return url.rpartition("/")[2]


def _put(statement: str, parameters: list[Any]) -> dict[str, Any]:
    names = re.findall(r"'(\w+)': \?", statement)
    return {
        "TableName": _table(statement),
        "Item": dict(zip(names, parameters, strict=True)),
        "ConditionExpression": "attribute_not_exists(pk)",
    }


def _update(statement: str, parameters: list[Any]) -> dict[str, Any]:
    changes, _, where = statement.partition(' WHERE "pk" = ? AND "sk" = ?')
    changes = changes.partition('"')[2].partition('"')[2]
    sets, removes = re.findall(r'SET "(\w+)" = \?', changes), re.findall(r'REMOVE "(\w+)"', changes)
    key, rest = parameters[len(sets) : len(sets) + 2], parameters[len(sets) + 2 :]
    names, values = {}, {f":s{place}": parameters[place] for place in range(len(sets))}

    def named(found: re.Match[str]) -> str:
        if found[0] == "?":
            values[f":w{len(values)}"] = rest[len(values) - len(sets)]
            return f":w{len(values) - 1}"
        return name(found[0].strip('"'))

    def name(attribute: str) -> str:
        names[f"#{attribute}"] = attribute
        return f"#{attribute}"

    clauses = []
    if sets:
        clauses.append("SET " + ", ".join(f"{name(each)} = :s{place}" for place, each in enumerate(sets)))
    if removes:
        clauses.append("REMOVE " + ", ".join(map(name, removes)))
    condition = f"attribute_exists({name('pk')})" + _WORDS.sub(named, where)
    return {
        "TableName": _table(statement),
        "Key": dict(zip(("pk", "sk"), key, strict=True)),
        "UpdateExpression": " ".join(clauses),
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def _table(statement: str) -> str:
    found = re.search(r'"([^"]+)"', statement)
    assert found, statement
    return found[1]
