"""The route of the preview."""

from datetime import datetime
from itertools import islice

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.cron import END_MS
from chalicelib.domain.describe import words
from chalicelib.domain.instants import epoch_ms, rfc3339
from chalicelib.domain.occurrences import timetable
from chalicelib.domain.schedule import CronSchedule, Moment, Schedule
from chalicelib.domain.schedule_warnings import warnings
from chalicelib.domain.zones import load_zone
from chalicelib.engine.core import Engine
from chalicelib.features.base import Answer, Body, Request, Response, Route
from chalicelib.features.jobs.views import Warned

_NO_JOB = "preview"
"""Stands for the job's id, which decides what H and jitter become."""


class PreviewRequest(BaseModel):
    """A schedule to try."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    schedule: Schedule
    from_: Moment | None = Field(None, alias="from", description="Default: now. It is included.")
    count: int = Field(10, ge=1, le=100)


class Preview(BaseModel):
    """What a schedule means. With an H, a job's own id gives other moments than these."""

    model_config = ConfigDict(defer_build=True)

    occurrences: list[str] = Field(
        description="Nominal times in UTC.", json_schema_extra={"items": {"format": "date-time"}}
    )
    local: list[str] = Field(description="The same by the clock of the schedule's zone, with its offset.")
    words: str
    warnings: list[Warned]


def preview_schedule(engine: Engine, request: Request) -> Response:
    asked: PreviewRequest = request.body
    now_ms = engine.clock.now_ms()
    from_ms = now_ms if asked.from_ is None else epoch_ms(asked.from_)
    table = timetable(asked.schedule, job_id=_NO_JOB, created_ms=from_ms)
    moments = list(islice(table.between(from_ms, END_MS), asked.count))
    told = warnings(asked.schedule, now_ms=from_ms, job_id=_NO_JOB)
    preview = Preview.model_construct(
        occurrences=[rfc3339(moment) for moment in moments],
        local=[_local(moment, asked.schedule) for moment in moments],
        words=words(asked.schedule),
        warnings=[Warned.model_construct(code=each.code, message=each.message) for each in told],
    )
    return Response(preview)


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
            },
        ),
        answers=(Answer(description="What the schedule means.", model=Preview),),
    ),
)
