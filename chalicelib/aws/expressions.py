"""Our writes in DynamoDB's three dialects: attribute values, condition expressions, PartiQL."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from chalicelib.ports.table import Absent, AllOf, AnyOf, Below, Condition, Is, Item, Key, Lacks, Put, Update

Wire = dict[str, Any]


def to_wire(value: str | int | bytes) -> Wire:
    if isinstance(value, str):
        return {"S": value}
    return {"N": str(value)} if isinstance(value, int) else {"B": b64encode(value).decode()}


def from_wire(value: Mapping[str, Any]) -> str | int | bytes:
    if "S" in value:
        return str(value["S"])
    if "N" in value:
        return int(value["N"])
    raw = value["B"]
    return raw if isinstance(raw, bytes) else b64decode(raw)


def encode(item: Item) -> Wire:
    return {name: to_wire(value) for name, value in item.items()}


def decode(wire: Mapping[str, Any]) -> Item:
    return {name: from_wire(value) for name, value in wire.items()}


def encode_key(key: Key) -> Wire:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


class Expression:
    """Collects names and values while a condition or an update is put into words."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: Wire = {}

    def name(self, attribute: str) -> str:
        placeholder = f"#{attribute}"
        self.names[placeholder] = attribute
        return placeholder

    def value(self, value: str | int | bytes) -> str:
        placeholder = f":v{len(self.values)}"
        self.values[placeholder] = to_wire(value)
        return placeholder

    def condition(self, condition: Condition) -> str:
        match condition:
            case Absent():
                return f"attribute_not_exists({self.name('pk')})"
            case Is(name, value):
                return f"{self.name(name)} = {self.value(value)}"
            case Below(name, value):
                return f"{self.name(name)} < {self.value(value)}"
            case Lacks(name):
                return f"attribute_not_exists({self.name(name)})"
            case AnyOf(parts):
                return "(" + " OR ".join(map(self.condition, parts)) + ")"
            case AllOf(parts):
                return "(" + " AND ".join(map(self.condition, parts)) + ")"

    def update(self, update: Update) -> str:
        clauses = []
        if update.set:
            sets = [f"{self.name(name)} = {self.value(value)}" for name, value in update.set.items()]
            clauses.append("SET " + ", ".join(sets))
        if update.add:
            adds = [f"{self.name(name)} {self.value(amount)}" for name, amount in update.add.items()]
            clauses.append("ADD " + ", ".join(adds))
        if update.remove:
            clauses.append("REMOVE " + ", ".join(map(self.name, update.remove)))
        return " ".join(clauses)

    def arguments(self) -> Wire:
        """ExpressionAttributeNames and -Values, where there are any: DynamoDB refuses empty ones."""
        arguments: Wire = {}
        if self.names:
            arguments["ExpressionAttributeNames"] = self.names
        if self.values:
            arguments["ExpressionAttributeValues"] = self.values
        return arguments


def statement(table: str, write: Put | Update) -> Wire:
    """One statement of a PartiQL batch: an INSERT, which refuses an existing key, or an UPDATE, which needs one.

    The same shape of write gives the same text, so that DynamoDB need not parse it anew.
    """
    if isinstance(write, Put):
        parameters = [to_wire(value) for value in write.item.values()]
        return {"Statement": _insert(table, tuple(write.item)), "Parameters": parameters}
    parameters = [to_wire(value) for value in write.set.values()] + [to_wire(part) for part in write.key]
    text = _update(table, tuple(write.set), write.remove)
    if write.when is not None:
        text += f" AND {_partiql(write.when, parameters)}"
    return {"Statement": text, "Parameters": parameters}


@lru_cache(maxsize=64)
def _insert(table: str, names: tuple[str, ...]) -> str:
    fields = ", ".join(f"'{name}': ?" for name in names)
    return f'INSERT INTO "{table}" VALUE {{{fields}}}'


@lru_cache(maxsize=64)
def _update(table: str, names: tuple[str, ...], removed: tuple[str, ...]) -> str:
    text = f'UPDATE "{table}"' + "".join(f' SET "{name}" = ?' for name in names)  # noqa: S608 - our own names
    return text + "".join(f' REMOVE "{name}"' for name in removed) + ' WHERE "pk" = ? AND "sk" = ?'


def _partiql(condition: Condition, parameters: list[Wire]) -> str:
    match condition:
        case Is(name, value) | Below(name, value):
            parameters.append(to_wire(value))
            return f'"{name}" {"=" if isinstance(condition, Is) else "<"} ?'
        case AllOf(parts):
            return "(" + " AND ".join(_partiql(part, parameters) for part in parts) + ")"
        case AnyOf(parts):
            return "(" + " OR ".join(_partiql(part, parameters) for part in parts) + ")"
        case Absent() | Lacks():
            raise ValueError(
                "an UPDATE statement never meets an absent item, and none needs a missing attribute"
            )
