"""A table as CSV (RFC 4180, in UTF-8), in which no spreadsheet finds a formula."""

import csv
import io
from collections.abc import Callable

from chalicelib.executors.report.tables import Report, Value, shown

MEDIA_TYPE = "text/csv; charset=utf-8"
_BEGIN_FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def rendered(report: Report, look: Callable[[], None]) -> bytes:
    """The file. `look` is called now and then, and may raise."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    (table,) = report.tables
    writer.writerow([inert(title) for title in table.titles])
    for number, row in enumerate(table.rows):
        if number % 1000 == 0:
            look()
        writer.writerow([inert(value) for value in row])
    return text.getvalue().encode()


def inert(value: Value) -> str:
    """The cell's text; one that a spreadsheet would calculate gets a quote before it. Numbers stay numbers."""
    text = shown(value)
    if isinstance(value, str) and text.lstrip(" \u00a0").startswith(_BEGIN_FORMULAS):
        return f"'{text}"
    return text
