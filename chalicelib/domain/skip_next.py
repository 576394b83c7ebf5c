"""Leaving out the next occurrences of a job: a range of nominal times, set once; nothing is counted down. Pure."""

from typing import Protocol

from chalicelib.domain.job import Job
from chalicelib.domain.occurrences import Timetable

MAX_SKIPPED = 100


class Skipping(Protocol):
    """Anything that knows which occurrences its owner does not want."""

    @property
    def skip_from_ms(self) -> int | None: ...
    @property
    def skip_until_ms(self) -> int | None: ...


def is_unwanted(job: Skipping, nominal_ms: int) -> bool:
    """Whether the owner asked to leave this occurrence out."""
    if job.skip_from_ms is None or job.skip_until_ms is None:
        return False
    return job.skip_from_ms <= nominal_ms <= job.skip_until_ms


def unwanted(job: Skipping, table: Timetable, after_ms: int) -> list[int]:
    """The occurrences still to be left out, ascending: those after a moment."""
    if job.skip_from_ms is None or job.skip_until_ms is None:
        return []
    return list(table.between(max(job.skip_from_ms, after_ms + 1), job.skip_until_ms + 1))


def skipping(job: Job, table: Timetable, count: int, *, after_ms: int, now_ms: int) -> Job:
    """The job without its next `count` occurrences after a moment, whatever it left out before; 0: it leaves none out.

    `table` says which run, and when, also where a calendar moves them. The same object where that changes nothing.
    """
    found: list[int] = []
    while (
        len(found) < count and (nominal_ms := table.next_after(found[-1] if found else after_ms)) is not None
    ):
        found.append(nominal_ms)
    nominals = [table.nominal(moment_ms) for moment_ms in found]
    bounds = {"skip_from_ms": min(nominals), "skip_until_ms": max(nominals)} if found else _NONE
    if all(getattr(job, name) == value for name, value in bounds.items()):
        return job
    return job.model_copy(update={**bounds, "revision": job.revision + 1, "updated_ms": now_ms})


_NONE: dict[str, int | None] = {"skip_from_ms": None, "skip_until_ms": None}
