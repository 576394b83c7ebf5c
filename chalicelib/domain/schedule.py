"""When a job runs, as its owner writes it: cron, interval, once or manual, with bounds and jitter.

A bare string is a cron expression. What the fields mean is carried out in `occurrences`.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    TypeAdapter,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from chalicelib.domain.calendar_use import Calendar
from chalicelib.domain.cron import LAST_YEAR, DayMatch, check_cron
from chalicelib.domain.cron_fields import MAX_LENGTH, CronError
from chalicelib.domain.durations import duration_ms
from chalicelib.domain.instants import epoch_ms, rfc3339
from chalicelib.domain.local_time import DstRule
from chalicelib.domain.model import Value
from chalicelib.domain.zones import check_zone

MAX_RUNS = 10_000
MAX_JITTER_SECONDS = 3600
MAX_EVERY_DAYS = 3660
_HUGE = 1e12


def _refusal(code: str, reason: str) -> PydanticCustomError:
    return PydanticCustomError(code, "{reason}", {"reason": reason})


def _moment(value: object) -> datetime:
    if isinstance(value, str) and len(value) <= 40 and value[10:11] in ("T", "t"):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise _refusal("moment", f"not a moment: {error}") from error
    if not isinstance(value, datetime):
        raise _refusal("moment", "expected a moment in RFC 3339, such as 2026-05-01T09:00:00Z")
    if value.tzinfo is None:
        raise _refusal(
            "moment_without_offset", "the moment needs a UTC offset: end it with Z or, say, +02:00"
        )
    if not 1970 < value.year <= LAST_YEAR:
        raise _refusal("moment_out_of_range", f"the moment must be in the years 1971 to {LAST_YEAR}")
    utc = value.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def _write_moment(value: datetime) -> str:
    return rfc3339(epoch_ms(value))


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    PlainSerializer(_write_moment, return_type=str, when_used="json"),
    Field(examples=["2026-05-01T09:00:00Z"]),
]
"""A moment in UTC, to the millisecond; written and read as RFC 3339 with an offset."""


def _every(value: object) -> int | float | str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _refusal("duration", "expected seconds, or an ISO 8601 duration such as PT15M")
    if not (len(value) <= 64 if isinstance(value, str) else -_HUGE < value < _HUGE):
        raise _refusal("duration", "expected seconds, or an ISO 8601 duration such as PT15M")
    try:
        millis = duration_ms(value)
    except ValueError as error:
        raise _refusal("duration", str(error)) from error
    if not 1000 <= millis <= MAX_EVERY_DAYS * 86_400_000:
        raise _refusal(
            "duration_out_of_range", f"must be at least 1 second and at most {MAX_EVERY_DAYS} days"
        )
    return value


class _Bounded(Value):
    """What all kinds have in common. Bounds and `max_runs` count occurrences by their nominal time."""

    start_at: Moment | None = Field(None, description="No occurrence before this.")
    end_at: Moment | None = Field(None, description="No occurrence at or after this.")
    max_runs: int | None = Field(
        None,
        ge=1,
        le=MAX_RUNS,
        strict=True,
        description="So many occurrences, counted from start_at or from the job's creation, whichever is later.",
    )
    jitter_seconds: int = Field(
        0,
        ge=0,
        le=MAX_JITTER_SECONDS,
        strict=True,
        description="Each occurrence is due later by a part of this that depends on job and occurrence only.",
    )
    calendar: Calendar | None = Field(None, description="Default: the job's own calendar, if it has one.")

    @field_validator("end_at")
    @classmethod
    def _ends_after_its_start(cls, end_at: datetime | None, info: ValidationInfo) -> datetime | None:
        start_at = info.data.get("start_at")
        if end_at and start_at and end_at <= start_at:
            raise _refusal("end_before_start", "end_at must be later than start_at")
        return end_at


class CronSchedule(_Bounded):
    """Occurrences by the wall clock of a zone."""

    kind: Literal["cron"] = "cron"
    expression: str = Field(
        min_length=1,
        max_length=MAX_LENGTH,
        description="5 fields (minute hour day month weekday), 6 with the second first, or @daily and the like.",
        examples=["0 9 * * MON-FRI", "31 10-15 1 * * MON-FRI", "H H(0-5) * * *", "@hourly"],
    )
    timezone: str = Field("UTC", description="IANA name.", examples=["Europe/Berlin"])
    day_match: DayMatch = Field(
        "any", description="If day of month and weekday are both restricted: either, or both."
    )
    dst: DstRule = Field(
        "once",
        description="For a fixed hour and minute when the clock changes. once: neither lost in spring "
        "nor doubled in autumn; skip: lost, not doubled; literal: lost, doubled.",
    )

    @field_validator("expression")
    @classmethod
    def _can_fire(cls, expression: str) -> str:
        return _checked(expression, "any")

    @field_validator("day_match")
    @classmethod
    def _can_fire_on_both(cls, day_match: DayMatch, info: ValidationInfo) -> DayMatch:
        if "expression" in info.data:
            _checked(info.data["expression"], day_match)
        return day_match

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, timezone: str) -> str:
        try:
            return check_zone(timezone)
        except ValueError as error:
            raise _refusal("unknown_time_zone", str(error)) from error


def _checked(expression: str, day_match: DayMatch) -> str:
    try:
        check_cron(expression, day_match)
    except CronError as error:
        raise _refusal(
            "never_fires" if str(error).startswith("never") else "cron_expression", str(error)
        ) from error
    return expression


class IntervalSchedule(_Bounded):
    """`anchor + n * every` for n = 0, 1, 2, ...: elapsed time, whatever wall clocks do."""

    kind: Literal["interval"] = "interval"
    every: Annotated[
        int | float | str,
        PlainValidator(_every, json_schema_input_type=int | float | str),
        Field(description="Seconds, or an ISO 8601 duration; at least 1 second.", examples=[90, "PT15M"]),
    ]
    anchor: Moment | None = Field(None, description="Default: the job's creation, on its whole second.")

    @property
    def every_ms(self) -> int:
        return duration_ms(self.every)


class OnceSchedule(_Bounded):
    """One occurrence."""

    kind: Literal["once"] = "once"
    at: Moment


class ManualSchedule(_Bounded):
    """No occurrence: the job runs when it is triggered."""

    kind: Literal["manual"] = "manual"


_KINDS = ("cron", "interval", "once", "manual")


def _from_text(value: Any) -> Any:
    if isinstance(value, str):
        return {"kind": "cron", "expression": value}
    if isinstance(value, dict) and value.get("kind") not in _KINDS:
        raise _refusal("schedule_kind", f"a schedule needs a kind, one of {', '.join(_KINDS)}")
    return value


_Kinds = Annotated[
    CronSchedule | IntervalSchedule | OnceSchedule | ManualSchedule, Field(discriminator="kind")
]
Schedule = Annotated[_Kinds, BeforeValidator(_from_text, json_schema_input_type=str | _Kinds)]
SCHEDULE: TypeAdapter[CronSchedule | IntervalSchedule | OnceSchedule | ManualSchedule] = TypeAdapter(
    Schedule, config=ConfigDict(defer_build=True)
)
