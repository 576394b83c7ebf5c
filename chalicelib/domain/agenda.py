"""The occurrences of a job whose days a calendar decides: which run, when, and which are skipped.

An agenda is a timetable of moments: the nominal times of occurrences, moved where the calendar moves them. Skipped
occurrences, reason `calendar`, lie at their nominal time, or at the moment at which a later one takes their place.
"""

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Literal, NamedTuple

from chalicelib.domain.calendar_use import MAX_MOVED_A_DAY, OnExcluded
from chalicelib.domain.calendars import REACH_DAYS, DayCalendar
from chalicelib.domain.local_time import first_showing, reached
from chalicelib.domain.occurrences import Span, Timetable
from chalicelib.domain.sources import END, Step, first_step
from chalicelib.domain.zones import Zone

_DAY_S, _DAY_MS = 86_400, 86_400_000
_MAX_BLOCKS = 60
"""Excluded blocks that one search leaps over."""
_KNOWN_GROUPS = 32
_MAX_SPANS = 200
"""Excluded blocks, some two years of weekends, that are told apart from what lies between them."""
MAX_MOVED = 2_000
"""Occurrences that one search looks at where they are moved: 20 days of the most that may be moved a day."""


class LocalDays:
    """The days of a calendar on the clock of a zone, and their first moments."""

    __slots__ = ("calendar", "zone")

    def __init__(self, calendar: DayCalendar, zone: Zone) -> None:
        self.calendar, self.zone = calendar, zone

    def day_of(self, at_ms: int) -> int:
        return reached(self.zone, at_ms // 1000) // _DAY_S

    def start_of(self, day: int) -> int:
        return first_showing(self.zone, day * _DAY_S)[0] * 1000

    def moved(self, at_ms: int, day: int) -> int:
        """The same time of day on another day; after a gap of the clock, the first moment behind it."""
        second = at_ms // 1000
        local = second + self.zone.offset(second)
        return first_showing(self.zone, day * _DAY_S + local % _DAY_S)[0] * 1000 + at_ms % 1000


class Plain:
    """The occurrences of a schedule without a calendar: all run."""

    def __init__(self, times: Timetable) -> None:
        self.times = times

    def seek(self, after_ms: int) -> Step:
        """The next moment at which something runs."""
        return self.times.seek(after_ms)

    def place(self, after_ms: int) -> Step:
        """The next moment at which something runs or is skipped."""
        return self.times.seek(after_ms)

    def nominals(self, at_ms: int) -> list[int]:
        """What runs at a moment, the latest last."""
        return [at_ms] if self.times.next_after(at_ms - 1) == at_ms else []

    def moment(self, nominal_ms: int) -> int | None:
        """When the occurrence at a nominal time runs; None if it is skipped, or is none."""
        return nominal_ms if self.nominals(nominal_ms) else None

    def latest(self, after_ms: int, until_ms: int, count: int) -> list[int]:
        """The last moments in (after, until] at which something runs."""
        return self.times.latest(after_ms, until_ms, count)

    def spans(self, start_ms: int, end_ms: int, *, skipped: bool) -> Iterator[Span]:
        """What runs, or is skipped, at the moments in [start, end)."""
        if not skipped:
            yield from self.times.runs(start_ms, end_ms)


class Skipping(Plain):
    """Occurrences on excluded days are skipped."""

    def __init__(self, times: Timetable, days: LocalDays) -> None:
        super().__init__(times)
        self.days = days

    def seek(self, after_ms: int) -> Step:
        for _ in range(_MAX_BLOCKS):
            step = self.times.seek(after_ms)
            if step.at_ms is None or not self._is_excluded(step.at_ms):
                return step
            after_ms = self._end_of_block(step.at_ms) - 1
        return Step(None, after_ms + 1)

    def nominals(self, at_ms: int) -> list[int]:
        return [] if self._is_excluded(at_ms) else super().nominals(at_ms)

    def latest(self, after_ms: int, until_ms: int, count: int) -> list[int]:
        found, end_ms = list[int](), until_ms + 1
        for _ in range(REACH_DAYS):
            if end_ms <= after_ms + 1 or len(found) >= count:
                break
            day = self.days.calendar.previous_allowed(self.days.day_of(end_ms - 1))
            if day is None:
                break
            end_ms = min(end_ms, self.days.start_of(day + 1))
            start_ms = max(after_ms + 1, self.days.start_of(day))
            found = self.times.latest(start_ms - 1, end_ms - 1, count - len(found)) + found
            end_ms = start_ms
        return found

    def spans(self, start_ms: int, end_ms: int, *, skipped: bool) -> Iterator[Span]:
        at_ms = self.times.next_after(start_ms - 1)
        for _ in range(_MAX_SPANS):
            if at_ms is None or at_ms >= end_ms:
                return
            excluded = self._is_excluded(at_ms)
            edge_ms = min(end_ms, self._end_of_block(at_ms) if excluded else self._end_of_allowed(at_ms))
            if excluded is skipped:
                yield from self.times.runs(at_ms, edge_ms)
            at_ms = self.times.next_after(edge_ms - 1)
        if at_ms is not None and not skipped:
            yield from self.times.runs(at_ms, end_ms)

    def _is_excluded(self, at_ms: int) -> bool:
        return self.days.calendar.excludes(self.days.day_of(at_ms))

    def _end_of_block(self, at_ms: int) -> int:
        day = self.days.day_of(at_ms)
        return self.days.start_of(self.days.calendar.next_allowed(day) or day + REACH_DAYS)

    def _end_of_allowed(self, at_ms: int) -> int:
        day = self.days.day_of(at_ms)
        return self.days.start_of(self.days.calendar.next_excluded(day) or day + REACH_DAYS)


class Entry(NamedTuple):
    """What becomes, at a moment, of the occurrences from `nominal` to `last`. `place`: the search stopped there."""

    at_ms: int
    nominal_ms: int
    last_ms: int
    what: Literal["run", "skip", "place"]


class Moving(Plain):
    """Occurrences on excluded days run on the nearest allowed day; the latest nominal of a moment takes it."""

    def __init__(self, times: Timetable, days: LocalDays, *, forward: bool) -> None:
        super().__init__(times)
        self.days, self.forward = days, forward
        self._known: dict[int, tuple[list[Entry], int, int]] = {}

    def seek(self, after_ms: int) -> Step:
        return self._first(after_ms, ("run",))

    def place(self, after_ms: int) -> Step:
        return self._first(after_ms, ("run", "skip"))

    def nominals(self, at_ms: int) -> list[int]:
        return [each.nominal_ms for each in self._entries(at_ms, at_ms + 1) if each.what == "run"]

    def moment(self, nominal_ms: int) -> int | None:
        calendar, day = self.days.calendar, self.days.day_of(nominal_ms)
        target = calendar.next_allowed(day) if self.forward else calendar.previous_allowed(day)
        if target is None:
            return None
        at_ms = nominal_ms if target == day else self.days.moved(nominal_ms, target)
        return at_ms if nominal_ms in self.nominals(at_ms) else None

    def latest(self, after_ms: int, until_ms: int, count: int) -> list[int]:
        reach, start_ms, found = _DAY_MS, until_ms, list[int]()
        while start_ms > after_ms and len(found) < count:
            start_ms = max(after_ms, until_ms - reach)
            entries = list(self._entries(start_ms + 1, until_ms + 1))
            if entries and entries[-1].what == "place":
                break
            found = [each.at_ms for each in entries if each.what == "run"]
            reach *= 2
        return found[-count:] if count > 0 else []

    def spans(self, start_ms: int, end_ms: int, *, skipped: bool) -> Iterator[Span]:
        wanted, spans = "skip" if skipped else "run", list[Span]()
        for entry in self._entries(start_ms, end_ms):
            if entry.what == wanted:
                spans.append((entry.nominal_ms, entry.last_ms))
            elif entry.what == "place" and not skipped:
                spans += self.times.runs(entry.nominal_ms, end_ms)
        yield from joined(self.times, sorted(spans))

    def _first(self, after_ms: int, wanted: Sequence[str]) -> Step:
        for entry in self._entries(after_ms + 1, None):
            if entry.what in wanted:
                return Step(entry.at_ms)
            if entry.what == "place":
                return Step(None, max(entry.at_ms, after_ms + 1))
        return END

    def _entries(self, start_ms: int, end_ms: int | None) -> Iterator[Entry]:
        """What happens at the moments in [start, end), in their order; no more than a bounded search finds."""
        at_ms, seen = self._first_nominal_floor(start_ms), 0
        while True:
            step = self.times.seek(at_ms - 1)
            if step.place_ms is None:
                return
            if step.at_ms is None or seen > MAX_MOVED:
                place_ms = step.place_ms
                yield Entry(self._earliest(place_ms), place_ms, place_ms, "place")
                return
            group, at_ms, looked_at = self._known_group(step.at_ms)
            seen += looked_at
            for entry in group:
                if end_ms is not None and entry.at_ms >= end_ms:
                    return
                if entry.at_ms >= start_ms:
                    yield entry

    def _first_nominal_floor(self, start_ms: int) -> int:
        """No earlier occurrence can land at `start` or later."""
        day = self.days.day_of(start_ms)
        if not self.forward:
            return self.days.start_of(day)
        allowed = self.days.calendar.previous_allowed(day - 1)
        return self.days.start_of(day - REACH_DAYS if allowed is None else allowed + 1)

    def _earliest(self, nominal_ms: int) -> int:
        """No occurrence from this nominal time on lands before this."""
        if self.forward:
            return nominal_ms
        day = self.days.day_of(nominal_ms)
        allowed = self.days.calendar.previous_allowed(day)
        return nominal_ms if allowed in (day, None) else self.days.start_of(allowed or 0)

    def _known_group(self, nominal_ms: int) -> tuple[list[Entry], int, int]:
        if nominal_ms not in self._known:
            if len(self._known) >= _KNOWN_GROUPS:
                self._known.clear()
            self._known[nominal_ms] = self._group(nominal_ms)
        return self._known[nominal_ms]

    def _group(self, nominal_ms: int) -> tuple[list[Entry], int, int]:
        """All that lands on the same day as this occurrence, from it on; where to go on; how many were looked at."""
        calendar, day = self.days.calendar, self.days.day_of(nominal_ms)
        target = calendar.next_allowed(day) if self.forward else calendar.previous_allowed(day)
        if target is None:
            return [Entry(nominal_ms, nominal_ms, nominal_ms, "skip")], nominal_ms + 1, 1
        last = target if self.forward else self._last_day_before_another(target)
        end_ms = self.days.start_of(last + 1)
        nominals = list(islice(self.times.between(nominal_ms, end_ms), MAX_MOVED + 1))
        older_ms = nominal_ms
        if len(nominals) > MAX_MOVED:
            cut_ms = self.days.start_of(last - MAX_MOVED // MAX_MOVED_A_DAY)
            if recent := list(self.times.between(cut_ms, end_ms)):
                nominals, older_ms = recent, cut_ms
        landed: dict[int, list[int]] = {}
        for each in nominals:
            at_ms = each if self.days.day_of(each) == target else self.days.moved(each, target)
            landed.setdefault(at_ms, []).append(each)
        first_ms = min(landed)
        entries = [Entry(first_ms, *span, "skip") for span in self.times.runs(nominal_ms, older_ms)]
        for at_ms in sorted(landed):
            *others, winner = landed[at_ms]
            entries += [Entry(at_ms, each, each, "skip") for each in others]
            entries.append(Entry(at_ms, winner, winner, "run"))
        return entries, end_ms, len(nominals)

    def _last_day_before_another(self, allowed: int) -> int:
        """The last of the days whose previous allowed day this is."""
        return (self.days.calendar.next_allowed(allowed + 1) or allowed + REACH_DAYS + 1) - 1


def stream(times: Timetable, days: LocalDays | None, on_excluded: OnExcluded) -> Plain:
    """The occurrences of one schedule under its calendar."""
    if days is None:
        return Plain(times)
    if on_excluded == "skip":
        return Skipping(times, days)
    return Moving(times, days, forward=on_excluded == "next_allowed_day")


class Agenda(Timetable):
    """The moments of several schedules together. Of those that share a moment the latest nominal time runs."""

    __slots__ = ("_streams", "job_id")

    def __init__(self, job_id: str, streams: Sequence[Plain]) -> None:
        self.job_id, self._streams = job_id, tuple(streams)

    @property
    def jitter_ms(self) -> int:
        return max(each.times.jitter_ms for each in self._streams)

    def seek(self, after_ms: int) -> Step:
        return first_step([each.seek(after_ms) for each in self._streams])

    def place(self, after_ms: int) -> Step:
        return first_step([each.place(after_ms) for each in self._streams])

    def covers(self, at_ms: int) -> bool:
        return any(each.times.covers(at_ms) for each in self._streams)

    def nominal(self, moment_ms: int) -> int:
        return max((each for own in self._streams for each in own.nominals(moment_ms)), default=moment_ms)

    def due(self, moment_ms: int) -> int:
        nominal_ms = self.nominal(moment_ms)
        having = [each.times for each in self._streams if nominal_ms in each.nominals(moment_ms)]
        delay = min((times.due(nominal_ms) - nominal_ms for times in having), default=0)
        return moment_ms + delay

    def lands(self, nominal_ms: int) -> int | None:
        found = [at for own in self._streams if (at := own.moment(nominal_ms)) is not None]
        dues = [self.due(at) for at in found if self.nominal(at) == nominal_ms]
        return min(dues, default=None)

    def latest(self, after_ms: int, until_ms: int, count: int = 1) -> list[int]:
        found = {at for each in self._streams for at in each.latest(after_ms, until_ms, count)}
        return sorted(found)[-count:] if count > 0 else []

    def runs(self, start_ms: int, end_ms: int) -> list[Span]:
        spans = [each.spans(start_ms, end_ms, skipped=False) for each in self._streams]
        return united(list(merge(*spans)))

    def skips(self, start_ms: int, end_ms: int) -> list[Span]:
        spans = [list(each.spans(start_ms, end_ms, skipped=True)) for each in self._streams]
        return united(sorted([*self._outdone(start_ms, end_ms), *(one for own in spans for one in own)]))

    def _outdone(self, start_ms: int, end_ms: int) -> Iterator[Span]:
        """Where schedules share a moment that one of them was moved to: all but the latest."""
        if len(self._streams) == 1:
            return
        for own in self._streams:
            if isinstance(own, Moving):
                for moment_ms in own.latest(start_ms - 1, end_ms - 1, MAX_MOVED):
                    nominals = {each for other in self._streams for each in other.nominals(moment_ms)}
                    yield from ((each, each) for each in nominals if each < max(nominals))


def joined(times: Timetable, spans: Sequence[Span]) -> list[Span]:
    """Neighbours become one where the timetable has nothing between them."""
    found: list[Span] = []
    for first, last in spans:
        if found and times.next_after(found[-1][1]) == first:
            found[-1] = found[-1][0], last
        else:
            found.append((first, last))
    return found


def united(spans: Sequence[Span]) -> list[Span]:
    """Sorted spans; those that overlap become one."""
    found: list[Span] = []
    for first, last in spans:
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found
