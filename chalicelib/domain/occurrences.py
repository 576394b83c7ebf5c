"""The moments of a schedule: the one implementation that dispatch, preview, upcoming and backfill use.

An occurrence is known by its nominal time, in epoch milliseconds; jitter only moves when it is due.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from chalicelib.domain.exclusions import CronExclusion, Excluder, RangeExclusion, excluders
from chalicelib.domain.instants import epoch_ms
from chalicelib.domain.sources import END, AnySchedule, Excluding, Step, first_step, nth, source_of

_Next = Callable[[int], int | None]

_FIRST_LOOK_BACK_MS = 1000
_TAIL_ROOM = 64
Span = tuple[int, int]
"""All occurrences of a timetable from the first to the last nominal time, both included."""


class _Stopped(Exception):
    """A search ran out of steps."""


class Timetable(ABC):
    """The occurrences of one job, ascending."""

    __slots__ = ()
    job_id: str

    @property
    @abstractmethod
    def jitter_ms(self) -> int:
        """The most that an occurrence may be due after its nominal time."""

    @abstractmethod
    def seek(self, after_ms: int) -> Step:
        """The first occurrence strictly after a moment, or how far a search of bounded length got."""

    @abstractmethod
    def covers(self, at_ms: int) -> bool:
        """Whether a moment is inside the bounds."""

    @abstractmethod
    def due(self, nominal_ms: int) -> int:
        """When the occurrence is to start: its nominal time and a jitter that depends on job and occurrence only."""

    @abstractmethod
    def latest(self, after_ms: int, until_ms: int, count: int = 1) -> list[int]:
        """The last `count` nominal times in (after, until], ascending; cheap also after a long time."""

    def next_after(self, after_ms: int) -> int | None:
        """The nominal time of the first occurrence strictly after a moment; None too if `seek` did not get to it."""
        return self.seek(after_ms).at_ms

    def place(self, after_ms: int) -> Step:
        """As `seek`, but also to the next occurrence that is to be recorded as skipped."""
        return self.seek(after_ms)

    def nominal(self, moment_ms: int) -> int:
        """The nominal time of what runs at a moment: the moment itself, unless a calendar moved it there."""
        return moment_ms

    def lands(self, nominal_ms: int) -> int | None:
        """When the occurrence at a nominal time is due; None if a calendar skips it."""
        return self.due(nominal_ms)

    def runs(self, start_ms: int, end_ms: int) -> list[Span]:
        """What runs at the moments in [start, end)."""
        first = self.next_after(start_ms - 1)
        if first is None or first >= end_ms:
            return []
        last = self.latest(first - 1, end_ms - 1)
        return [(first, last[-1] if last else first)]

    def skips(self, _start_ms: int, _end_ms: int) -> list[Span]:
        """What a calendar skips at the moments in [start, end)."""
        return []

    def between(self, start_ms: int, end_ms: int) -> Iterator[int]:
        """The nominal times in [start, end), one by one."""
        found = self.next_after(start_ms - 1)
        while found is not None and found < end_ms:
            yield found
            found = self.next_after(found)


@dataclass(frozen=True, slots=True)
class _Single(Timetable):
    """Of one schedule. `last_ms` (None: no end) is the latest moment that may be an occurrence."""

    job_id: str
    jitter: int
    first_ms: int
    last_ms: int | None
    _next: _Next
    _excluding: Excluding | None = None

    @property
    def jitter_ms(self) -> int:
        return self.jitter

    def seek(self, after_ms: int) -> Step:
        if self._excluding is None:
            return Step(self.next_after(after_ms))
        step, _ = self._excluding.seek(max(after_ms, self.first_ms - 1))
        return END if self._is_past(step.place_ms) else step

    def next_after(self, after_ms: int) -> int | None:
        if self._excluding is not None:
            return self.seek(after_ms).at_ms
        found = self._next(max(after_ms, self.first_ms - 1))
        return None if self._is_past(found) else found

    def covers(self, at_ms: int) -> bool:
        return self.first_ms <= at_ms and not self._is_past(at_ms)

    def due(self, nominal_ms: int) -> int:
        if not self.jitter:
            return nominal_ms
        digest = blake2b(f"{self.job_id} {nominal_ms}".encode(), digest_size=8).digest()
        return nominal_ms + int.from_bytes(digest, "big") % (self.jitter + 1)

    def latest(self, after_ms: int, until_ms: int, count: int = 1) -> list[int]:
        enough = 8 * count + _TAIL_ROOM
        reach, start_ms, found = _FIRST_LOOK_BACK_MS, until_ms, list[int]()
        try:
            while start_ms > after_ms and len(found) < count:
                too_late_ms, start_ms = start_ms, max(after_ms, until_ms - reach)
                found = self._some(start_ms, until_ms, enough)
                reach *= 2
                if len(found) == enough:
                    found = self._narrowed(start_ms, too_late_ms, until_ms, count)
        except _Stopped:
            pass
        return found[-count:] if count > 0 else []

    def _is_past(self, at_ms: int | None) -> bool:
        return at_ms is not None and self.last_ms is not None and at_ms > self.last_ms

    def _narrowed(self, start_ms: int, too_late_ms: int, until_ms: int, count: int) -> list[int]:
        """At least `count` of the last times of a burst: too many come after start, too few after too_late."""
        enough = 8 * count + _TAIL_ROOM
        while True:
            middle_ms = (start_ms + too_late_ms) // 2
            found = self._some(middle_ms, until_ms, enough)
            if len(found) == enough:
                start_ms = middle_ms
            elif len(found) < count:
                too_late_ms = middle_ms
            else:
                return found

    def _some(self, after_ms: int, until_ms: int, at_most: int) -> list[int]:
        """The first times in (after, until]. _Stopped if a search among excluded moments gets nowhere."""
        if self._excluding is None:
            return list(islice(self.between(after_ms + 1, until_ms + 1), at_most))
        found, at_ms = list[int](), after_ms
        while len(found) < at_most:
            step = self.seek(at_ms)
            if step.place_ms is None or step.place_ms > until_ms:
                break
            if step.at_ms is None:
                raise _Stopped
            at_ms = step.at_ms
            found.append(at_ms)
        return found


@dataclass(frozen=True, slots=True)
class _Union(Timetable):
    """Of several schedules: a moment that several have is one occurrence, due when it is due soonest."""

    job_id: str
    parts: tuple[_Single, ...]

    @property
    def jitter_ms(self) -> int:
        return max(part.jitter for part in self.parts)

    def seek(self, after_ms: int) -> Step:
        return first_step([part.seek(after_ms) for part in self.parts])

    def covers(self, at_ms: int) -> bool:
        return any(part.covers(at_ms) for part in self.parts)

    def due(self, nominal_ms: int) -> int:
        if not self.jitter_ms:
            return nominal_ms
        having = [part for part in self.parts if part.next_after(nominal_ms - 1) == nominal_ms]
        return min((part.due(nominal_ms) for part in having), default=nominal_ms)

    def latest(self, after_ms: int, until_ms: int, count: int = 1) -> list[int]:
        found = {at for part in self.parts for at in part.latest(after_ms, until_ms, count)}
        return sorted(found)[-count:] if count > 0 else []


Exclusions = Sequence[CronExclusion | RangeExclusion]


def timetable(
    schedule: AnySchedule | Sequence[AnySchedule], *, job_id: str, created_ms: int, exclude: Exclusions = ()
) -> Timetable:
    """The occurrences of a job with this schedule, or with any of these, without what is excluded.

    `created_ms` anchors intervals and the count of `max_runs`. Bounds, count and jitter are each schedule's own.
    """
    parts = timetables(schedule, job_id=job_id, created_ms=created_ms, exclude=exclude)
    return parts[0] if len(parts) == 1 else _Union(job_id, tuple(parts))


def window_start(table: Timetable, nominal_ms: int, created_ms: int) -> int:
    """Where the time begins that a run at a nominal time stands for: at the moment of the schedule before it.

    Where there is none, at the job's creation, unless the run is of a time before that: then there is nothing.
    """
    before = table.latest(0, nominal_ms - 1)
    return before[-1] if before else min(created_ms, nominal_ms)


def timetables(
    schedule: AnySchedule | Sequence[AnySchedule], *, job_id: str, created_ms: int, exclude: Exclusions = ()
) -> list[_Single]:
    """One for each schedule."""
    schedules = schedule if isinstance(schedule, Sequence) else (schedule,)
    excluded = excluders(exclude, job_id)
    return [_single(each, job_id, created_ms, excluded) for each in schedules]


def _single(schedule: AnySchedule, job_id: str, created_ms: int, excluded: tuple[Excluder, ...]) -> _Single:
    source = source_of(schedule, job_id, created_ms)
    excluding = Excluding(source, excluded) if excluded else None
    first_ms = epoch_ms(schedule.start_at) if schedule.start_at else 0
    last_ms = epoch_ms(schedule.end_at) - 1 if schedule.end_at else None
    if schedule.max_runs is not None:
        final_ms = nth(excluding or source, max(first_ms - 1, created_ms), schedule.max_runs)
        last_ms = final_ms if last_ms is None else min(last_ms, final_ms or last_ms)
    return _Single(job_id, schedule.jitter_seconds * 1000, first_ms, last_ms, source.next, excluding)
