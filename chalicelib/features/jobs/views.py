"""Jobs as clients see them."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.job import Job, JobDefinition, JobStatus
from chalicelib.domain.occurrences import Timetable
from chalicelib.domain.pause import is_paused, status_at
from chalicelib.domain.run import SkipReason
from chalicelib.domain.schedule_warnings import ScheduleWarning, WarningCode
from chalicelib.domain.schedules import warnings_of
from chalicelib.domain.skip_next import is_unwanted
from chalicelib.engine.wheel.arm import agenda_of, timetable_of
from chalicelib.engine.wheel.calendars import Calendars
from chalicelib.engine.wheel.due_job import Scheduled
from chalicelib.features.jobs.changes import asleep_until
from chalicelib.features.jobs.control import Pause, pause_view
from chalicelib.features.paging import Page


class JobView(JobDefinition):
    """A job."""

    model_config = ConfigDict(defer_build=True)

    id: str
    status: JobStatus
    revision: int = Field(description="Counts every change; it is the ETag.")
    created_by: str | None = Field(description="Who created it; null: from before that was noted.")
    owner: str | None = Field(description="Whose it is: who created it, unless it was given away.")
    restricted: bool = Field(
        description="Only its owner, those it is granted to, and administrators may change or operate it."
    )
    created_at: str = Field(json_schema_extra={"format": "date-time"})
    updated_at: str = Field(json_schema_extra={"format": "date-time"})
    next_run_at: str | None = Field(
        json_schema_extra={"format": "date-time"},
        description="null: nothing is to come, or not before the job is resumed.",
    )
    pause: Pause | None = Field(description="null: the job is not paused.")


class Warned(BaseModel):
    """What an owner should know about a schedule that is valid."""

    model_config = ConfigDict(defer_build=True)

    code: WarningCode
    message: str


class SavedJob(JobView):
    """A job that was just saved."""

    model_config = ConfigDict(defer_build=True)

    jobId: str = Field(description="The same as `id`, for clients of the earlier system.")  # noqa: N815
    warnings: list[Warned]


class JobPage(Page):
    """One page of jobs, the newest first."""

    items: list[JobView]


class Upcoming(BaseModel):
    """An occurrence to come."""

    model_config = ConfigDict(defer_build=True)

    nominal_at: str = Field(json_schema_extra={"format": "date-time"})
    scheduled_at: str = Field(
        json_schema_extra={"format": "date-time"},
        description="With the occurrence's jitter, and where a calendar moves it.",
    )
    skip_reason: SkipReason | None = Field(description="Why it will not run, if that is known by now.")


class UpcomingList(BaseModel):
    """The next occurrences: of a paused job those after its pause, if that has an end."""

    model_config = ConfigDict(defer_build=True)

    items: list[Upcoming]


def job_view(job: Job, now_ms: int, calendars: Calendars) -> JobView:
    return JobView.model_construct(**_fields(job, now_ms, calendars))


def saved_job(job: Job, now_ms: int, calendars: Calendars) -> SavedJob:
    told = warned(job, now_ms, calendars)
    return SavedJob.model_construct(**_fields(job, now_ms, calendars), jobId=job.id, warnings=told)


def warned(job: Scheduled, now_ms: int, calendars: Calendars) -> list[Warned]:
    """What there is to know about the timing of a job."""
    found = warnings_of(job.schedule, now_ms=now_ms, job_id=job.id, created_ms=job.created_ms)
    if (
        agenda_of(job, calendars).next_after(now_ms) is None
        and timetable_of(job).next_after(now_ms) is not None
    ):
        message = (
            "It does not run: every occurrence that was looked at is on a day that its calendar excludes."
        )
        found.append(ScheduleWarning("never_fires", message))
    return [Warned.model_construct(code=each.code, message=each.message) for each in found]


def upcoming(job: Job, now_ms: int, count: int, calendars: Calendars) -> UpcomingList:
    table = agenda_of(job, calendars)
    found = islice(_to_come(job, table, now_ms), count)
    return UpcomingList.model_construct(items=[_upcoming(job, table, each) for each in found])


def _to_come(job: Job, table: Timetable, now_ms: int) -> Iterator[int]:
    """The moments at which something is to run."""
    if is_paused(job, now_ms) and job.paused_until_ms is None:
        return
    moment_ms = table.next_after(asleep_until(job, now_ms))
    while moment_ms is not None:
        yield moment_ms
        moment_ms = table.next_after(moment_ms)


def _upcoming(job: Job, table: Timetable, moment_ms: int) -> Upcoming:
    nominal_ms = table.nominal(moment_ms)
    return Upcoming.model_construct(
        nominal_at=rfc3339(nominal_ms),
        scheduled_at=rfc3339(table.due(moment_ms)),
        skip_reason="skip_next" if is_unwanted(job, nominal_ms) else None,
    )


def _next_run(job: Job, now_ms: int, calendars: Calendars) -> str | None:
    table = agenda_of(job, calendars)
    wanted = (each for each in _to_come(job, table, now_ms) if not is_unwanted(job, table.nominal(each)))
    found = next(wanted, None)
    return None if found is None else rfc3339(table.due(found))


def _fields(job: Job, now_ms: int, calendars: Calendars) -> dict[str, Any]:
    return {
        **dict(job.definition),
        "id": job.id,
        "status": status_at(job, now_ms),
        "revision": job.revision,
        "created_by": job.created_by,
        "owner": job.owned_by,
        "restricted": bool(job.access and job.access.restricted),
        "created_at": rfc3339(job.created_ms),
        "updated_at": rfc3339(job.updated_ms),
        "next_run_at": _next_run(job, now_ms, calendars),
        "pause": pause_view(job, now_ms),
    }
