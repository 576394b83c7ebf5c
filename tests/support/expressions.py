"""Generated cron expressions together with the values they mean, so that no parser has to be trusted."""

from dataclasses import dataclass
from random import Random

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


@dataclass(frozen=True)
class Generated:
    """An expression of five fields and its values; weekday 0 is Sunday."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @property
    def is_fixed(self) -> bool:
        return not any(mark in field for field in self.text.split()[:2] for mark in "*/")

    def has_day(self, day: int, month: int, weekday: int) -> bool:
        _, _, days, _, weekdays = self.text.split()
        either = not days.startswith("*") and not weekdays.startswith("*")
        by_day, by_weekday = day in self.days, weekday in self.weekdays
        return month in self.months and (by_day or by_weekday if either else by_day and by_weekday)

    def has_time(self, hour: int, minute: int) -> bool:
        return hour in self.hours and minute in self.minutes


def generate(count: int, seed: int) -> list[Generated]:
    """Expressions that like the small hours and the last one, where clocks are changed."""
    chance = Random(seed)
    return [_one(chance) for _ in range(count)]


def _one(chance: Random) -> Generated:
    minute, minutes = _field(chance, 0, 59, likes=[0, 0, 15, 29, 30, 45, 59])
    hour, hours = _field(chance, 0, 23, likes=[0, 0, 1, 1, 2, 2, 3, 3, 23])
    day, days = _field(chance, 1, 31, star=0.75)
    month, months = _field(chance, 1, 12, star=0.85, names=MONTHS)
    weekday, weekdays = _field(chance, 0, 6, star=0.75, names=WEEKDAYS)
    return Generated(" ".join((minute, hour, day, month, weekday)), minutes, hours, days, months, weekdays)


def _field(
    chance: Random,
    low: int,
    high: int,
    *,
    star: float = 0.2,
    likes: list[int] | None = None,
    names: list[str] | None = None,
) -> tuple[str, frozenset[int]]:
    everything = range(low, high + 1)

    def pick() -> int:
        return chance.choice(likes or list(everything))

    def show(value: int) -> str:
        return names[value - low] if names and chance.random() < 0.5 else str(value)

    if chance.random() < star:
        return "*", frozenset(everything)
    shape = chance.choice(["number", "number", "list", "range", "step"])
    if shape == "number":
        value = pick()
        return show(value), frozenset({value})
    if shape == "list":
        values = sorted({pick(), pick(), pick()})
        return ",".join(map(show, values)), frozenset(values)
    if shape == "range":
        first = min(pick(), high - 1)
        last = chance.randint(first + 1, high)
        return f"{show(first)}-{show(last)}", frozenset(range(first, last + 1))
    step = chance.choice([2, 3, 5, 10, 15, 20, 30])
    return f"*/{step}", frozenset(range(low, high + 1, step))
