"""The text of a cron expression, checked field by field, and parsed by croniter into sorted values.

What croniter reads in a surprising way (`5-5` as every value, `R`, `W`, a hash that depends on its version) is settled
here before it sees the text.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MAX_LENGTH = 512

_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))}
_HASH = re.compile(r"H(?:\((\d{1,4})-(\d{1,4})\))?(?:/(\d{1,4}))?", re.ASCII)
_RANGE = re.compile(r"(\w+)-(\w+)(/\d+)?", re.ASCII)
_LAST_WEEKDAY = re.compile(r"([0-7]|SUN|MON|TUE|WED|THU|FRI|SAT)L|L(SUN|MON|TUE|WED|THU|FRI|SAT)", re.ASCII)
_NTH_WEEKDAY = re.compile(r"([0-7]|SUN|MON|TUE|WED|THU|FRI|SAT)#[1-5]", re.ASCII)
_NEAREST = re.compile(r"\d+W|W\d+|LW|WL", re.ASCII)


class CronError(ValueError):
    """An expression that does not do; the message names the field."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: dict[str, int]
    hash_high: int
    """H stays at or below this: the 28th is in every month."""

    @property
    def span(self) -> str:
        return f"{self.low}-{self.high}"


_SECOND = _Field("second", 0, 59, {}, 59)
_MINUTE = _Field("minute", 0, 59, {}, 59)
_HOUR = _Field("hour", 0, 23, {}, 23)
_DAY = _Field("day-of-month", 1, 31, {}, 28)
_MONTH = _Field("month", 1, 12, _MONTHS, 12)
_WEEKDAY = _Field("day-of-week", 0, 7, _WEEKDAYS, 6)
_FIELDS = (_SECOND, _MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)


@dataclass(frozen=True, slots=True)
class CronFields:
    """The parsed fields. `texts` is the six of them as written, the second first; `plain` the same without H."""

    texts: tuple[str, ...]
    plain: tuple[str, ...]
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    last_day: bool
    months: frozenset[int]
    weekdays: frozenset[int]
    """Weekdays that match in every week; Sunday is 0."""
    nth_weekdays: frozenset[tuple[int, int]]
    """(weekday, n) for the n-th of its month, (weekday, 0) for the last."""

    @property
    def has_fixed_time(self) -> bool:
        """Whether hour and minute are numbers, lists or ranges: no wildcard and no step."""
        return not any(mark in text for text in self.texts[1:3] for mark in "*/")

    @property
    def restricts_day(self) -> bool:
        """Whether the day of the month is restricted, which for cron means: does not start with a star."""
        return not self.texts[3].startswith(("*", "?"))

    @property
    def restricts_weekday(self) -> bool:
        """Whether the day of the week is restricted, likewise."""
        return not self.texts[5].startswith(("*", "?"))

    def is_either(self, day_match: str) -> bool:
        """Whether one of day of month and day of week is enough: both are restricted, and `day_match` is any."""
        return day_match == "any" and self.restricts_day and self.restricts_weekday


def uses_hash(expression: str) -> bool:
    """Whether an H in it depends on the job's id."""
    return any(part.startswith("H") for field in expression.upper().split() for part in field.split(","))


def parse(expression: str, seed: str = "") -> CronFields:
    """The fields of an expression, with `seed` (the job's id) deciding its H. CronError names the bad field."""
    return _parse(expression, seed if uses_hash(expression) else "")


@lru_cache(maxsize=4096)
def _parse(expression: str, seed: str) -> CronFields:
    texts = _split(expression)
    special = _check_weekday_forms(texts[5])
    plain = [_plain(field, text, seed) for field, text in zip(_FIELDS, texts, strict=True)]
    (minutes, hours, days, months, weekdays, seconds), nth = _expand(expression, texts, plain)
    return CronFields(
        texts=tuple(texts),
        plain=tuple(plain),
        seconds=_values(seconds, _SECOND),
        minutes=_values(minutes, _MINUTE),
        hours=_values(hours, _HOUR),
        days=frozenset(_values(days, _DAY)),
        last_day="l" in days,
        months=frozenset(_values(months, _MONTH)),
        weekdays=frozenset() if special else frozenset(_values(weekdays, _WEEKDAY)) - {7},
        nth_weekdays=frozenset((day, 0 if n == "l" else int(n)) for day, many in nth.items() for n in many),
    )


def _split(expression: str) -> list[str]:
    if len(expression) > MAX_LENGTH:
        raise CronError(f"the expression is longer than {MAX_LENGTH} characters")
    text = expression.strip()
    if text.startswith("@"):
        if text.lower() not in ALIASES:
            raise CronError(
                f"{text[:32]!r} is not one of {', '.join(ALIASES)}; for periods use kind interval"
            )
        text = ALIASES[text.lower()]
    if not text.isascii():
        raise CronError("the expression has characters other than ASCII")
    fields = text.upper().split()
    if len(fields) not in (5, 6):
        raise CronError(
            f"expected 5 fields (minute hour day-of-month month day-of-week), or 6 with the second first,"
            f" got {len(fields)}"
        )
    return fields if len(fields) == 6 else ["0", *fields]


def _check_weekday_forms(text: str) -> bool:
    """Whether the weekdays are of the forms 5#2 and L5: each weekday of the field, or none."""
    parts = text.split(",")
    special = ["#" in part or "L" in part for part in parts]
    if any(special) and not all(special):
        raise CronError(f"day-of-week: {text[:64]!r} mixes plain weekdays with # or L; use one form only")
    bad = next((part for part in parts if "#" in part and not _NTH_WEEKDAY.fullmatch(part)), None)
    if bad is not None:
        raise CronError(
            f"day-of-week: {bad[:32]!r} is not valid: expected a weekday, # and 1 to 5, such as 5#2 or FRI#2"
        )
    return special[0]


def _plain(field: _Field, text: str, seed: str) -> str:
    return ",".join(_plain_part(field, part, seed) for part in text.split(","))


def _plain_part(field: _Field, part: str, seed: str) -> str:
    if part.startswith("H"):
        return _hashed(field, part, seed)
    if part.startswith("R"):
        raise CronError(
            f"{field.name}: R is random, so no occurrence could be foretold; use H, a stable hash of the job id"
        )
    if field is _DAY and _NEAREST.fullmatch(part):
        raise CronError("day-of-month: W (the nearest working day) is not supported")
    if field is _WEEKDAY and part == "L":
        raise CronError("day-of-week: L needs its day, such as L5 for the last Friday")
    if field is _WEEKDAY and (last := _LAST_WEEKDAY.fullmatch(part)):
        day = last[1] or last[2]
        return f"L{_WEEKDAYS.get(day, day)}"
    bounds = _RANGE.fullmatch(part)
    return _plain_range(field, part, bounds) if bounds else part


def _plain_range(field: _Field, part: str, bounds: re.Match[str]) -> str:
    low, high = (
        field.names.get(bound, int(bound) if bound.isdigit() else None) for bound in bounds.group(1, 2)
    )
    if low is None or high is None or max(low, high) > field.high:
        return part
    if (
        min(low, high) < field.low
    ):  # a range that runs backwards to 0, croniter takes for one that ends before it
        raise CronError(f"{field.name}: {part[:64]!r} is not valid: {_expected(field)}")
    same_day = field is _WEEKDAY and low % 7 == high % 7 and low >= high
    if low == high or same_day:
        return str(low)
    if low > high and bounds[3]:
        raise CronError(f"{field.name}: {part!r} runs backwards and has a step; write it as two ranges")
    return part


def _hashed(field: _Field, part: str, seed: str) -> str:
    found = _HASH.fullmatch(part)
    if found is None:
        raise CronError(f"{field.name}: {part[:32]!r} is none of H, H/15, H(0-29) and H(0-29)/10")
    low, high = (int(found[1]), int(found[2])) if found[1] else (field.low, field.hash_high)
    step = int(found[3]) if found[3] else 0
    if not field.low <= low < high <= field.high or (found[3] and step == 0):
        raise CronError(
            f"{field.name}: {part!r} is out of range: expected a range inside {field.span} and a step above 0"
        )
    digest = blake2b(f"{field.name} {seed}".encode(), digest_size=8).digest()
    choices = min(step, high - low + 1) if step else high - low + 1
    first = low + int.from_bytes(digest, "big") % choices
    return ",".join(map(str, range(first, high + 1, step))) if step else str(first)


_Values = Sequence[int | str]
_Nth = Mapping[Any, Iterable[int | str]]


def _expand(expression: str, texts: list[str], plain: list[str]) -> tuple[Sequence[_Values], _Nth]:
    """croniter's values of minute, hour, day, month, weekday and second, and the n of each weekday that has one."""
    from croniter import croniter

    try:
        values, nth = croniter.expand(" ".join(plain), second_at_beginning=True)
    except (ValueError, KeyError) as error:
        raise CronError(_blame(expression, texts, plain)) from error
    return values, nth


def _blame(expression: str, texts: list[str], plain: list[str]) -> str:
    """Which field croniter refuses, found by trying each of them alone."""
    from croniter import croniter

    for index, field in enumerate(_FIELDS):
        alone = ["*"] * len(_FIELDS)
        alone[index] = plain[index]
        if not croniter.is_valid(" ".join(alone), second_at_beginning=True):
            return f"{field.name}: {texts[index][:64]!r} is not valid: {_expected(field)}"
    return f"{expression[:64]!r} is not a cron expression"


def _expected(field: _Field) -> str:
    names = f" or {'-'.join((next(iter(field.names)), list(field.names)[-1]))}" if field.names else ""
    special = {"day-of-month": ", L", "day-of-week": ", L5, 5#2"}.get(field.name, "")
    return f"expected values of {field.span}{names}, lists (1,3), ranges (1-5), steps (*/2), H{special}"


def _values(found: _Values, field: _Field) -> tuple[int, ...]:
    if "*" in found:
        return tuple(range(field.low, field.high + 1))
    return tuple(sorted(value for value in found if isinstance(value, int)))
