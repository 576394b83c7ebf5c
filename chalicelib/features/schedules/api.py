"""The route of the preview."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.calendar_use import Calendar, CalendarUse
from chalicelib.domain.cron import END_MS
from chalicelib.domain.exclusions import MAX_EXCLUSIONS, Exclusion
from chalicelib.domain.instants import epoch_ms, rfc3339
from chalicelib.domain.schedule import CronSchedule, Moment, Schedule
from chalicelib.domain.schedules import Schedules, as_list, words_of
from chalicelib.domain.zones import load_zone
from chalicelib.engine.core import Engine
from chalicelib.engine.wheel.arm import agenda_of
from chalicelib.features.base import Answer, Body, Request, Response, Route
from chalicelib.features.jobs.timing import calendars_for
from chalicelib.features.jobs.views import Warned, warned

_NO_JOB = "preview"
"""Stands for the job's id, which decides what H and jitter become."""
_MAX_SKIPPED = 100


class PreviewRequest(BaseModel):
    """A schedule to try."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    schedule: Schedules
    exclude: tuple[Exclusion, ...] = Field((), max_length=MAX_EXCLUSIONS)
    calendar: Calendar | None = None
    from_: Moment | None = Field(None, alias="from", description="Default: now. It is included.")
    count: int = Field(10, ge=1, le=100)


class SkippedByCalendar(BaseModel):
    """All occurrences from the first to the last; equal for one."""

    model_config = ConfigDict(defer_build=True)

    first: str = Field(json_schema_extra={"format": "date-time"})
    last: str = Field(json_schema_extra={"format": "date-time"})


class Preview(BaseModel):
    """What a schedule means. With an H, a job's own id gives other moments than these."""

    model_config = ConfigDict(defer_build=True)

    occurrences: list[str] = Field(
        description="Nominal times in UTC of what runs.", json_schema_extra={"items": {"format": "date-time"}}
    )
    due: list[str] = Field(
        description="When each of them runs, before jitter: the same, unless a calendar moves it.",
        json_schema_extra={"items": {"format": "date-time"}},
    )
    local: list[str] = Field(description="`due` by the clock of the first schedule's zone, with its offset.")
    skipped: list[SkippedByCalendar] = Field(
        description=f"What a calendar skips up to the last of them; at most {_MAX_SKIPPED} ranges."
    )
    words: str
    warnings: list[Warned]


@dataclass(frozen=True, slots=True)
class _Tried:
    """A job that is not there."""

    tenant: str
    schedule: Schedule | tuple[Schedule, ...]
    exclude: tuple[Exclusion, ...]
    calendar: CalendarUse | None
    created_ms: int
    id: str = _NO_JOB
    shard: int = 0
    schedule_revision: int = 1


def preview_schedule(engine: Engine, request: Request) -> Response:
    asked: PreviewRequest = request.body
    from_ms = engine.clock.now_ms() if asked.from_ is None else epoch_ms(asked.from_)
    job = _Tried(request.tenant, asked.schedule, asked.exclude, asked.calendar, from_ms)
    calendars = calendars_for(engine, job, from_ms)
    table = agenda_of(job, calendars)
    moments = list(islice(table.between(from_ms, END_MS), asked.count))
    skipped = table.skips(from_ms, moments[-1] + 1 if moments else from_ms + _MONTH_MS)
    preview = Preview.model_construct(
        occurrences=[rfc3339(table.nominal(moment)) for moment in moments],
        due=[rfc3339(moment) for moment in moments],
        local=[_local(moment, as_list(asked.schedule)[0]) for moment in moments],
        skipped=[
            SkippedByCalendar.model_construct(first=rfc3339(first), last=rfc3339(last))
            for first, last in skipped[:_MAX_SKIPPED]
        ],
        words=words_of(asked.schedule),
        warnings=warned(job, from_ms, calendars),
    )
    return Response(preview)


_MONTH_MS = 31 * 86_400_000


def _local(at_ms: int, schedule: Schedule) -> str:
    zone = load_zone(schedule.timezone if isinstance(schedule, CronSchedule) else "UTC")
    moment = datetime.fromtimestamp(at_ms // 1000, zone).replace(microsecond=at_ms % 1000 * 1000)
    return moment.isoformat(timespec="milliseconds" if at_ms % 1000 else "seconds")


ROUTES = (
    Route(
        method="POST",
        path="/schedules/preview",
        handler=preview_schedule,
        summary="Preview a schedule",
        tag="schedules",
        rule="jobs:read",
        unrecorded="a preview changes nothing",
        description="By the same function that dispatches jobs.",
        body=Body(
            model=PreviewRequest,
            examples={
                "cron": {
                    "schedule": {"kind": "cron", "expression": "30 2 * * *", "timezone": "Europe/Berlin"},
                    "from": "2026-03-28T00:00:00Z",
                    "count": 3,
                },
                "interval": {"schedule": {"kind": "interval", "every": "PT90S"}},
                "several": {
                    "schedule": ["0 9 * * MON-FRI", "0 12 * * SAT"],
                    "exclude": ["* * 9 24 12 *"],
                    "calendar": {"name": "holidays", "on_excluded": "next_allowed_day"},
                },
            },
        ),
        answers=(Answer(description="What the schedule means.", model=Preview),),
    ),
)
