"""The missed occurrences of a job: which still run, and the ranges of those that do not, with their reasons. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from chalicelib.domain.occurrences import Timetable
from chalicelib.domain.pause import falls_into_pause
from chalicelib.domain.run import SkipReason
from chalicelib.domain.skip_next import is_unwanted
from chalicelib.engine.due_job import DueJob


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
    ranges = []
    for start_ms, end_ms, reason in _stretches(job, first_ms, last_ms, kept):
        found_ms = table.next_after(start_ms - 1)
        if found_ms is None or found_ms > end_ms:
            continue
        [final_ms] = table.latest(start_ms - 1, end_ms)
        ranges.append(SkippedRange(job.tenant, job.id, job.schedule_revision, found_ms, final_ms, reason))
    return tuple(ranges)


def _stretches(
    job: DueJob, first_ms: int, last_ms: int, kept: list[int]
) -> Iterator[tuple[int, int, SkipReason]]:
    """The time from the first to the last moment, cut where the reason changes, without that of the kept ones."""
    jitter_ms = job.schedule.jitter_seconds * 1000
    cuts = {first_ms, last_ms + 1}
    if job.paused_ms is not None:
        cuts.add(job.paused_ms - jitter_ms + 1)
        cuts.add(last_ms + 1 if job.paused_until_ms is None else job.paused_until_ms)
    if job.skip_from_ms is not None and job.skip_until_ms is not None:
        cuts |= {job.skip_from_ms, job.skip_until_ms + 1}
    if kept:
        cuts.add(kept[0])
    inside = sorted(cut for cut in cuts if first_ms <= cut <= last_ms + 1)
    for start_ms, end_ms in pairwise(inside):
        if is_unwanted(job, start_ms):
            yield start_ms, end_ms - 1, "skip_next"
        elif not kept or start_ms < kept[0]:
            is_pause = falls_into_pause(job, start_ms, jitter_ms)
            yield start_ms, end_ms - 1, "paused" if is_pause else "misfire"
