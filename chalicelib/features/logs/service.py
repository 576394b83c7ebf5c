"""Reading what a run's attempts told, now or as it comes."""

from dataclasses import dataclass

from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.ledger.run_logs import Place, read_after
from chalicelib.features.runs import service as runs
from chalicelib.ports.run_log import LEVELS, Level, LogLine

FOLLOW_SECONDS = 20.0
"""How long a request waits for new lines: API Gateway gives up after 29 seconds."""
LOOK_SECONDS = 1.0
SETTLED_MS = 3_000
"""So long after a run's end its last lines may still come: a worker stores them beside the record."""
MAX_BYTES = 500_000
"""Of a page's messages: a function's answer may have 6 MB."""
MAX_SCANNED = 20_000
"""Lines that a page looks at: it may come back short, with a cursor."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: of at least this level, of one attempt (None: of all), past a place."""

    level: Level
    attempt: int | None
    after: Place
    limit: int


@dataclass(frozen=True, slots=True)
class Told:
    """A page of lines, and where it ends. `complete`: the run is over, and nothing follows."""

    lines: list[tuple[int, LogLine]]
    last: Place
    complete: bool


def read(engine: Engine, tenant: str, run_id: str, wanted: Wanted, *, follow: bool = False) -> Told:
    """A page of what was told. With `follow` an empty one waits for lines, or for the run's end, up to 20 seconds.

    NotFound if there is no such run.
    """
    until = engine.clock.monotonic() + FOLLOW_SECONDS
    while True:
        run = runs.read(engine, tenant, run_id)  # before its lines: who reads them after its end has all
        told = _page(engine, run, wanted)
        left = until - engine.clock.monotonic()
        if not follow or told.lines or told.complete or left <= 0:
            return told
        wanted = Wanted(wanted.level, wanted.attempt, told.last, wanted.limit)
        engine.clock.sleep(min(LOOK_SECONDS, left))


def _page(engine: Engine, run: Run, wanted: Wanted) -> Told:
    lines: list[tuple[int, LogLine]] = []
    last, size, least = wanted.after, 0, LEVELS.index(wanted.level)
    every = read_after(engine, run.tenant, run.id, wanted.after, wanted.attempt)
    for scanned, (place, line) in enumerate(every):
        if len(lines) == wanted.limit or size > MAX_BYTES or scanned == MAX_SCANNED:
            return Told(lines, last, complete=False)
        last = place
        if LEVELS.index(line.level) >= least:
            lines.append((place.attempt, line))
            size += len(line.message) + len(str(line.fields))
    is_settled = (run.finished_ms or 0) + SETTLED_MS <= engine.clock.now_ms()
    return Told(lines, last, complete=run.is_final and is_settled)
