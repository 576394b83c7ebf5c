"""The missed occurrences of a job: which still run, and the ranges of those that do not, with their reasons. Pure."""

from dataclasses import dataclass
from itertools import groupby

from chalicelib.domain.occurrences import Timetable
from chalicelib.domain.pause import falls_into_pause
from chalicelib.domain.run import SkipReason
from chalicelib.domain.skip_next import is_unwanted
from chalicelib.engine.wheel.due_job import DueJob


@dataclass(frozen=True, slots=True)
class SkippedRange:
    """Occurrences of a job that will not run: all of its timetable's from the first to the last, both included.

    Where one of them has a record of its own, as a run that had begun before, that record counts.
    """

    tenant: str
    job_id: str
    schedule_revision: int
    first_ms: int
    last_ms: int
    reason: SkipReason = "misfire"


def made_up(job: DueJob, table: Timetable, after_ms: int, until_ms: int, count: int) -> list[int]:
    """The latest `count` occurrences in (after, until] that the owner did not ask to leave out, ascending."""
    if job.skip_from_ms is None or job.skip_until_ms is None:
        return table.latest(after_ms, until_ms, count)
    late = table.latest(max(after_ms, job.skip_until_ms), until_ms, count)
    early = table.latest(after_ms, min(until_ms, job.skip_from_ms - 1), count - len(late))
    return early + late


def left_out(
    job: DueJob, table: Timetable, first_ms: int, last_ms: int, kept: list[int]
) -> tuple[SkippedRange, ...]:
    """What lies from `first_ms` to `last_ms` and will not run: what the owner left out, and all before what is kept."""
    runs_from_ms = kept[0] if kept else last_ms + 1
    ranges = []
    for start_ms, end_ms, reason in _stretches(job, table.jitter_ms, first_ms, last_ms, runs_from_ms):
        if reason is None:
            continue
        ranges += [
            SkippedRange(job.tenant, job.id, job.schedule_revision, found_ms, final_ms, reason)
            for found_ms, final_ms in table.runs(start_ms, end_ms)
        ]
    return tuple(ranges)


def _stretches(
    job: DueJob, jitter_ms: int, first_ms: int, last_ms: int, runs_from_ms: int
) -> list[tuple[int, int, SkipReason | None]]:
    """The time from the first to the last moment, cut where the reason changes. None: what lies there runs."""

    def reason_at(at_ms: int) -> SkipReason | None:
        if is_unwanted(job, at_ms):
            return "skip_next"
        if at_ms >= runs_from_ms:
            return None
        return "paused" if falls_into_pause(job, at_ms, jitter_ms) else "misfire"

    cuts = {first_ms, runs_from_ms, job.paused_until_ms or 0, job.skip_from_ms or 0}
    cuts |= {(job.paused_ms or 0) - jitter_ms + 1, (job.skip_until_ms or 0) + 1}
    starts = sorted(cut for cut in cuts if first_ms <= cut <= last_ms)
    groups = [(next(group), reason) for reason, group in groupby(starts, reason_at)]
    ends = [start_ms for start_ms, _ in groups[1:]] + [last_ms + 1]
    return [(start_ms, end_ms, reason) for (start_ms, reason), end_ms in zip(groups, ends, strict=True)]
