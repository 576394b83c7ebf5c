"""The lines that attempts tell, as they lie in `runs`: pages of a run's own partition, in the order of telling.

A page belongs to one start of an attempt (its fence), so that a worker that is not awaited any more writes beside the
one that took over, and never over it.
"""

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.retention import is_kept
from chalicelib.ports.run_log import LEVELS, LogLine
from chalicelib.ports.table import Item

PAGE_BYTES = 200_000
"""Of lines as JSON, before they are compressed: a page is one item, which may have 400 KB."""
READ_PAGES = 8
"""Pages read at a time: at most 1.6 MB of lines."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line's place: its attempt, the start of that (fence), the page, and the line's number there, from 1."""

    attempt: int = 0
    fence: int = 0
    page: int = 0
    line: int = 0


def partition_of(tenant: str, run_id: str) -> str:
    return f"{tenant}#{run_id}#log"


def paged(lines: Sequence[LogLine]) -> list[list[LogLine]]:
    """The lines, in lists that fit on a page each."""
    pages: list[list[LogLine]] = []
    left = 0
    for line in lines:
        size = len(json.dumps(_row(line), ensure_ascii=False).encode())
        if size > left or not pages:
            pages.append([])
            left = PAGE_BYTES
        pages[-1].append(line)
        left -= size
    return pages


def encode_page(run: Run, number: int, lines: Sequence[LogLine], expires_at: int) -> Item:
    """A page of this start of the run's attempt."""
    text = json.dumps([_row(line) for line in lines], separators=(",", ":"), ensure_ascii=False)
    return {
        "pk": partition_of(run.tenant, run.id),
        "sk": f"{_start(run.attempt)}{run.fence:05d}#{number:05d}",
        "lines": zlib.compress(text.encode()),
        "expires_at": expires_at,
    }


def read_after(
    engine: Engine, tenant: str, run_id: str, after: Place, attempt: int | None = None
) -> Iterator[tuple[Place, LogLine]]:
    """The lines past a place, in order, of one attempt or of all. They are read as they are asked for."""
    low, high = (_start(attempt), _start(attempt + 1)) if attempt is not None else ("", "")
    low = max(low, f"{_start(after.attempt)}{after.fence:05d}#{after.page:05d}")
    last: str | None = None
    while True:
        page = engine.db.runs.query(
            partition_of(tenant, run_id), low=low, high=high, limit=READ_PAGES, after=last
        )
        for item in page.items:
            if is_kept(engine, item):
                yield from islice(_decoded(item), after.line if _is_at(item, after) else 0, None)
        last = page.next
        if last is None:
            return


def _is_at(item: Item, place: Place) -> bool:
    return _parts(item) == (place.attempt, place.fence, place.page)


def _decoded(item: Item) -> Iterator[tuple[Place, LogLine]]:
    lines = item["lines"]
    assert isinstance(lines, bytes)
    parts = _parts(item)
    for number, (at_ms, level, message, *fields) in enumerate(json.loads(zlib.decompress(lines)), start=1):
        yield Place(*parts, number), LogLine(at_ms, LEVELS[level], message, *fields)


def _parts(item: Item) -> tuple[int, int, int]:
    attempt, fence, page = map(int, str(item["sk"]).split("#"))
    return attempt, fence, page


def _start(attempt: int) -> str:
    return f"{attempt:04d}#"


def _row(line: LogLine) -> list[object]:
    row: list[object] = [line.at_ms, LEVELS.index(line.level), line.message]
    return [*row, line.fields] if line.fields else row
