"""The moments of one schedule: by the clock, by elapsed time, once, or never; all of them, or those not excluded."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from chalicelib.domain.counting import nth_after
from chalicelib.domain.cron import END_MS, CronCalendar, cron_calendar
from chalicelib.domain.exclusions import Excluder
from chalicelib.domain.instants import epoch_ms
from chalicelib.domain.local_time import DstRule, next_by_elapsed_time, next_by_wall_clock
from chalicelib.domain.schedule import CronSchedule, IntervalSchedule, ManualSchedule, OnceSchedule
from chalicelib.domain.zones import Zone, zone

AnySchedule = CronSchedule | IntervalSchedule | OnceSchedule | ManualSchedule
BUDGET = 10_000
"""Steps of one search among excluded moments, some 20 ms: 1 for an exclusion that is asked, 3 for a moment."""
_COUNT_BUDGET = 20 * BUDGET
_MOMENT_STEPS = 3


class Step(NamedTuple):
    """How far a search got: to an occurrence; to where it has to go on, nothing lying before; or, with neither, on
    to the end."""

    at_ms: int | None = None
    resume_ms: int | None = None

    @property
    def place_ms(self) -> int | None:
        """No occurrence lies before this; None if there is none at all."""
        return self.resume_ms if self.at_ms is None else self.at_ms


END = Step()


def first_step(steps: Iterable[Step]) -> Step:
    """The step of several sequences together: their first occurrence, unless a search stopped before it."""
    found, resume = None, None
    for at_ms, resume_ms in steps:
        if at_ms is not None and (found is None or at_ms < found):
            found = at_ms
        if resume_ms is not None and (resume is None or resume_ms < resume):
            resume = resume_ms
    return Step(None, resume) if resume is not None and (found is None or resume <= found) else Step(found)


@dataclass(frozen=True, slots=True)
class Cron:
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
class Interval:
    anchor_ms: int
    every_ms: int

    def next(self, after_ms: int) -> int | None:
        found = self.anchor_ms + max(0, (after_ms - self.anchor_ms) // self.every_ms + 1) * self.every_ms
        return found if found < END_MS else None

    def nth(self, after_ms: int, count: int) -> int | None:
        first_ms = self.next(after_ms)
        return None if first_ms is None else self.next(first_ms + (count - 1) * self.every_ms - 1)


@dataclass(frozen=True, slots=True)
class Once:
    at_ms: int

    def next(self, after_ms: int) -> int | None:
        return self.at_ms if after_ms < self.at_ms else None

    def nth(self, after_ms: int, count: int) -> int | None:
        return self.next(after_ms) if count == 1 else None


@dataclass(frozen=True, slots=True)
class Manual:
    def next(self, _after_ms: int) -> int | None:
        return None

    def nth(self, _after_ms: int, _count: int) -> int | None:
        return None


Source = Cron | Interval | Once | Manual


@dataclass(frozen=True, slots=True)
class Excluding:
    """A source without the moments that are excluded."""

    source: Source
    excluders: tuple[Excluder, ...]

    def seek(self, after_ms: int, budget: int = BUDGET) -> tuple[Step, int]:
        """The next moment, or how far `budget` steps lead; and the steps that are left."""
        found = self.source.next(after_ms)
        while found is not None:
            if budget <= 0:
                return Step(None, found), 0
            ends = [end for each in self.excluders if (end := each.end_of(found)) is not None]
            budget -= _MOMENT_STEPS + len(self.excluders)
            if not ends:
                return Step(found), budget
            found = self.source.next(max(ends) - 1)
        return END, budget


def source_of(schedule: AnySchedule, job_id: str, created_ms: int) -> Source:
    if isinstance(schedule, CronSchedule):
        calendar = cron_calendar(schedule.expression, schedule.day_match, job_id)
        return Cron(calendar, zone(schedule.timezone), schedule.dst)
    if isinstance(schedule, IntervalSchedule):
        anchor_ms = epoch_ms(schedule.anchor) if schedule.anchor else created_ms // 1000 * 1000
        return Interval(anchor_ms, schedule.every_ms)
    return Once(epoch_ms(schedule.at)) if isinstance(schedule, OnceSchedule) else Manual()


@lru_cache(maxsize=1024)
def nth(source: Source | Excluding, after_ms: int, count: int) -> int | None:
    """The `count`-th moment after another; None if there are fewer. What cannot be counted so far ends there."""
    if isinstance(source, Excluding):
        return _nth_not_excluded(source, after_ms, count)
    return source.nth(after_ms, count)


def _nth_not_excluded(source: Excluding, after_ms: int, count: int) -> int | None:
    found, budget = after_ms, _COUNT_BUDGET
    for _ in range(count):
        step, budget = source.seek(found, budget)
        if step.at_ms is None:
            return step.resume_ms
        found = step.at_ms
    return found
