"""What becomes of rows: some are kept in the result, or all are written into a file. Bounded memory. Pure."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from chalicelib.executors.database.session import Answer
from chalicelib.executors.database.values import as_json, distinct
from chalicelib.executors.json_values import encoded

CHUNK_BYTES = 262_144


class TooManyRows(Exception):
    """A file would have more rows than it may."""


class Kept:
    """Rows for people to read, as many as there is room for: `max_rows` of each answer, `max_bytes` of all."""

    def __init__(self, max_rows: int, max_bytes: int) -> None:
        self._max_rows, self._left = max_rows, max_bytes

    def of(self, answer: Answer) -> dict[str, Any]:
        """All rows are read and counted; `truncated` says whether some are not kept."""
        names = distinct(answer.columns)
        rows: list[dict[str, Any]] = []
        count = 0
        for row in answer.rows:
            count += 1
            if len(rows) == count - 1 < self._max_rows:
                self._keep(dict(zip(names, map(as_json, row), strict=True)), rows)
        return {"row_count": count, "rows": rows, "truncated": len(rows) < count}

    def _keep(self, row: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        size = len(json.dumps(row).encode()) + 1
        if size <= self._left:
            self._left -= size
            rows.append(row)


class File:
    """An answer's rows as a file's bytes. `count` are the rows so far."""

    def __init__(self, answer: Answer, format_: str, max_rows: int) -> None:
        self._answer, self._csv, self._max_rows = answer, format_ == "csv", max_rows
        self._names = distinct(answer.columns)
        self.count = 0
        self.media_type = "text/csv; charset=utf-8" if self._csv else "application/x-ndjson"

    def chunks(self) -> Iterator[bytes]:
        """About a quarter of a megabyte each. TooManyRows, and what the answer's rows raise."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        if self._csv:
            writer.writerow(self._names)
        for row in self._answer.rows:
            self.count += 1
            if self.count > self._max_rows:
                raise TooManyRows
            if self._csv:
                writer.writerow([_cell(one) for one in row])
            else:
                text.write(self._line(row))
            if text.tell() >= CHUNK_BYTES:
                yield text.getvalue().encode("utf-8", "replace")
                text.seek(0)
                text.truncate()
        yield text.getvalue().encode("utf-8", "replace")

    def _line(self, row: Sequence[Any]) -> str:
        return encoded(dict(zip(self._names, map(as_json, row), strict=True))).decode() + "\n"


def _cell(value: Any) -> Any:
    """NULL is empty; arrays and objects are JSON."""
    plain = as_json(value)
    if plain is None or (isinstance(plain, (str, int, float)) and not isinstance(plain, bool)):
        return plain
    return encoded(plain).decode()
