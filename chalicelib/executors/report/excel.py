"""Tables as a workbook: a sheet each, text as text and numbers as numbers, never a formula or a link."""

import io
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import xlsxwriter

from chalicelib.executors.report.tables import Figure, Report, Table, Value

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MAX_WIDTH = 60
_EXACT_DIGITS = 15
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\]")
_OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def rendered(report: Report, look: Callable[[], None]) -> bytes:
    """The file. `look` is called now and then, and may raise."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, _OPTIONS)
    book.set_properties({"title": report.title, "subject": report.subtitle})
    bold = book.add_format({"bold": True, "bottom": 1})
    taken: set[str] = set()
    for table in report.tables:
        sheet = book.add_worksheet(_sheet_name(table.title, taken))
        _fill(sheet, table, bold, look)
        if table.figure is not None:
            _draw(book, sheet, table, table.figure)
    book.close()
    return file.getvalue()


def _fill(sheet: Any, table: Table, bold: Any, look: Callable[[], None]) -> None:
    for place, title in enumerate(table.titles):
        sheet.write_string(0, place, title, bold)
    for number, row in enumerate(table.rows, start=1):
        if number % 1000 == 1:
            look()
        for place, value in enumerate(row):
            _write(sheet, number, place, value)
    for place, title in enumerate(table.titles):
        longest = max((len(str(row[place])) for row in table.rows[:200]), default=0)
        sheet.set_column(place, place, min(_MAX_WIDTH, max(longest, len(title)) + 2))
    sheet.freeze_panes(1, 0)
    if table.rows and table.titles:
        sheet.autofilter(0, 0, len(table.rows), len(table.titles) - 1)


def _write(sheet: Any, number: int, place: int, value: Value) -> None:
    if isinstance(value, int | float | Decimal) and _is_exact(value):
        sheet.write_number(number, place, float(value))
    elif value is not None:
        sheet.write_string(number, place, str(value))


def _is_exact(value: float | Decimal) -> bool:
    """Excel keeps 15 digits: a longer number, such as an account's, is text."""
    return isinstance(value, float) or len(Decimal(value).as_tuple().digits) <= _EXACT_DIGITS


def _sheet_name(title: str, taken: set[str]) -> str:
    """As Excel allows them: at most 31 characters, each once."""
    plain = _NOT_IN_NAMES.sub(" ", title).strip(" '")[:31] or "Sheet"
    name, number = plain, 1
    while name.lower() in taken or name.lower() == "history":
        number += 1
        name = f"{plain[:28]} {number}"
    taken.add(name.lower())
    return name


def _draw(book: Any, sheet: Any, table: Table, figure: Figure) -> None:
    """From numbers of its own, on a hidden sheet: the table may not show the chart's fields."""
    data = book.add_worksheet(f"Chart {len(book.worksheets())}")
    data.hide()
    for row, label in enumerate(figure.labels):
        data.write_string(row, 0, label)
    chart = book.add_chart({"type": {"bar": "column"}.get(figure.kind, figure.kind)})
    last = max(0, len(figure.labels) - 1)
    for place, series in enumerate(figure.series, start=1):
        data.write_column(0, place, series.numbers)
        values = [data.get_name(), 0, place, last, place]
        chart.add_series(
            {"name": series.name, "categories": [data.get_name(), 0, 0, last, 0], "values": values}
        )
    chart.set_title({"name": table.title})
    sheet.insert_chart(1, len(table.titles) + 1, chart)
