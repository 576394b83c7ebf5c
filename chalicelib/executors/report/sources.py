"""Reads a section's rows: from a query, a JSON document, or the tenant's runs. In bounds of rows and bytes."""

import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed
from chalicelib.domain.zones import zone
from chalicelib.executors.base import Call
from chalicelib.executors.database.opening import Wanted, session
from chalicelib.executors.database.session import TooLate
from chalicelib.executors.database.values import as_json, distinct
from chalicelib.executors.http.transport import adapter
from chalicelib.executors.report.origins import DAY_MS, MAX_DAYS, FromQuery, FromRuns, FromUrl
from chalicelib.executors.report.runs import ROW_FIELDS, Row, by_day, by_job, row_of
from chalicelib.executors.report.spec import MAX_COLUMNS, Section
from chalicelib.executors.report.tables import Table, Value, figure_of, shown, value_of
from chalicelib.ports.run_history import MAX_LOOKED_AT, PastRun, TooManyRuns, WantedRuns

MAX_DOCUMENT_BYTES = 8_388_608
MAX_TEXT = 16_777_216
"""Characters of a section's cells together."""

Rows = list[tuple[Value, ...]]


class NoReport(Exception):
    """A report cannot be made of this. `failed` says why."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.message)
        self.failed = failed


def refused(message: str, kind: str = "output") -> NoReport:
    """What will be no better at another try."""
    return NoReport(Failed(kind, message, retryable=False))


def table_of(call: Call, section: Section) -> Table:
    """The section's table. NoReport, TooLate, ForbiddenTarget, and what databases raise."""
    source = section.source
    match source:
        case FromQuery():
            fields, rows = _of_query(call, source, section)
        case FromUrl():
            fields, rows = _of_url(call, source, section)
        case FromRuns():
            fields, rows = _of_runs(call, source, section)
    figure = None
    if section.chart is not None:
        try:
            figure = figure_of(section.chart, fields, rows)
        except LookupError as error:
            raise refused(
                f"{section.title}: the chart's field {error.args[0]!r} is not in the source."
            ) from error
        except ValueError as error:
            raise refused(f"{section.title}: the chart's field {error} has what is no number.") from error
    return _chosen(section, fields, rows, figure)


def _chosen(section: Section, fields: Sequence[str], rows: Rows, figure: Any) -> Table:
    if section.columns is None:
        return Table(section.title, tuple(fields[:MAX_COLUMNS]), [row[:MAX_COLUMNS] for row in rows], figure)
    missing = [column.field for column in section.columns if column.field not in fields]
    if missing and rows:
        raise refused(f"{section.title}: the source has no field {missing[0]!r}.")
    places = [fields.index(column.field) for column in section.columns if column.field in fields]
    titles = tuple(column.title or column.field for column in section.columns)
    return Table(section.title, titles, [tuple(row[place] for place in places) for row in rows], figure)


def _of_query(call: Call, source: FromQuery, section: Section) -> tuple[list[str], Rows]:
    with session(call, source.connection, Wanted(read_only=True)) as opened:
        answer = opened.run(source.query.sql, source.query.parameters)
        if not answer.columns:
            raise refused(f"{section.title}: the query returns no rows.")
        rows = _bounded(section, (tuple(map(_plain, row)) for row in answer.rows))
        return distinct(answer.columns), rows


def _plain(value: Any) -> Value:
    return value_of(value if isinstance(value, Decimal) else as_json(value))


def _bounded(section: Section, rows: Iterable[tuple[Value, ...]]) -> Rows:
    found: Rows = []
    size = 0
    for row in rows:
        found.append(row)
        size += sum(len(shown(value)) for value in row)
        if len(found) > section.max_rows:
            raise refused(f"{section.title}: there are more than {section.max_rows} rows.")
        if size > MAX_TEXT:
            raise refused(f"{section.title}: its rows are larger than 16 MB.")
    return found


def _of_url(call: Call, source: FromUrl, section: Section) -> tuple[list[str], Rows]:
    items = _at(_document(call, source), source.pointer)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise refused(f"{section.title}: there is no list of objects at {source.pointer!r} of the document.")
    fields = list(dict.fromkeys(name for item in items[: section.max_rows] for name in item))
    if section.columns is not None:  # some may have a field that none of these rows has
        fields += [column.field for column in section.columns if column.field not in fields]
    return fields, _bounded(section, (tuple(value_of(item.get(name)) for name in fields) for item in items))


def _of_runs(call: Call, source: FromRuns, section: Section) -> tuple[list[str], Rows]:
    window = source.window(call.nominal_ms)
    if window[1] - window[0] > MAX_DAYS * DAY_MS:
        raise refused(f"{section.title}: the window is wider than {MAX_DAYS} days.")
    wanted = WantedRuns(
        *window, source.jobs, source.names, source.tags, tuple(source.status), tuple(source.trigger)
    )
    found = _read(call, wanted)
    rows: Iterable[Row]
    try:
        match source.per:
            case "day":
                fields, rows = by_day(found, window, zone(source.timezone))
            case "job":
                fields, rows = by_job(found)
            case None:
                fields, rows = list(ROW_FIELDS), (row_of(each) for each in found)
        return fields, _bounded(section, rows)
    except TooManyRuns as error:
        said = f"there are more than {MAX_LOOKED_AT:,} runs to look at: narrow the time, or name jobs by id"
        raise refused(f"{section.title}: {said}.") from error
    except Unavailable as error:
        said = f"{section.title}: the runs cannot be read now. {error.message}"
        raise NoReport(Failed("unknown", said)) from error


def _read(call: Call, wanted: WantedRuns) -> Iterator[PastRun]:
    for page in call.history.pages(wanted):
        if call.remaining() <= 0 or call.stop.is_wanted:
            raise TooLate
        yield from page


def _at(document: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def _document(call: Call, source: FromUrl) -> Any:
    if call.remaining() <= 0:
        raise TooLate
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", **source.headers}
    request = requests.Request("GET", source.url, headers=headers).prepare()
    try:
        with adapter(call.settings).exchange(request, call.remaining()) as response:
            _check_status(response.status_code)
            body = response.raw.read(MAX_DOCUMENT_BYTES + 1, decode_content=False)
    except (requests.RequestException, HTTPError, OSError) as error:
        if call.stop.is_wanted or call.remaining() <= 0:
            raise TooLate from error
        raise NoReport(Failed("connection", f"The exchange with {source.host} broke off.")) from error
    if len(body) > MAX_DOCUMENT_BYTES:
        raise refused("The document is longer than 8 MB.")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise refused("The document is no JSON.") from error


def _check_status(status: int) -> None:
    if status == 200:
        return
    kind = {4: "http_4xx", 5: "http_5xx"}.get(status // 100, "http_unexpected")
    kind = "http_429" if status == 429 else kind
    raise NoReport(Failed(kind, f"The source answered {status}; expected 200.", status))
