"""Tables as one HTML page without scripts, links or anything to fetch: also a browser is told so."""

from collections.abc import Callable
from decimal import Decimal
from html import escape

from reportlab.graphics import renderSVG

from chalicelib.executors.report.charts import drawing_of
from chalicelib.executors.report.tables import Figure, Report, Table, Value, printable, shown

MEDIA_TYPE = "text/html; charset=utf-8"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 1em}"
    "table{border-collapse:collapse;margin:1em 0}th,td{border-bottom:1px solid #ccc;padding:.25em .6em;"
    "text-align:left;vertical-align:top;white-space:pre-wrap}th{background:#eef2f7}td.n{text-align:right}"
    "svg{max-width:100%;height:auto}"
)


def rendered(report: Report, look: Callable[[], None]) -> bytes:
    """The file. `look` is called now and then, and may raise."""
    title, parts = escape(report.title), []
    for table in report.tables:
        look()
        parts += [f"<h2>{escape(table.title)}</h2>", _figure(table.figure), *_rows(table, look)]
    head = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><style>{_STYLE}</style></head>'
    )
    body = "".join(parts)
    return f"{head}<body><h1>{title}</h1><p>{escape(report.subtitle)}</p>{body}</body></html>\n".encode()


def _figure(figure: Figure | None) -> str:
    if figure is None or not figure.labels:
        return ""
    drawn: str = renderSVG.drawToString(drawing_of(figure, printable, "Helvetica"))
    return drawn[drawn.index("<svg") :]


def _rows(table: Table, look: Callable[[], None]) -> list[str]:
    if not table.rows:
        return ["<p>No rows.</p>"]
    lines = [
        "<table><thead><tr>",
        *(f"<th>{escape(title)}</th>" for title in table.titles),
        "</tr></thead><tbody>",
    ]
    for number, row in enumerate(table.rows):
        if number % 1000 == 0:
            look()
        lines += ["<tr>", *map(_cell, row), "</tr>\n"]
    return [*lines, "</tbody></table>"]


def _cell(value: Value) -> str:
    if isinstance(value, int | float | Decimal):
        return f'<td class="n">{value}</td>'
    return f"<td>{escape(shown(value))}</td>"
