"""The four tables on DynamoDB."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from chalicelib.aws.backoff import tries, while_contended
from chalicelib.aws.expressions import Expression, decode, encode, encode_key, from_wire, statement, to_wire
from chalicelib.aws.faults import PASSING, reasons, refusal, translated
from chalicelib.domain.errors import Unavailable
from chalicelib.ports.fan import Fan
from chalicelib.ports.table import (
    Check,
    ConditionFailed,
    Delete,
    Item,
    Key,
    Page,
    Put,
    TableName,
    Update,
    Write,
)

GET_BATCH, WRITE_BATCH, STATEMENT_BATCH = 100, 25, 25
INDEX_KEYS = {
    "lists": ("lpk", "lsk"),
    "by_job": ("job", "sk"),
    "dead": ("dead_pk", "dead_sk"),
    "by_shard": ("shard", "roster"),
}


class AwsTable:
    """One table. Batches larger than a call are split, and sent several at once as `fan` allows."""

    def __init__(self, client: Any, name: str, fan: Fan, sleep: Callable[[float], None]) -> None:
        self._client, self.name, self._fan, self._sleep = client, name, fan, sleep

    def get(self, key: Key) -> Item | None:
        with translated("DynamoDB"):
            answer = self._client.get_item(TableName=self.name, Key=encode_key(key), ConsistentRead=True)
        return decode(answer["Item"]) if answer.get("Item") else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        found: dict[Key, Item] = {}
        for items in self._fan(self._get_batch, _chunks(dict.fromkeys(keys), GET_BATCH)):
            found.update({(str(item["pk"]), str(item["sk"])): item for item in items})
        return found

    def query(
        self,
        pk: str,
        *,
        low: str = "",
        high: str = "",
        limit: int = 1000,
        backwards: bool = False,
        after: str | None = None,
    ) -> Page:
        ranged = _sort_range(pk, low, high)
        start = {"ExclusiveStartKey": encode_key((pk, after))} if after is not None else {}
        items: list[Item] = []
        while True:
            with translated("DynamoDB"):
                answer = self._client.query(
                    TableName=self.name,
                    ConsistentRead=True,
                    Limit=limit - len(items),
                    ScanIndexForward=not backwards,
                    **ranged,
                    **start,
                )
            # BETWEEN includes its upper bound; ours does not.
            items += [item for item in map(decode, answer["Items"]) if not high or str(item["sk"]) < high]
            last = answer.get("LastEvaluatedKey")
            if last is None or len(items) >= limit:
                return Page(items, str(from_wire(last["sk"])) if last else None)
            start = {"ExclusiveStartKey": last}

    def query_index(
        self, index: str, value: str, *, limit: int, backwards: bool = False, after: Item | None = None
    ) -> tuple[list[Key], Item | None]:
        rows, following = self._index_page(index, value, limit=limit, backwards=backwards, after=after)
        return [(row["pk"]["S"], row["sk"]["S"]) for row in rows], following

    def index_rows(
        self, index: str, value: str, *, limit: int, after: Item | None = None
    ) -> tuple[list[Item], Item | None]:
        rows, following = self._index_page(index, value, limit=limit, backwards=False, after=after)
        return [decode(row) for row in rows], following

    def _index_page(
        self, index: str, value: str, *, limit: int, backwards: bool, after: Item | None
    ) -> tuple[list[dict[str, Any]], Item | None]:
        """One page, of at most 1 MB."""
        start = {"ExclusiveStartKey": encode(after)} if after else {}
        with translated("DynamoDB"):
            answer = self._client.query(
                TableName=self.name,
                IndexName=index,
                Limit=limit,
                ScanIndexForward=not backwards,
                KeyConditionExpression="#h = :h",
                ExpressionAttributeNames={"#h": INDEX_KEYS[index][0]},
                ExpressionAttributeValues={":h": to_wire(value)},
                **start,
            )
        last = answer.get("LastEvaluatedKey")
        return answer["Items"], decode(last) if last else None

    def write(self, write: Write) -> Item:
        expression = Expression()
        target: dict[str, Any]
        arguments: dict[str, Any] = {"TableName": self.name}
        if write.when is not None:
            arguments["ConditionExpression"] = expression.condition(write.when)
            arguments["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        match write:
            case Put(item):
                call, target = self._client.put_item, {"Item": encode(item)}
            case Update(key):
                call, target = self._client.update_item, {"Key": encode_key(key), "ReturnValues": "ALL_NEW"}
                arguments["UpdateExpression"] = expression.update(write)
            case Delete(key):
                call, target = self._client.delete_item, {"Key": encode_key(key)}
        arguments |= {**target, **expression.arguments()}
        answer = while_contended(lambda: _conditional(call, arguments), self._sleep)
        return dict(write.item) if isinstance(write, Put) else decode(answer.get("Attributes", {}))

    def write_each(self, writes: Sequence[Write]) -> list[bool]:
        if len(writes) == 1:
            return [self._held(writes[0])]
        return [
            held
            for batch in self._fan(self._run_statements, _chunks(writes, STATEMENT_BATCH))
            for held in batch
        ]

    def put_all(self, items: Iterable[Item]) -> None:
        self._write_batches([{"PutRequest": {"Item": encode(item)}} for item in items])

    def delete_all(self, keys: Iterable[Key]) -> None:
        self._write_batches([{"DeleteRequest": {"Key": encode_key(key)}} for key in keys])

    def _held(self, write: Write) -> bool:
        try:
            self.write(write)
        except ConditionFailed:
            return False
        return True

    def _get_batch(self, keys: Sequence[Key]) -> list[Item]:
        wanted = [encode_key(key) for key in keys]
        found: list[Item] = []
        for _ in tries(self._sleep):
            with translated("DynamoDB"):
                answer = self._client.batch_get_item(
                    RequestItems={self.name: {"Keys": wanted, "ConsistentRead": True}}
                )
            found += map(decode, answer["Responses"].get(self.name, ()))
            wanted = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
            if not wanted:
                return found
        raise Unavailable("DynamoDB refused a part of a batch of reads again and again.")

    def _write_batches(self, requests: Sequence[Mapping[str, Any]]) -> None:
        self._fan(self._write_batch, _chunks(requests, WRITE_BATCH))

    def _write_batch(self, requests: Sequence[Mapping[str, Any]]) -> None:
        rest: Sequence[Mapping[str, Any]] = requests
        for _ in tries(self._sleep):
            with translated("DynamoDB"):
                answer = self._client.batch_write_item(RequestItems={self.name: rest})
            rest = answer.get("UnprocessedItems", {}).get(self.name, ())
            if not rest:
                return
        raise Unavailable("DynamoDB refused a part of a batch of writes again and again.")

    def _run_statements(self, writes: Sequence[Put | Update]) -> list[bool]:
        held: dict[int, bool | None] = dict.fromkeys(range(len(writes)))
        for _ in tries(self._sleep):
            todo = [number for number, known in held.items() if known is None]
            statements = [statement(self.name, writes[number]) for number in todo]
            with translated("DynamoDB"):
                answers = self._client.batch_execute_statement(Statements=statements)["Responses"]
            held.update(zip(todo, map(_held, answers), strict=True))
            if None not in held.values():
                return [known is True for known in held.values()]
        raise Unavailable("DynamoDB refused a part of a batch of statements again and again.")


class AwsDatabase:
    """The tables by their names in the account, and transactions over them."""

    def __init__(
        self, client: Any, names: Mapping[TableName, str], fan: Fan, sleep: Callable[[float], None]
    ) -> None:
        self._client, self._names, self._sleep = client, dict(names), sleep
        self.catalog, self.timers, self.runs, self.audit = (
            AwsTable(client, names[name], fan, sleep) for name in ("catalog", "timers", "runs", "audit")
        )

    def transact(self, *writes: tuple[TableName, Write | Check]) -> None:
        items = [_transact_item(self._names[name], write) for name, write in writes]
        arguments = {"TransactItems": items}
        while_contended(lambda: _conditional(self._client.transact_write_items, arguments), self._sleep)


def _conditional(call: Callable[..., dict[str, Any]], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The call's answer. ConditionFailed if a condition of it does not hold, whatever else is wrong."""
    from botocore.exceptions import ClientError

    with translated("DynamoDB"):
        try:
            return call(**arguments)
        except ClientError as error:
            refused = [each for each in reasons(error.response) if each["Code"] == "ConditionalCheckFailed"]
            if error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
                refused.append(error.response)
            if not refused:
                raise
            existing = refused[0].get("Item")
            raise ConditionFailed(decode(existing) if existing else None) from error


def _held(answer: Mapping[str, Any]) -> bool | None:
    """Whether a statement's condition held; None if it is to be sent again. Refused if it cannot be carried out."""
    error = answer.get("Error")
    if error is None:
        return True
    code = error.get("Code", "")
    if code in ("DuplicateItem", "ConditionalCheckFailed"):
        return False
    if code in PASSING:
        return None
    raise refusal("DynamoDB", [code], error.get("Message", ""))


def _transact_item(table: str, write: Write | Check) -> dict[str, Any]:
    expression = Expression()
    body: dict[str, Any] = {"TableName": table}
    if write.when is not None:
        body["ConditionExpression"] = expression.condition(write.when)
        body["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    match write:
        case Put(item):
            operation, body["Item"] = "Put", encode(item)
        case Update(key):
            operation, body["Key"] = "Update", encode_key(key)
            body["UpdateExpression"] = expression.update(write)
        case Delete(key):
            operation, body["Key"] = "Delete", encode_key(key)
        case Check(key):
            operation, body["Key"] = "ConditionCheck", encode_key(key)
    return {operation: {**body, **expression.arguments()}}


def _sort_range(pk: str, low: str, high: str) -> dict[str, Any]:
    values = {":p": to_wire(pk)}
    text = "pk = :p"
    if low and high:
        text += " AND sk BETWEEN :l AND :h"
    elif low:
        text += " AND sk >= :l"
    elif high:
        text += " AND sk < :h"
    values |= {name: to_wire(bound) for name, bound in ((":l", low), (":h", high)) if bound}
    return {"KeyConditionExpression": text, "ExpressionAttributeValues": values}


def _chunks(items: Iterable[Any], size: int) -> Iterable[list[Any]]:
    rest = iter(items)
    return iter(lambda: list(islice(rest, size)), [])
