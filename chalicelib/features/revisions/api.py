"""The routes of a job's revisions."""

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.errors import Conflict, NotFound
from chalicelib.domain.ids import instant_of, ulid
from chalicelib.engine.core import Engine
from chalicelib.engine.wheel.calendars import read_calendars
from chalicelib.features.base import Answer, Body, Request, Response, Route
from chalicelib.features.conditional import etag
from chalicelib.features.jobs.views import SavedJob, saved_job
from chalicelib.features.paging import List, PageQuery
from chalicelib.features.revisions import service
from chalicelib.features.revisions.views import (
    RevisionDiff,
    RevisionPage,
    RevisionView,
    diff_view,
    revision_view,
    summaries,
)

MAX_REVISION = 1_000_000_000


class DiffQuery(BaseModel):
    """What to compare with."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    against: int | None = Field(
        None, ge=1, le=MAX_REVISION, description="Another revision; default: the one before."
    )


class Rollback(BaseModel):
    """Which revision to go back to."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    revision: int = Field(ge=1, le=MAX_REVISION, strict=True)


def list_revisions(engine: Engine, request: Request) -> Response:
    query: PageQuery = request.query
    job_id = request.path["job_id"]
    pages = List(engine.secrets, request.tenant, f"revisions of {job_id}", "revision", query)
    after = pages.after(query.cursor)
    below = None if after is None else instant_of(after)
    found, more = service.listed(engine, request.tenant, job_id, limit=query.limit, below=below)
    last = _place(found[query.limit - 1].number) if more else None
    items = summaries(found, query.limit)
    return Response(RevisionPage.model_construct(items=items, next_cursor=pages.cursor(last)))


def get_revision(engine: Engine, request: Request) -> Response:
    job_id, number = request.path["job_id"], _number(request)
    revision = service.read(engine, request.tenant, job_id, number)
    before = service.before(engine, request.tenant, job_id, number)
    return Response(revision_view(revision, before))


def diff_revision(engine: Engine, request: Request) -> Response:
    job_id, number = request.path["job_id"], _number(request)
    revision = service.read(engine, request.tenant, job_id, number)
    against = request.query.against or number - 1
    other = service.read(engine, request.tenant, job_id, against) if against else None
    return Response(diff_view(revision, other))


def roll_back_job(engine: Engine, request: Request) -> Response:
    job_id, number = request.path["job_id"], request.body.revision
    job = service.rollback(engine, request.principal, job_id, number, request.if_match)
    view = saved_job(job, engine.clock.now_ms(), read_calendars(engine, [job]))
    return Response(view, headers={"ETag": etag(job.revision)})


def _number(request: Request) -> int:
    text = request.path["revision"]
    if not (text.isascii() and text.isdecimal()) or len(text) > 10:
        raise NotFound("There is no such revision, or it is not kept any more.")
    return int(text)


def _place(number: int) -> str:
    """A revision's place in the list, in the form that cursors carry."""
    return "revision_" + ulid(number, b"")


ROUTES = (
    Route(
        method="GET",
        path="/jobs/{job_id}/revisions",
        handler=list_revisions,
        summary="List a job's revisions, the newest first",
        tag="revisions",
        rule="jobs:read",
        description="Every change is one, also a pause and a resume. A revision is kept until 400 days after it was "
        "followed by another; those of a deleted job as long as its runs.",
        query=PageQuery,
        answers=(Answer(description="A page of revisions.", model=RevisionPage),),
    ),
    Route(
        method="GET",
        path="/jobs/{job_id}/revisions/{revision}",
        handler=get_revision,
        summary="Get a revision",
        tag="revisions",
        rule="jobs:read",
        answers=(Answer(description="The revision.", model=RevisionView),),
    ),
    Route(
        method="GET",
        path="/jobs/{job_id}/revisions/{revision}/diff",
        handler=diff_revision,
        summary="Compare a revision with another",
        tag="revisions",
        rule="jobs:read",
        query=DiffQuery,
        answers=(Answer(description="Where they differ.", model=RevisionDiff),),
    ),
    Route(
        method="POST",
        path="/jobs/{job_id}/rollback",
        handler=roll_back_job,
        summary="Give a job the definition of an earlier revision",
        tag="revisions",
        rule="jobs:write",
        replayed=True,
        description="A new revision, checked by the rules of today; a paused job stays paused.",
        body=Body(model=Rollback, examples={"back": {"revision": 3}}),
        answers=(Answer(description="The job as it is now.", model=SavedJob, headers=("ETag",)),),
        errors=(Conflict,),
        conditional=True,
    ),
)
