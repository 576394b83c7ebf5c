"""Moments that are no occurrences: what a job excludes, as cron schedules and as ranges (EXDATE in iCalendar)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from chalicelib.domain.cron import CronCalendar, cron_calendar
from chalicelib.domain.instants import epoch_ms
from chalicelib.domain.local_time import DstRule, shows
from chalicelib.domain.model import Value
from chalicelib.domain.schedule import CronSchedule, Moment
from chalicelib.domain.zones import Zone, zone

MAX_EXCLUSIONS = 20
_KINDS = ("cron", "range")


class CronExclusion(CronSchedule):
    """Each second that a cron schedule names, and all of that second. With 6 fields: `* * 12 * * *` is an hour."""

    @field_validator("max_runs", "jitter_seconds", "calendar")
    @classmethod
    def _names_moments_only(cls, value: object) -> object:
        if value:
            raise PydanticCustomError("not_for_exclusions", "this field has no meaning in an exclusion")
        return value


class RangeExclusion(Value):
    """Each moment from `from` (included) until `until` (not included)."""

    model_config = ConfigDict(serialize_by_alias=True)

    kind: Literal["range"] = "range"
    from_: Moment = Field(alias="from")
    until: Moment

    @field_validator("until")
    @classmethod
    def _is_later(cls, until: datetime, info: ValidationInfo) -> datetime:
        if "from_" in info.data and until <= info.data["from_"]:
            raise PydanticCustomError("end_before_start", "until must be later than from")
        return until


def _from_text(value: Any) -> Any:
    if isinstance(value, str):
        return {"kind": "cron", "expression": value}
    if isinstance(value, dict) and value.get("kind") not in _KINDS:
        reason = f"an exclusion needs a kind, one of {', '.join(_KINDS)}"
        raise PydanticCustomError("exclusion_kind", "{reason}", {"reason": reason})
    return value


_Kinds = Annotated[CronExclusion | RangeExclusion, Field(discriminator="kind")]
Exclusion = Annotated[_Kinds, BeforeValidator(_from_text, json_schema_input_type=str | _Kinds)]


@dataclass(frozen=True, slots=True)
class _ExcludedRange:
    from_ms: int
    until_ms: int

    def end_of(self, at_ms: int) -> int | None:
        return self.until_ms if self.from_ms <= at_ms < self.until_ms else None


@dataclass(frozen=True, slots=True)
class _ExcludedCron:
    calendar: CronCalendar
    zone: Zone
    dst: DstRule
    bounds: _ExcludedRange

    def end_of(self, at_ms: int) -> int | None:
        second = at_ms // 1000
        if self.bounds.end_of(at_ms) is None or not shows(self.zone, self.calendar, second, self.dst):
            return None
        return min(self._end_of_block(second) * 1000, self.bounds.until_ms)

    def _end_of_block(self, second: int) -> int:
        """No further than the zone's offset holds."""
        stretch = next(each for each in self.zone.around(second) if second < each.end)
        local = second + stretch.offset
        if not self.calendar.has(local):
            return second + 1
        return min(self.calendar.end_of_block(local) - stretch.offset, stretch.end)


Excluder = _ExcludedRange | _ExcludedCron
_FOREVER_MS = 1 << 60


def excluders(exclusions: Iterable[CronExclusion | RangeExclusion], job_id: str) -> tuple[Excluder, ...]:
    """What answers, for a moment, until when it is excluded for certain (None: it is not). An H is the job's."""
    return tuple(_excluder(each, job_id) for each in exclusions)


def _excluder(exclusion: CronExclusion | RangeExclusion, job_id: str) -> Excluder:
    if isinstance(exclusion, RangeExclusion):
        return _ExcludedRange(epoch_ms(exclusion.from_), epoch_ms(exclusion.until))
    bounds = _ExcludedRange(
        epoch_ms(exclusion.start_at) if exclusion.start_at else 0,
        epoch_ms(exclusion.end_at) if exclusion.end_at else _FOREVER_MS,
    )
    calendar = cron_calendar(exclusion.expression, exclusion.day_match, job_id)
    return _ExcludedCron(calendar, zone(exclusion.timezone), exclusion.dst, bounds)
