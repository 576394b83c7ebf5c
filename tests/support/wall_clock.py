"""A walk over each second of a span, and what the rules of daylight saving make of it: the oracle by brute force.

It shares nothing with the domain but zoneinfo. Sets of steps are the bits of whole numbers, the first step the highest,
so that a thousand expressions can be compared with one walk.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from itertools import pairwise
from operator import or_
from zoneinfo import ZoneInfo

from tests.support.expressions import Generated

RULES = ("once", "skip", "literal")


class Shown:
    """Local moments, one after the other."""

    def __init__(self, moments: Sequence[datetime]) -> None:
        self._seconds = _places((moment.second for moment in moments), len(moments))
        self._minutes = _places((moment.minute for moment in moments), len(moments))
        self._hours = _places((moment.hour for moment in moments), len(moments))
        self._dates = _places((moment.date() for moment in moments), len(moments))

    def matching(self, made: Generated) -> int:
        """The moments that match an expression."""
        days = [date for date in self._dates if made.has_day(date.day, date.month, date.isoweekday() % 7)]
        found = _any(self._dates, days)
        for places, values in (
            (self._hours, made.hours),
            (self._minutes, made.minutes),
            (self._seconds, made.seconds),
        ):
            found &= _any(places, values) if found else 0
        return found


@dataclass(frozen=True)
class Jump:
    """Local moments that no clock showed, and the first step after them."""

    missing: Shown
    place: int


class Walk:
    """From `start` to `end` in UTC, in steps of a second, or of a minute for expressions without seconds."""

    def __init__(self, info: ZoneInfo, start: int, end: int, step: int = 1) -> None:
        self.start, self.end, self.step = start, end, step
        self._count = len(range(start, end, step))
        moments = [
            datetime.fromtimestamp(at, info).replace(tzinfo=None, fold=0) for at in range(start, end, step)
        ]
        self._shown = Shown(moments)
        self._repeated = self._set(_repeated(moments))
        pace = timedelta(seconds=step)
        self._jumps = [
            Jump(Shown(list(_between(before, after, pace))), place)
            for place, (before, after) in enumerate(pairwise(moments), 1)
            if after - before > pace
        ]

    def occurrences(self, made: Generated) -> dict[str, list[int]]:
        """What each rule makes of an expression: seconds of UTC, ascending."""
        showings = self._shown.matching(made)
        if not made.is_fixed:
            return dict.fromkeys(RULES, self._steps(showings))
        firsts = showings & ~self._repeated
        made_up = self._set(jump.place for jump in self._jumps if jump.missing.matching(made))
        found = {"once": firsts | made_up, "skip": firsts, "literal": showings}
        return {rule: self._steps(places) for rule, places in found.items()}

    def _set(self, places: Iterable[int]) -> int:
        return reduce(or_, (1 << (self._count - 1 - place) for place in places), 0)

    def _steps(self, places: int) -> list[int]:
        text, found = format(places, f"0{self._count}b"), list[int]()
        place = text.find("1")
        while place >= 0:
            found.append(self.start + place * self.step)
            place = text.find("1", place + 1)
        return found


def _places(values: Iterable[object], count: int) -> dict[object, int]:
    """For each value the set of places at which it stands."""
    rows: dict[object, bytearray] = defaultdict(lambda: bytearray(b"0" * count))
    for place, value in enumerate(values):
        rows[value][place] = ord("1")
    return {value: int(row, 2) for value, row in rows.items()}


def _any(places: dict[object, int], values: Iterable[object]) -> int:
    return reduce(or_, (places[value] for value in values if value in places), 0)


def _repeated(moments: Sequence[datetime]) -> list[int]:
    """The places at which a clock shows what it has shown before."""
    seen: set[datetime] = set()
    return [place for place, moment in enumerate(moments) if moment in seen or seen.add(moment)]


def _between(before: datetime, after: datetime, pace: timedelta) -> Iterator[datetime]:
    missing = before + pace
    while missing < after:
        yield missing
        missing += pace
