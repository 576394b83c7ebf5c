"""The routes of dead letters."""

from chalicelib.domain.errors import Conflict, NotFound
from chalicelib.domain.job import Job
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.features.base import Answer, Body, NoFields, Request, Response, Route
from chalicelib.features.dead_letters import service
from chalicelib.features.dead_letters.views import (
    DeadLetter,
    DeadLetterPage,
    dead_letter,
    dead_letter_summary,
)
from chalicelib.features.jobs import service as jobs
from chalicelib.features.paging import List
from chalicelib.features.runs.filters import RunsQuery
from chalicelib.features.runs.views import RunView, run_view


def list_dead_letters(engine: Engine, request: Request) -> Response:
    query: RunsQuery = request.query
    pages = List(engine.secrets, request.tenant, "dead letters", "run", query)
    runs, last = service.listed(engine, request.tenant, query, pages.after(query.cursor))
    known = jobs.read_many(engine, request.tenant, [run.job_id for run in runs])
    items = [dead_letter_summary(run, known.get(run.job_id)) for run in runs]
    return Response(DeadLetterPage.model_construct(items=items, next_cursor=pages.cursor(last)))


def get_dead_letter(engine: Engine, request: Request) -> Response:
    run = service.read(engine, request.tenant, request.path["run_id"])
    return Response(dead_letter(run, _job_of(engine, run), engine.settings.prices))


def redrive_dead_letter(engine: Engine, request: Request) -> Response:
    run = service.redrive(engine, request.tenant, request.path["run_id"], request.idempotency, request.origin)
    return Response(run_view(run, engine.settings.prices), 202, {"Location": f"/runs/{run.id}"})


def purge_dead_letter(engine: Engine, request: Request) -> Response:
    service.purge(engine, request.tenant, request.path["run_id"])
    return Response(status=204)


def _job_of(engine: Engine, run: Run) -> Job | None:
    try:
        return jobs.read(engine, run.tenant, run.job_id)
    except NotFound:
        return None


ROUTES = (
    Route(
        method="GET",
        path="/dead-letters",
        handler=list_dead_letters,
        summary="List dead letters, the latest occurrence first",
        tag="dead letters",
        rule="runs:read",
        query=RunsQuery,
        answers=(Answer(description="A page of dead letters.", model=DeadLetterPage),),
    ),
    Route(
        method="GET",
        path="/dead-letters/{run_id}",
        handler=get_dead_letter,
        summary="Inspect a dead letter",
        tag="dead letters",
        rule="runs:read",
        answers=(Answer(description="The dead run, and what it was for.", model=DeadLetter),),
    ),
    Route(
        method="POST",
        path="/dead-letters/{run_id}/redrive",
        handler=redrive_dead_letter,
        summary="Do a dead run again",
        tag="dead letters",
        rule="runs:write",
        description="A new run for the same occurrence, by the job as it is now.",
        body=Body(model=NoFields, required=False),
        answers=(Answer(description="The run to come.", status=202, model=RunView, headers=("Location",)),),
        errors=(Conflict,),
        once=True,
    ),
    Route(
        method="DELETE",
        path="/dead-letters/{run_id}",
        handler=purge_dead_letter,
        summary="Purge a dead letter",
        tag="dead letters",
        rule="runs:write",
        description="It leaves this list; the run itself stays until it expires.",
        answers=(Answer(description="It is off the list.", status=204),),
    ),
)
