"""Reading a timeline: the revisions in force, then the runs by their computed ids, then the skipped ranges."""

from dataclasses import dataclass
from itertools import islice

from chalicelib.domain.ids import run_id
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.ledger.skips import skips_between
from chalicelib.engine.ledger.timeline import (
    Entry,
    Occurrence,
    Segment,
    occurrences,
    segments_of,
    timeline,
)
from chalicelib.engine.records import decode_run, run_key
from chalicelib.engine.retention import is_shown, shown_days
from chalicelib.engine.wheel.calendars import read_calendars
from chalicelib.features.timeline.history import History, history

ECHO_MARGIN_MS = 60_000


@dataclass(frozen=True, slots=True)
class Told:
    """A page: its entries, after which moment the next page begins (None: it is the last), and what is not known."""

    entries: list[Entry]
    next_after_ms: int | None
    known_from_ms: int | None
    unreadable: list[Segment]


def told(engine: Engine, tenant: str, job_id: str, *, start_ms: int, end_ms: int, limit: int) -> Told:
    """The outcomes in [start, end), at most `limit`. NotFound if nothing is known of the job."""
    known = history(engine, tenant, job_id, start_ms)
    segments = segments_of(known.revisions)
    stop_ms = end_ms if known.complete_ms is None else min(end_ms, known.complete_ms + 1)
    echo_ms = engine.settings.horizon_ms + ECHO_MARGIN_MS
    calendars = read_calendars(engine, [each.job for each in segments if each.job is not None])
    had = occurrences(segments, start_ms, stop_ms, echo_ms=echo_ms, calendars=calendars)
    found = list(islice(had, limit + 1))
    wanted, more = found[:limit], len(found) > limit
    entries = _entries(engine, tenant, job_id, wanted, segments)
    return Told(
        entries,
        wanted[-1].nominal_ms if more else stop_ms - 1 if stop_ms < end_ms else None,
        known.known_from_ms,
        _unreadable(known, segments, start_ms, end_ms),
    )


def _entries(
    engine: Engine, tenant: str, job_id: str, wanted: list[Occurrence], segments: list[Segment]
) -> list[Entry]:
    if not wanted:
        return []
    runs = runs_at(engine, tenant, job_id, [each.nominal_ms for each in wanted])
    skips = skips_between(engine, tenant, job_id, wanted[0].nominal_ms, wanted[-1].nominal_ms)
    return timeline(
        wanted,
        segments,
        runs,
        skips,
        now_ms=engine.clock.now_ms(),
        retention_ms=shown_days(engine, tenant) * 86_400_000,
    )


def _unreadable(known: History, segments: list[Segment], start_ms: int, end_ms: int) -> list[Segment]:
    return [
        segment
        for segment, revision in zip(segments, known.revisions, strict=True)
        if segment.job is None
        and revision.status != "deleted"
        and segment.after_ms < end_ms
        and (segment.until_ms is None or segment.until_ms >= start_ms)
    ]


def runs_at(engine: Engine, tenant: str, job_id: str, nominals: list[int]) -> dict[int, Run]:
    """The records of the schedule's own runs, by nominal time: read by their ids, which follow from the occurrences."""
    keys = [run_key(tenant, run_id(job_id, nominal_ms)) for nominal_ms in nominals]
    items = engine.db.runs.get_many(keys)
    runs = [decode_run(item) for item in items.values() if is_shown(engine, item)]
    return {run.nominal_ms: run for run in runs}
