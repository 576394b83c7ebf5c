"""The moments of a schedule: the one implementation that dispatch, preview, upcoming and backfill use.

An occurrence is known by its nominal time, in epoch milliseconds; jitter only moves when it is due.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import islice

from chalicelib.domain.counting import nth_after
from chalicelib.domain.cron import END_MS, CronCalendar, cron_calendar
from chalicelib.domain.instants import epoch_ms
from chalicelib.domain.local_time import DstRule, next_by_elapsed_time, next_by_wall_clock
from chalicelib.domain.schedule import CronSchedule, IntervalSchedule, ManualSchedule, OnceSchedule
from chalicelib.domain.zones import Zone, zone

AnySchedule = CronSchedule | IntervalSchedule | OnceSchedule | ManualSchedule
_Next = Callable[[int], int | None]

_FIRST_LOOK_BACK_MS = 1000
_TAIL_ROOM = 64


@dataclass(frozen=True, slots=True)
class _Cron:
    calendar: CronCalendar
    zone: Zone
    dst: DstRule

    def next(self, after_ms: int) -> int | None:
        found = self._next_second(max(after_ms // 1000, -1))
        return None if found is None else found * 1000

    def nth(self, after_ms: int, count: int) -> int | None:
        found = nth_after(self.calendar, self.zone, self._next_second, max(after_ms // 1000, -1), count)
        return None if found is None else found * 1000

    def _next_second(self, second: int) -> int | None:
        if self.dst == "literal" or not self.calendar.has_fixed_time:
            return next_by_elapsed_time(self.zone, self.calendar.next, second)
        return next_by_wall_clock(self.zone, self.calendar.next, second, skip_gaps=self.dst == "skip")


@dataclass(frozen=True, slots=True)
class _Interval:
    anchor_ms: int
    every_ms: int

    def next(self, after_ms: int) -> int | None:
        found = self.anchor_ms + max(0, (after_ms - self.anchor_ms) // self.every_ms + 1) * self.every_ms
        return found if found < END_MS else None

    def nth(self, after_ms: int, count: int) -> int | None:
        first_ms = self.next(after_ms)
        return None if first_ms is None else self.next(first_ms + (count - 1) * self.every_ms - 1)


@dataclass(frozen=True, slots=True)
class _Once:
    at_ms: int

    def next(self, after_ms: int) -> int | None:
        return self.at_ms if after_ms < self.at_ms else None

    def nth(self, after_ms: int, count: int) -> int | None:
        return self.next(after_ms) if count == 1 else None


@dataclass(frozen=True, slots=True)
class _Manual:
    def next(self, _after_ms: int) -> int | None:
        return None

    def nth(self, _after_ms: int, _count: int) -> int | None:
        return None


_Source = _Cron | _Interval | _Once | _Manual


@dataclass(frozen=True, slots=True)
class Timetable:
    """The occurrences of one job, ascending. `last_ms` (None: no end) is the latest moment that may be one."""

    job_id: str
    jitter_ms: int
    first_ms: int
    last_ms: int | None
    _next: _Next

    def next_after(self, at_ms: int) -> int | None:
        """The nominal time of the first occurrence strictly after a moment."""
        found = self._next(max(at_ms, self.first_ms - 1))
        return found if found is not None and (self.last_ms is None or found <= self.last_ms) else None

    def covers(self, at_ms: int) -> bool:
        """Whether a moment is inside the bounds."""
        return self.first_ms <= at_ms and (self.last_ms is None or at_ms <= self.last_ms)

    def due(self, nominal_ms: int) -> int:
        """When the occurrence is to start: its nominal time and a jitter that depends on job and occurrence only."""
        if not self.jitter_ms:
            return nominal_ms
        digest = blake2b(f"{self.job_id} {nominal_ms}".encode(), digest_size=8).digest()
        return nominal_ms + int.from_bytes(digest, "big") % (self.jitter_ms + 1)

    def between(self, start_ms: int, end_ms: int) -> Iterator[int]:
        """The nominal times in [start, end), one by one."""
        found = self.next_after(start_ms - 1)
        while found is not None and found < end_ms:
            yield found
            found = self.next_after(found)

    def latest(self, after_ms: int, until_ms: int, count: int = 1) -> list[int]:
        """The last `count` nominal times in (after, until], ascending; cheap also after a long time."""
        enough = 8 * count + _TAIL_ROOM
        reach, start_ms, found = _FIRST_LOOK_BACK_MS, until_ms, list[int]()
        while start_ms > after_ms and len(found) < count:
            too_late_ms, start_ms = start_ms, max(after_ms, until_ms - reach)
            found = self._some(start_ms, until_ms, enough)
            reach *= 2
            if len(found) == enough:
                found = self._narrowed(start_ms, too_late_ms, until_ms, count)
        return found[-count:] if count > 0 else []

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
        return list(islice(self.between(after_ms + 1, until_ms + 1), at_most))


def timetable(schedule: AnySchedule, *, job_id: str, created_ms: int) -> Timetable:
    """The occurrences of a job with this schedule; `created_ms` anchors intervals and the count of `max_runs`."""
    source = _source(schedule, job_id, created_ms)
    first_ms = epoch_ms(schedule.start_at) if schedule.start_at else 0
    last_ms = epoch_ms(schedule.end_at) - 1 if schedule.end_at else None
    if schedule.max_runs is not None:
        final_ms = _nth(source, max(first_ms - 1, created_ms), schedule.max_runs)
        last_ms = final_ms if last_ms is None else min(last_ms, final_ms or last_ms)
    return Timetable(job_id, schedule.jitter_seconds * 1000, first_ms, last_ms, source.next)


def _source(schedule: AnySchedule, job_id: str, created_ms: int) -> _Source:
    if isinstance(schedule, CronSchedule):
        calendar = cron_calendar(schedule.expression, schedule.day_match, job_id)
        return _Cron(calendar, zone(schedule.timezone), schedule.dst)
    if isinstance(schedule, IntervalSchedule):
        anchor_ms = epoch_ms(schedule.anchor) if schedule.anchor else created_ms // 1000 * 1000
        return _Interval(anchor_ms, schedule.every_ms)
    return _Once(epoch_ms(schedule.at)) if isinstance(schedule, OnceSchedule) else _Manual()


@lru_cache(maxsize=1024)
def _nth(source: _Source, after_ms: int, count: int) -> int | None:
    """The `count`-th moment after another; None if there are fewer."""
    return source.nth(after_ms, count)
