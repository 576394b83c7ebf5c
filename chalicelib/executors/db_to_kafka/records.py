"""Rows as Kafka's messages. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.executors.db_to_kafka.keyset import NotAscending
from chalicelib.executors.db_to_kafka.spec import Config
from chalicelib.executors.json_values import encoded


@dataclass(frozen=True, slots=True)
class Record:
    """A message."""

    key: bytes | None
    value: bytes


def record_of(row: Mapping[str, Any], config: Config) -> Record:
    """The row's message. NotAscending if a column that it is made of is not there."""
    for column in (*config.key_columns, *([config.value_column] if config.value_column else [])):
        if column not in row:
            raise NotAscending(f"The query's result has no column {column!r}.")
    value = row if config.value_column is None else row[config.value_column]
    return Record(_key([row[column] for column in config.key_columns]), _bytes(value))


def _key(values: list[Any]) -> bytes | None:
    if not values or values == [None]:
        return None
    return _bytes(values[0]) if len(values) == 1 else encoded(values)


def _bytes(value: Any) -> bytes:
    return value.encode("utf-8", "replace") if isinstance(value, str) else encoded(value)
