"""Jobs as clients see them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.job import Job, JobDefinition, JobStatus
from chalicelib.domain.schedule_warnings import WarningCode, warnings
from chalicelib.engine.arm import timetable_of
from chalicelib.features.paging import Page


class JobView(JobDefinition):
    """A job."""

    model_config = ConfigDict(defer_build=True)

    id: str
    status: JobStatus
    revision: int = Field(description="Counts every change; it is the ETag.")
    created_at: str = Field(json_schema_extra={"format": "date-time"})
    updated_at: str = Field(json_schema_extra={"format": "date-time"})
    next_run_at: str | None = Field(
        json_schema_extra={"format": "date-time"}, description="null: paused, or nothing is to come."
    )


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
        json_schema_extra={"format": "date-time"}, description="With the occurrence's jitter."
    )


class UpcomingList(BaseModel):
    """The next occurrences; none for a paused job."""

    model_config = ConfigDict(defer_build=True)

    items: list[Upcoming]


def job_view(job: Job, now_ms: int) -> JobView:
    return JobView.model_construct(**_fields(job, now_ms))


def saved_job(job: Job, now_ms: int) -> SavedJob:
    found = warnings(job.schedule, now_ms=now_ms, job_id=job.id, created_ms=job.created_ms)
    told = [Warned.model_construct(code=each.code, message=each.message) for each in found]
    return SavedJob.model_construct(**_fields(job, now_ms), jobId=job.id, warnings=told)


def upcoming(job: Job, now_ms: int, count: int) -> UpcomingList:
    table, items = timetable_of(job), list[Upcoming]()
    nominal_ms = table.next_after(now_ms) if job.status == "active" else None
    while nominal_ms is not None and len(items) < count:
        due_ms = table.due(nominal_ms)
        items.append(Upcoming.model_construct(nominal_at=rfc3339(nominal_ms), scheduled_at=rfc3339(due_ms)))
        nominal_ms = table.next_after(nominal_ms)
    return UpcomingList.model_construct(items=items)


def _fields(job: Job, now_ms: int) -> dict[str, Any]:
    following = upcoming(job, now_ms, 1).items
    return {
        **dict(job.definition),
        "id": job.id,
        "status": job.status,
        "revision": job.revision,
        "created_at": rfc3339(job.created_ms),
        "updated_at": rfc3339(job.updated_ms),
        "next_run_at": following[0].scheduled_at if following else None,
    }
