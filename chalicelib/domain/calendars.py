"""Named calendars: which days of the local calendar are allowed. Days are counted from 1970-01-01."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
)
from pydantic import field_validator as validator
from pydantic_core import PydanticCustomError

from chalicelib.domain.calendar_use import CalendarName
from chalicelib.domain.cron import LAST_YEAR
from chalicelib.domain.model import Value
from chalicelib.domain.zones import check_zone

MAX_DATES = 2_000
MAX_RANGES = 500
REACH_DAYS = 366
"""How far the nearest allowed day is looked for."""

Weekday = Literal["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
Reason = Literal["included", "excluded", "weekday"]
WEEKDAYS: tuple[Weekday, ...] = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_EPOCH = date(1970, 1, 1).toordinal()


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - _EPOCH


def _date(value: Any) -> date:
    if isinstance(value, str) and len(value) == 10:
        try:
            value = date.fromisoformat(value)
        except ValueError as error:
            reason = f"not a date: {error}"
            raise PydanticCustomError("date", "{reason}", {"reason": reason}) from error
    if type(value) is not date:
        raise PydanticCustomError("date", "expected a date, such as 2026-12-25")
    if not 1970 <= value.year <= LAST_YEAR:
        message = f"the date must be in the years 1970 to {LAST_YEAR}"
        raise PydanticCustomError("date_out_of_range", "{reason}", {"reason": message})
    return value


Day = Annotated[
    date,
    BeforeValidator(_date, json_schema_input_type=date),
    PlainSerializer(date.isoformat, return_type=str, when_used="json"),
    Field(examples=["2026-12-25"]),
]


class DayRange(Value):
    """Days from the first to the last, both included."""

    model_config = ConfigDict(serialize_by_alias=True)

    from_: Day = Field(alias="from")
    until: Day = Field(description="The last day; it is included.")

    @validator("until")
    @classmethod
    def _is_not_earlier(cls, until: date, info: ValidationInfo) -> date:
        if "from_" in info.data and until < info.data["from_"]:
            raise PydanticCustomError("end_before_start", "until must not be earlier than from")
        return until


def _once(days: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(set(days), key=WEEKDAYS.index if days and isinstance(days[0], str) else None))


_Weekdays = Annotated[tuple[Weekday, ...], Field(max_length=7), AfterValidator(_once)]
_Days = Annotated[tuple[Day, ...], Field(max_length=MAX_DATES), AfterValidator(_once)]
_Ranges = Annotated[tuple[DayRange, ...], Field(max_length=MAX_RANGES)]


class Excluded(Value):
    """Days on which nothing runs."""

    weekdays: _Weekdays = ()
    dates: _Days = ()
    ranges: _Ranges = ()


class Included(Value):
    """Dates and ranges are allowed whatever excludes them. Weekdays: if any are named, all others are excluded."""

    weekdays: _Weekdays = ()
    dates: _Days = ()
    ranges: _Ranges = ()


def _zone(name: str) -> str:
    try:
        return check_zone(name)
    except ValueError as error:
        raise PydanticCustomError("unknown_time_zone", "{reason}", {"reason": str(error)}) from error


class CalendarContent(Value):
    """Everything of a calendar but its name."""

    description: Annotated[str, StringConstraints(max_length=1024)] = ""
    timezone: Annotated[str, AfterValidator(_zone)] | None = Field(
        None,
        description="IANA name: whose days they are. Default: that of each schedule (UTC where it has none).",
        examples=["Europe/Berlin"],
    )
    excluded: Excluded = Field(default_factory=Excluded)
    included: Included = Field(default_factory=Included)


class CalendarDefinition(CalendarContent):
    """A calendar as its owner writes it."""

    name: CalendarName


class Days:
    """Some days, as ranges that neither touch nor overlap."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in sorted(ranges):
            if self._lasts and first <= self._lasts[-1] + 1:
                self._lasts[-1] = max(self._lasts[-1], last)
            else:
                self._firsts.append(first)
                self._lasts.append(last)

    def __contains__(self, day: int) -> bool:
        place = bisect_right(self._firsts, day) - 1
        return place >= 0 and day <= self._lasts[place]

    def ranges(self) -> list[tuple[int, int]]:
        return list(zip(self._firsts, self._lasts, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class DayCalendar:
    """A calendar that answers. `timezone` None: the schedule's."""

    timezone: str | None
    weekdays: frozenset[int]
    """Those that are excluded; Sunday is 0."""
    excluded: Days
    included: Days

    def excludes(self, day: int) -> bool:
        if day in self.included:
            return False
        return (day + 4) % 7 in self.weekdays or day in self.excluded

    def reason(self, day: int) -> Reason | None:
        """What decides over a day; None: nothing excludes it."""
        if day in self.included:
            return "included"
        if day in self.excluded:
            return "excluded"
        return "weekday" if (day + 4) % 7 in self.weekdays else None

    def next_allowed(self, day: int) -> int | None:
        """The first allowed day from `day` on; None if there is none within a year."""
        return next((each for each in range(day, day + REACH_DAYS + 1) if not self.excludes(each)), None)

    def previous_allowed(self, day: int) -> int | None:
        """The last allowed day up to `day`, likewise."""
        return next((each for each in range(day, day - REACH_DAYS - 1, -1) if not self.excludes(each)), None)

    def next_excluded(self, day: int) -> int | None:
        """The first excluded day from `day` on, likewise."""
        return next((each for each in range(day, day + REACH_DAYS + 1) if self.excludes(each)), None)


EVERY_DAY = DayCalendar(None, frozenset(), Days(()), Days(()))
"""What stands for a calendar that is gone: it excludes nothing."""


def day_calendar(content: CalendarContent) -> DayCalendar:
    """The calendar's answers."""
    included, excluded = content.included, content.excluded
    weekdays = {WEEKDAYS.index(name) for name in excluded.weekdays}
    if included.weekdays:
        weekdays |= set(range(7)) - {WEEKDAYS.index(name) for name in included.weekdays}
    return DayCalendar(content.timezone, frozenset(weekdays), _days(excluded), _days(included))


def _days(part: Excluded | Included) -> Days:
    dates = [(day_number(day), day_number(day)) for day in part.dates]
    return Days(dates + [(day_number(each.from_), day_number(each.until)) for each in part.ranges])


def as_dates_and_ranges(days: Sequence[tuple[int, int]]) -> tuple[tuple[date, ...], tuple[DayRange, ...]]:
    """Ranges of day numbers as a calendar holds them: one day is a date, more are a range."""
    merged = Days(days).ranges()
    ranges = [
        DayRange.model_validate({"from": date_of(first), "until": date_of(last)})
        for first, last in merged
        if first < last
    ]
    return tuple(date_of(first) for first, last in merged if first == last), tuple(ranges)


def date_of(number: int) -> date:
    return date.fromordinal(number + _EPOCH)
