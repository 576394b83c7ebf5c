"""Generated cron expressions together with the values they mean, so that no parser has to be trusted."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from random import Random

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_MINUTES = [0, 0, 15, 29, 30, 45, 59]
_HOURS = [0, 0, 1, 1, 2, 2, 3, 3, 23]

Field = tuple[str, frozenset[int]]


@dataclass(frozen=True)
class Generated:
    """An expression of five or six fields and its values; weekday 0 is Sunday."""

    text: str
    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @property
    def fields(self) -> list[str]:
        """Minute, hour, day, month and weekday as written."""
        return self.text.split()[-5:]

    @property
    def has_seconds(self) -> bool:
        return len(self.text.split()) == 6

    @property
    def can_fire(self) -> bool:
        """Whether there is such a date, in whatever year."""
        dates = ((day, month) for month in self.months for day in range(1, monthrange(2024, month)[1] + 1))
        return any(self.has_day(day, month, weekday) for day, month in dates for weekday in range(7))

    @property
    def is_fixed(self) -> bool:
        return not any(mark in field for field in self.fields[:2] for mark in "*/")

    def has_day(self, day: int, month: int, weekday: int) -> bool:
        _, _, days, _, weekdays = self.fields
        either = not days.startswith("*") and not weekdays.startswith("*")
        by_day, by_weekday = day in self.days, weekday in self.weekdays
        return month in self.months and (by_day or by_weekday if either else by_day and by_weekday)


def generate(count: int, seed: int, *, seconds: float = 0.0) -> list[Generated]:
    """Expressions that like the small hours and the last one, where clocks are changed.

    `seconds` is the part of them that have a field for the second.
    """
    chance = Random(seed)
    made = (_one(chance, _MINUTES, _HOURS, None, seconds) for _ in repeat(None))
    return list(islice((one for one in made if one.can_fire), count))


def generate_near(count: int, seed: int, *, hour: int, minute: int, day: int) -> list[Generated]:
    """Expressions that like one time of day and one day of the month, and what lies beside them."""
    chance = Random(seed)
    minutes = [minute, (minute - 1) % 60, (minute + 1) % 60, (minute + 30) % 60]
    hours = [hour, hour, (hour - 1) % 24, (hour + 1) % 24]
    days = [day, day, max(day - 1, 1), min(day + 1, 28)]
    made = (_one(chance, minutes, hours, days, 0.25) for _ in repeat(None))
    return list(islice((one for one in made if one.can_fire), count))


def _one(
    chance: Random,
    minutes: Sequence[int],
    hours: Sequence[int],
    days: Sequence[int] | None,
    with_seconds: float,
) -> Generated:
    second: Field = ("", frozenset({0}))
    if chance.random() < with_seconds:
        second = _field(chance, 0, 59, star=0.03, likes=[0, 1, 30, 59])
    fields = [
        _field(chance, 0, 59, likes=minutes),
        _field(chance, 0, 23, likes=hours),
        _field(chance, 1, 31, star=0.75, likes=days),
        _field(chance, 1, 12, star=0.85, names=MONTHS),
        _field(chance, 0, 6, star=0.75, names=WEEKDAYS),
    ]
    text = " ".join(text for text, _ in (second, *fields) if text)
    return Generated(text, second[1], *(values for _, values in fields))


def _field(
    chance: Random,
    low: int,
    high: int,
    *,
    star: float = 0.2,
    likes: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> Field:
    everything = range(low, high + 1)

    def pick() -> int:
        return chance.choice(likes or everything)

    def show(value: int) -> str:
        return names[value - low] if names and chance.random() < 0.5 else str(value)

    if chance.random() < star:
        return "*", frozenset(everything)
    shape = chance.choice(["number", "number", "list", "range", "step", "range step"])
    if shape == "number":
        value = pick()
        return show(value), frozenset({value})
    if shape == "list":
        values = sorted({pick(), pick(), pick()})
        return ",".join(map(show, values)), frozenset(values)
    step = chance.choice([2, 3, 5, 10, 15, 20, 30])
    if shape == "step":
        return f"*/{step}", frozenset(range(low, high + 1, step))
    first = min(pick(), high - 1)
    last = chance.randint(first + 1, high)
    if shape == "range":
        return f"{show(first)}-{show(last)}", frozenset(range(first, last + 1))
    return f"{first}-{last}/{step}", frozenset(range(first, last + 1, step))
