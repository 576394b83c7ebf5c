"""Storing what an attempt tells. To lose lines is better than to delay a record, or to fail an attempt."""

from dataclasses import dataclass, field
from threading import Lock

from chalicelib.domain.cost import write_units
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.ledger.run_logs import encode_page, paged
from chalicelib.ports.run_log import LogLine, RunLog
from chalicelib.ports.table import Put

METRIC = "log_lines_lost"


@dataclass(slots=True)
class Telling:
    """The lines of one start of an attempt on their way to the table. `pages` are stored; `held` is yet to be."""

    log: RunLog
    pages: int = 0
    units: int = 0
    """What the stored pages took to be written."""
    held: list[LogLine] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    """A heartbeat and the end may store at once."""

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to store."""
        return self.log.is_empty and not self.held


def store(engine: Engine, run: Run, telling: Telling) -> None:
    """Store what was told until now; nothing told costs nothing. What cannot be stored is held for the next time."""
    if telling.is_over:
        return
    with telling.lock:
        telling.held += telling.log.drain()
        _put(engine, run, telling)


def units_of(run: Run, telling: Telling) -> int:
    """What all lines take to be written, those included that are yet to be stored."""
    with telling.lock:
        telling.held += telling.log.drain()
        pages = [encode_page(run, telling.pages, lines, 0) for lines in paged(telling.held)]
        return telling.units + sum(map(write_units, pages))


def store_rest(engine: Engine, run: Run, telling: Telling) -> None:
    """Store the last lines, and one that says how many are missing. What cannot be stored now is lost, and counted."""
    with telling.lock:
        telling.held += telling.log.drain()
        if telling.log.dropped:
            sentence = f"{telling.log.dropped} more lines were told than are kept of an attempt."
            telling.held.append(LogLine(engine.clock.now_ms(), "warning", sentence))
        _put(engine, run, telling)
        if telling.held:
            engine.telemetry.count(METRIC, len(telling.held))


def _put(engine: Engine, run: Run, telling: Telling) -> None:
    """Page by page, each under its number: one whose answer was lost is only written again."""
    expires_at = engine.settings.expires_at(engine.clock.now_ms())
    try:
        for lines in paged(telling.held):
            page = encode_page(run, telling.pages, lines, expires_at)
            engine.db.runs.write(Put(page))
            telling.pages, telling.units = telling.pages + 1, telling.units + write_units(page)
            telling.held = telling.held[len(lines) :]
    except Unavailable as error:
        told = {"run_id": run.id, "lines": len(telling.held), "error": error.message}
        engine.telemetry.warning("Lines of a run cannot be stored now.", **told)
