"""Entries as files: JSON lines that anybody can check, or a table in which no spreadsheet finds formulas."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from chalicelib.domain.instants import rfc3339
from chalicelib.executors.report.csv_file import inert
from chalicelib.identity.trail.entries import Entry

MAX_BYTES = 4_000_000
"""A function's answer may have 6 MB, after it was escaped."""
_TITLES = (
    "seq",
    "at",
    "recorded_at",
    "actor",
    "name",
    "role",
    "session",
    "operation",
    "kind",
    "object",
    "outcome",
    "status",
    "code",
    "address",
    "agent",
    "request_id",
    "changes",
    "hash",
)


def fitting(entries: Sequence[Entry]) -> list[Entry]:
    """As many of the first as have room in an answer, at least one."""
    size = 0
    found: list[Entry] = []
    for entry in entries:
        size += 2 * len(entry.text)
        if found and size > MAX_BYTES:
            break
        found.append(entry)
    return found


def json_lines(entries: Sequence[Entry]) -> str:
    """`entry` is, to the byte, what the hash was made of."""
    lines = [
        f'{{"entry":{each.text},"hash":"{each.hash}","key":{json.dumps(each.key)},"signature":"{each.signature}"}}\n'
        for each in entries
    ]
    return "".join(lines)


def table(entries: Sequence[Entry]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_TITLES)
    for entry in entries:
        row = _row(entry)
        writer.writerow([inert(row.get(title, "")) for title in _TITLES])
    return text.getvalue()


def _row(entry: Entry) -> dict[str, Any]:
    document = entry.document or {}
    return {
        **document,
        "at": rfc3339(document["at_ms"]),
        "recorded_at": rfc3339(document["recorded_ms"]),
        "changes": json.dumps(document.get("changes", []), separators=(",", ":")),
        "hash": entry.hash,
    }
