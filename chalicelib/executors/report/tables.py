"""Tables as every format shows them: titles, rows of plain values, and the numbers of a chart. Pure."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from chalicelib.executors.report.spec import Chart

MAX_CELL = 2_000
"""Characters of a cell; what is longer is cut."""
MAX_CHART_ROWS = 50
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class TooMuch(Exception):
    """A format cannot hold the report. The message is fit for the job's owner."""


Value = str | int | float | Decimal | None


@dataclass(frozen=True, slots=True)
class Series:
    """The numbers of one field."""

    name: str
    numbers: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """What a chart shows."""

    kind: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A section of the report, ready to be shown."""

    title: str
    titles: tuple[str, ...]
    rows: Sequence[tuple[Value, ...]]
    figure: Figure | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All that a format needs. `subtitle` says of when it is."""

    title: str
    subtitle: str
    tables: tuple[Table, ...]
    landscape: bool = False

    @property
    def rows(self) -> int:
        return sum(len(table.rows) for table in self.tables)


def value_of(value: Any) -> Value:
    """A cell's value: numbers stay numbers, all else becomes text that can be printed."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return value if value.is_finite() else str(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return printable(str(value))


def printable(text: str) -> str:
    """Without control characters and halves of characters, and not endless."""
    return _UNPRINTABLE.sub("\ufffd", text[:MAX_CELL])


def shown(value: Value) -> str:
    """A cell's text."""
    return "" if value is None else str(value)


def figure_of(chart: Chart, fields: Sequence[str], rows: Sequence[Sequence[Value]]) -> Figure:
    """The chart of the first rows. LookupError for a field that there is not, ValueError for what is no number."""
    some = rows[:MAX_CHART_ROWS]
    labels = tuple(shown(row[_place(fields, chart.labels)])[:40] for row in some)
    return Figure(
        chart.kind,
        labels,
        tuple(
            Series(name, tuple(_number(name, row[_place(fields, name)]) for row in some))
            for name in chart.values
        ),
    )


def _place(fields: Sequence[str], name: str) -> int:
    if name not in fields:
        raise LookupError(name)
    return fields.index(name)


def _number(name: str, value: Value) -> float:
    try:
        number = float(Decimal(str(value or 0)))
    except (InvalidOperation, OverflowError) as error:
        raise ValueError(name) from error
    if not math.isfinite(number):
        raise ValueError(name)
    return number
