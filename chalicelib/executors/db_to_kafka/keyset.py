"""Pages of a query, each after the greatest key of the one before. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from chalicelib.executors.database.placeholders import Parameters, rewritten

MAX_TEXT = 512
"""Characters of a text that can be kept as a place to go on from."""
_PREFIX = "chronos_after_"
_KINDS = (int, float, str, Decimal, date, UUID)
"""What comes back from JSON as the same value of the database. Bytes do not."""


class NotAscending(Exception):
    """The columns do not put the rows in one order. The message is fit for the job's owner."""


@dataclass(frozen=True, slots=True)
class Keyset:
    """A query whose rows have an order by `columns`, which are names that need no escaping."""

    engine: str
    sql: str
    parameters: Parameters
    columns: tuple[str, ...]

    def check(self) -> None:
        """ValueError unless placeholders and parameters fit."""
        sql, parameters = self.page([1] * len(self.columns), 1)
        rewritten(sql, self.engine, parameters, lambda number: f"?{number}")

    def page(self, after: Sequence[Any] | None, limit: int) -> tuple[str, Parameters]:
        """The statement for the first rows after a key, and its parameters; for the first rows of all if it is None."""
        named = not isinstance(self.parameters, Sequence)
        marks = [f":{_PREFIX}{index}" if named else "?" for index in range(len(self.columns))]
        where, places = self._after(marks) if after is not None else ("", [])
        order = ", ".join(map(self._quoted, self.columns))
        inner = self.sql.rstrip().rstrip(";")
        sql = f"SELECT * FROM (\n{inner}\n) AS chronos_rows{where} ORDER BY {order} LIMIT {limit}"  # noqa: S608 - names are checked
        return sql, self._with([after[place] for place in places] if after is not None else [], places)

    def _after(self, marks: list[str]) -> tuple[str, list[int]]:
        """The condition, and which value of the key each of its placeholders stands for."""
        names = list(map(self._quoted, self.columns))
        if self.engine != "mysql":
            return f" WHERE ({', '.join(names)}) > ({', '.join(marks)})", list(range(len(names)))
        parts: list[str] = []
        places: list[int] = []
        for last in range(len(names)):  # MySQL finds rows by an index only if the comparison is spelled out
            equal = [f"{names[index]} = {marks[index]}" for index in range(last)]
            parts.append("(" + " AND ".join([*equal, f"{names[last]} > {marks[last]}"]) + ")")
            places += range(last + 1)
        return f" WHERE {' OR '.join(parts)}", places

    def _with(self, values: list[Any], places: list[int]) -> Parameters:
        if self.parameters is not None and not isinstance(self.parameters, Mapping):
            return [*self.parameters, *values]
        named = {f"{_PREFIX}{place}": value for place, value in zip(places, values, strict=True)}
        if self.parameters is None and not named:
            return None
        return {**(self.parameters or {}), **named}

    def _quoted(self, name: str) -> str:
        return f"`{name}`" if self.engine == "mysql" else f'"{name}"'


def key_of(row: Mapping[str, Any], columns: Sequence[str], engine: str) -> tuple[Any, ...]:
    """The row's key. NotAscending if a column is not there, NULL, or of a kind that has no place in an order."""
    for column in columns:
        if column not in row:
            raise NotAscending(f"The query's result has no column {column!r}.")
        value = row[column]
        if value is None:
            raise NotAscending(f"The column {column!r} is NULL in some row, so that there is no order.")
        if isinstance(value, bool) or not isinstance(value, _KINDS) or _is_inexact(value, engine):
            raise NotAscending(
                f"The column {column!r} is of a type that cannot be kept as a place to go on from."
            )
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise NotAscending(f"The column {column!r} has text over {MAX_TEXT} characters in some row.")
    return tuple(row[column] for column in columns)


def _is_inexact(value: Any, engine: str) -> bool:
    """MySQL compares decimals with text as floating point, which would leave out rows."""
    return engine == "mysql" and isinstance(value, Decimal)


def check_distinct(keys: Sequence[tuple[Any, ...]]) -> None:
    """NotAscending if two rows in a row have one key: the second might be left out at the end of a page."""
    if any(first == second for first, second in pairwise(keys)):
        raise NotAscending(
            "Two rows have the same values in incremental.columns; add a column that tells them apart."
        )
