"""The routes of jobs."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain import pause
from chalicelib.domain.errors import Conflict, NotFound
from chalicelib.domain.job import Job, JobDefinition
from chalicelib.engine.core import Engine
from chalicelib.engine.wheel.calendars import read_calendars
from chalicelib.features.base import JSON, MERGE_PATCH, Answer, Body, NoFields, Request, Response, Route
from chalicelib.features.conditional import etag
from chalicelib.features.jobs import changes, service
from chalicelib.features.jobs.control import PauseBody, SkipBody, SkipList, pause_fields, skip_list
from chalicelib.features.jobs.definition import SHORT_TYPE, definition_of, patched
from chalicelib.features.jobs.filters import FilterQuery
from chalicelib.features.jobs.trigger import TriggerBody, trigger
from chalicelib.features.jobs.views import (
    JobPage,
    JobView,
    SavedJob,
    UpcomingList,
    job_view,
    saved_job,
    upcoming,
)
from chalicelib.features.paging import List, PageQuery
from chalicelib.features.permitted import check
from chalicelib.features.runs.views import RunView, run_view


class JobsQuery(PageQuery, FilterQuery):
    """The filters of the list of jobs, and its order."""

    sort: Literal["-created_at", "created_at"] = Field(
        "-created_at", description="With a minus the newest first, without it the oldest."
    )


class UpcomingQuery(BaseModel):
    """How far to look ahead."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    count: int = Field(10, ge=1, le=100)


def create_job(engine: Engine, request: Request) -> Response:
    actor, key = request.principal.actor, request.idempotency
    job = service.create(engine, request.tenant, request.body, key, actor=actor)
    return _saved(engine, job, 201, {"Location": f"/jobs/{job.id}"})


def list_jobs(engine: Engine, request: Request) -> Response:
    query: JobsQuery = request.query
    pages = List(engine.secrets, request.tenant, "jobs", "job", query)
    jobs, last = service.listed(
        engine,
        request.tenant,
        query.wanted(),
        limit=query.limit,
        after=pages.after(query.cursor),
        oldest_first=query.sort == "created_at",
    )
    now_ms, calendars = engine.clock.now_ms(), read_calendars(engine, jobs)
    items = [job_view(job, now_ms, calendars) for job in jobs]
    return Response(JobPage.model_construct(items=items, next_cursor=pages.cursor(last)))


def get_job(engine: Engine, request: Request) -> Response:
    return _shown(engine, service.read(engine, request.tenant, request.path["job_id"]))


def replace_job(engine: Engine, request: Request) -> Response:
    definition: JobDefinition = request.body
    return _saved(
        engine, _changed(engine, request, lambda job, now_ms: changes.redefined(job, definition, now_ms))
    )


def patch_job(engine: Engine, request: Request) -> Response:
    patch: dict[str, Any] = request.body

    def change(job: Job, now_ms: int) -> Job:
        return changes.redefined(job, patched(job.definition, patch), now_ms)

    return _saved(engine, _changed(engine, request, change))


def delete_job(engine: Engine, request: Request) -> Response:
    actor = request.principal.actor
    service.delete(engine, request.tenant, request.path["job_id"], request.if_match, actor=actor)
    return Response(status=204)


def pause_job(engine: Engine, request: Request) -> Response:
    fields = pause_fields(request.body, engine.clock.now_ms())
    return _shown(engine, _changed(engine, request, lambda job, now_ms: pause.paused(job, now_ms, fields)))


def resume_job(engine: Engine, request: Request) -> Response:
    return _shown(engine, _changed(engine, request, pause.resumed))


def skip_occurrences(engine: Engine, request: Request) -> Response:
    body: SkipBody = request.body

    def change(job: Job, now_ms: int) -> Job:
        return changes.skipping(job, body.count, now_ms, read_calendars(engine, [job]))

    job = _changed(engine, request, change)
    view = skip_list(job, engine.clock.now_ms(), read_calendars(engine, [job]))
    return Response(view, headers={"ETag": etag(job.revision)})


def trigger_job(engine: Engine, request: Request) -> Response:
    job_id, key = request.path["job_id"], request.idempotency
    if request.body and request.body.config:  # it may send the job's secrets somewhere else
        check(engine, request.principal, "jobs:write", request.path)
    run = trigger(engine, request.tenant, job_id, request.body, key, request.origin)
    return Response(run_view(run, engine.settings.prices), 202, {"Location": f"/runs/{run.id}"})


def list_upcoming(engine: Engine, request: Request) -> Response:
    job = service.read(engine, request.tenant, request.path["job_id"])
    found = upcoming(job, engine.clock.now_ms(), request.query.count, read_calendars(engine, [job]))
    return Response(found)


def _changed(engine: Engine, request: Request, change: service.Change) -> Job:
    job_id, actor = request.path["job_id"], request.principal.actor
    return service.change(engine, request.tenant, job_id, request.if_match, change, actor=actor)


def _shown(engine: Engine, job: Job) -> Response:
    view = job_view(job, engine.clock.now_ms(), read_calendars(engine, [job]))
    return Response(view, headers={"ETag": etag(job.revision)})


def _saved(engine: Engine, job: Job, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    view = saved_job(job, engine.clock.now_ms(), read_calendars(engine, [job]))
    return Response(view, status, {"ETag": etag(job.revision), **(headers or {})})


_HTTP_JOB = {
    "name": "nightly report",
    "type": "http",
    "config": {"url": "https://example.com/reports", "method": "POST", "body": {"report": "daily"}},
    "schedule": {"kind": "cron", "expression": "0 30 2 * * *", "timezone": "Europe/Berlin"},
}
_SHORT_JOB = {"schedule": "31 10-15 1 * * MON-FRI", "api": "https://example.com/hook", "type": SHORT_TYPE}
_SEVERAL = {
    "name": "closing",
    "type": "http",
    "config": {"url": "https://example.com/closing"},
    "schedule": [
        {
            "kind": "cron",
            "expression": "0 9 * * MON-FRI",
            "timezone": "Europe/Berlin",
            "calendar": "holidays",
        },
        {
            "kind": "cron",
            "expression": "0 17 L * *",
            "timezone": "Europe/Berlin",
            "calendar": {"name": "holidays", "on_excluded": "previous_allowed_day"},
        },
    ],
    "exclude": [{"kind": "range", "from": "2027-08-01T00:00:00Z", "until": "2027-08-15T00:00:00Z"}],
}
DEFINITION = Body(
    model=JobDefinition,
    parse=definition_of,
    description=f"Or as in the earlier system: `schedule`, `api` and the type {SHORT_TYPE}, a POST to that URL.",
    examples={"http": _HTTP_JOB, "short": _SHORT_JOB, "several": _SEVERAL},
)
_PATCH = Body(
    media_types=(MERGE_PATCH, JSON),
    description="A merge patch (RFC 7396). A schedule of another kind, or the config of another type, "
    "starts afresh; a list of schedules or exclusions replaces the one before.",
    examples={"rename": {"name": "weekly report"}, "reschedule": {"schedule": "0 9 * * MON"}},
)
_NOTHING = Body(model=NoFields, required=False)
_SHOWN = (Answer(description="The job.", model=JobView, headers=("ETag",)),)
_SAVED = (Answer(description="The job as it is now.", model=SavedJob, headers=("ETag",)),)

ROUTES = (
    Route(
        method="POST",
        path="/jobs",
        handler=create_job,
        summary="Create a job",
        tag="jobs",
        rule="jobs:write",
        body=DEFINITION,
        answers=(
            Answer(description="The new job.", status=201, model=SavedJob, headers=("ETag", "Location")),
        ),
        errors=(Conflict,),
        once=True,
    ),
    Route(
        method="GET",
        path="/jobs",
        handler=list_jobs,
        summary="List jobs, the newest first",
        tag="jobs",
        rule="jobs:read",
        description="A filter is applied to what is read: some 1,000 jobs a request, so a page may be short and go on.",
        query=JobsQuery,
        answers=(Answer(description="A page of jobs.", model=JobPage),),
    ),
    Route(
        method="GET",
        path="/jobs/{job_id}",
        handler=get_job,
        summary="Get a job",
        tag="jobs",
        rule="jobs:read",
        answers=_SHOWN,
    ),
    Route(
        method="PUT",
        path="/jobs/{job_id}",
        handler=replace_job,
        summary="Replace a job's definition",
        tag="jobs",
        rule="jobs:write",
        description="Another schedule takes effect at once, also for occurrences that were already dispatched.",
        body=DEFINITION,
        answers=_SAVED,
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="PATCH",
        path="/jobs/{job_id}",
        handler=patch_job,
        summary="Change parts of a job's definition",
        tag="jobs",
        rule="jobs:write",
        body=_PATCH,
        answers=_SAVED,
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="DELETE",
        path="/jobs/{job_id}",
        handler=delete_job,
        summary="Delete a job",
        tag="jobs",
        rule="jobs:write",
        description="Its runs, revisions and timeline can still be read until they expire.",
        answers=(Answer(description="It is gone.", status=204),),
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="POST",
        path="/jobs/{job_id}/pause",
        handler=pause_job,
        summary="Pause a job",
        tag="jobs",
        rule="jobs:operate",
        replayed=True,
        description="No occurrence starts any more, until the job is resumed or the given moment comes. Retries of "
        "runs that had begun go on, and triggers work. A paused job gets the note and the end that are given.",
        body=Body(
            model=PauseBody,
            required=False,
            examples={"holidays": {"note": "Closed", "until": "2030-01-07T00:00:00Z"}},
        ),
        answers=_SHOWN,
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="POST",
        path="/jobs/{job_id}/resume",
        handler=resume_job,
        summary="Resume a paused job",
        tag="jobs",
        rule="jobs:operate",
        replayed=True,
        description="What it missed falls under the job's misfire rules. An active job stays as it is.",
        body=_NOTHING,
        answers=_SHOWN,
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="POST",
        path="/jobs/{job_id}/skip",
        handler=skip_occurrences,
        summary="Leave out a job's next occurrences",
        tag="jobs",
        rule="jobs:operate",
        replayed=True,
        description="The next `count` occurrences from now on, whatever was to be left out before. They are recorded "
        "as skipped, with the reason `skip_next`. Another schedule ends it.",
        body=Body(model=SkipBody, examples={"two": {"count": 2}}),
        answers=(Answer(description="What is left out.", model=SkipList, headers=("ETag",)),),
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="POST",
        path="/jobs/{job_id}/trigger",
        handler=trigger_job,
        summary="Run a job now",
        tag="jobs",
        rule="runs:write",
        description="Beside its schedule, and also while it is paused. `config` changes the job's config for this run, "
        "which needs jobs:write.",
        body=Body(
            model=TriggerBody,
            required=False,
            examples={
                "another day": {"config": {"body": {"day": "2027-01-14"}}, "note": "Done again for Ada"}
            },
        ),
        answers=(Answer(description="The run to come.", status=202, model=RunView, headers=("Location",)),),
        errors=(Conflict,),
        once=True,
    ),
    Route(
        method="GET",
        path="/jobs/{job_id}/upcoming",
        handler=list_upcoming,
        summary="Look ahead at a job's occurrences",
        tag="jobs",
        rule="jobs:read",
        query=UpcomingQuery,
        answers=(Answer(description="The next occurrences.", model=UpcomingList),),
        errors=(NotFound,),
    ),
)
