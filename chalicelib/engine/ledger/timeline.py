"""The timeline: what became of each occurrence that a job had, by the revisions that held at the time. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Any, Literal

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.ledger.revisions import DELETED, Revision
from chalicelib.engine.ledger.sentences import ENDED, WHY_SKIPPED
from chalicelib.engine.ledger.skips import SkipRecord
from chalicelib.engine.wheel.arm import agenda_of, timetable_of
from chalicelib.engine.wheel.calendars import NO_CALENDARS, Calendars
from chalicelib.engine.wheel.due_job import DueJob, decode_due_job

Outcome = Literal["run", "skipped", "upcoming", "pending", "unknown"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A revision while it held: after `after_ms`, until `until_ms` included (None: it holds still).

    An occurrence at the very moment of a change belongs to what was before. `job` is None for a revision that no
    occurrence follows from: the job was deleted, or its schedule cannot be read any more.
    """

    number: int
    status: str
    schedule_revision: int
    after_ms: int
    until_ms: int | None
    job: DueJob | None
    paused_ms: int | None = None
    paused_until_ms: int | None = None

    def pauses(self, at_ms: int) -> bool:
        return self.status == "paused" and (self.paused_until_ms is None or at_ms < self.paused_until_ms)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A nominal time and the revision that had it. Not `theoretical`: dispatched, and then its revision ended first.

    `excluded`: its calendar, as it is now, skips it.
    """

    nominal_ms: int
    due_ms: int
    segment: Segment
    theoretical: bool = True
    excluded: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """An occurrence and its one outcome, with a sentence for a person."""

    occurrence: Occurrence
    outcome: Outcome
    explanation: str
    reason: str | None = None
    run: Run | None = None


def segments_of(revisions: Sequence[Revision]) -> list[Segment]:
    """Revisions, oldest first, as the stretches of time in which they held."""
    ends: list[int | None] = [revision.saved_ms for revision in revisions[1:]]
    return [_segment(revision, end) for revision, end in zip(revisions, [*ends, None], strict=True)]


def occurrences(
    segments: Sequence[Segment],
    start_ms: int,
    end_ms: int,
    *,
    echo_ms: int,
    calendars: Calendars = NO_CALENDARS,
) -> Iterator[Occurrence]:
    """What the revisions had in [start, end), ascending, each moment once; due as their calendars have it now.

    `echo_ms`: how far ahead of its time an occurrence may have been dispatched. So long after the end of a revision
    its records can still appear.
    """
    streams = []
    for segment in segments:
        if segment.job is not None:
            streams.append(_held(segment, segment.job, start_ms, end_ms, calendars))
            streams.append(_echo(segment, segment.job, start_ms, end_ms, echo_ms))
    latest = None
    for each in merge(*streams, key=lambda each: (each.nominal_ms, not each.theoretical)):
        if each.nominal_ms != latest:
            latest = each.nominal_ms
            yield each


def timeline(
    wanted: Sequence[Occurrence],
    segments: Sequence[Segment],
    runs: Mapping[int, Run],
    skips: Sequence[SkipRecord],
    *,
    now_ms: int,
    retention_ms: int,
) -> list[Entry]:
    """Each occurrence with its one outcome. `runs` by nominal time; a run's record outranks a skipped range.

    What was dispatched for nothing, since its revision ended, is told only where it left a record.
    """
    entries = []
    for each in wanted:
        run, skip = runs.get(each.nominal_ms), _covering(skips, each.nominal_ms)
        if run is not None:
            entries.append(_of_run(each, run))
        elif not each.theoretical:
            continue
        elif skip is not None:
            why = WHY_SKIPPED.get(skip.reason, "It was skipped.")
            entries.append(Entry(each, "skipped", why, skip.reason))
        else:
            later = [other for other in segments if other.number > each.segment.number]
            entries.append(_without_record(each, later, now_ms, now_ms - retention_ms))
    return entries


def _segment(revision: Revision, until_ms: int | None) -> Segment:
    document: dict[str, Any] = revision.document
    return Segment(
        revision.number,
        revision.status,
        int(document["schedule_revision"]),
        revision.saved_ms,
        until_ms,
        _job_of(revision),
        document.get("paused_ms"),
        document.get("paused_until_ms"),
    )


def _job_of(revision: Revision) -> DueJob | None:
    if revision.status == DELETED:
        return None
    try:
        return decode_due_job({"doc": json.dumps(revision.document)})
    except ValueError:
        return None


def _held(
    segment: Segment, job: DueJob, start_ms: int, end_ms: int, calendars: Calendars
) -> Iterator[Occurrence]:
    table, agenda = timetable_of(job), agenda_of(job, calendars)
    low = max(start_ms, segment.after_ms + 1)
    high = end_ms if segment.until_ms is None else min(end_ms, segment.until_ms + 1)
    for nominal_ms in table.between(low, high):
        due_ms = agenda.lands(nominal_ms)
        yield Occurrence(
            nominal_ms, nominal_ms if due_ms is None else due_ms, segment, excluded=due_ms is None
        )


def _echo(segment: Segment, job: DueJob, start_ms: int, end_ms: int, echo_ms: int) -> Iterator[Occurrence]:
    if segment.until_ms is None or segment.status == "paused":
        return
    table = timetable_of(job)
    for nominal_ms in table.between(
        max(start_ms, segment.until_ms + 1), min(end_ms, segment.until_ms + echo_ms)
    ):
        yield Occurrence(nominal_ms, table.due(nominal_ms), segment, theoretical=False)


def _covering(skips: Sequence[SkipRecord], at_ms: int) -> SkipRecord | None:
    """The record that begins last among those that cover the moment."""
    found = [skip for skip in skips if skip.covers(at_ms)]
    return max(found, key=lambda skip: skip.first_ms, default=None)


def _of_run(each: Occurrence, run: Run) -> Entry:
    if run.status is RunStatus.SKIPPED:
        reason = run.skip_reason or "policy"
        return Entry(each, "skipped", WHY_SKIPPED.get(reason, "It was skipped."), reason, run)
    return Entry(each, "run", ENDED.get(run.status, f"It is {run.status.value}."), None, run)


def _without_record(each: Occurrence, later: Sequence[Segment], now_ms: int, kept_from_ms: int) -> Entry:
    """What follows from the revisions alone."""
    segment = each.segment
    if segment.pauses(each.nominal_ms):
        if each.nominal_ms > now_ms:
            return Entry(each, "upcoming", _PAUSED_AHEAD, "paused")
        return _expired(each, kept_from_ms) or _in_a_pause(each, later, now_ms)
    end = next((other for other in later if _ends(other, segment)), None)
    if end is None:
        return _in_force(each, now_ms, kept_from_ms)
    expired = _expired(each, kept_from_ms)
    if expired:
        return expired
    if end.status == "paused":
        return Entry(
            each,
            "skipped",
            f"The job was paused at {rfc3339(end.after_ms)}, before it could start.",
            "paused",
        )
    what = "deleted" if end.status == DELETED else "changed"
    why = f"The job was {what} at {rfc3339(end.after_ms)}, before it could start."
    return Entry(each, "skipped", why, "superseded")


def _in_force(each: Occurrence, now_ms: int, kept_from_ms: int) -> Entry:
    """Nothing has come between."""
    if each.due_ms > now_ms:
        if each.excluded:
            return Entry(each, "upcoming", _EXCLUDED_AHEAD, "calendar")
        return Entry(each, "upcoming", "It is still to come.")
    expired = _expired(each, kept_from_ms)
    if expired:
        return expired
    if each.excluded:
        return Entry(each, "skipped", WHY_SKIPPED["calendar"], "calendar")
    return Entry(each, "pending", _ON_ITS_WAY)


def _ends(other: Segment, segment: Segment) -> bool:
    """Whether the later revision stops what the earlier one had not begun."""
    return other.status != "active" or other.schedule_revision != segment.schedule_revision


def _expired(each: Occurrence, kept_from_ms: int) -> Entry | None:
    return Entry(each, "unknown", _NOT_KEPT) if each.due_ms <= kept_from_ms else None


def _in_a_pause(each: Occurrence, later: Sequence[Segment], now_ms: int) -> Entry:
    """A moment of a pause: open while the resumed job's first timer has not been seen, else skipped."""
    pause = each.segment
    for other in later:
        if other.status != "paused":
            break
        pause = other
    after = [other for other in later if other.number > pause.number]
    resumed = bool(after) and not any(_ends(other, after[0]) for other in after) and after[0].job is not None
    waking = not after and not pause.pauses(now_ms)
    if (resumed or waking) and each.nominal_ms > (pause.paused_ms or pause.after_ms):
        return Entry(each, "pending", _RESUMED)
    return Entry(each, "skipped", _PAUSED, "paused")


_EXCLUDED_AHEAD = "It is to come, but its calendar has it skipped."
_PAUSED = "The job was paused at this time."
_PAUSED_AHEAD = "It is to come, but the job is paused: it starts only if the job is resumed."
_RESUMED = "It fell into a pause. The job was resumed just now; its misfire rule is about to decide."
_ON_ITS_WAY = (
    "It is due and has no record yet: it is on its way to a worker, or the dispatcher has yet to see it."
)
_NOT_KEPT = "It is so old that its record, if there was one, has expired."
