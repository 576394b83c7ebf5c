"""The routes of runs, also under the earlier system's name for them, executions."""

from dataclasses import replace
from datetime import date

from chalicelib.domain.errors import Conflict
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.features.base import Answer, Body, Deprecation, NoFields, Request, Response, Route
from chalicelib.features.paging import List
from chalicelib.features.runs import service
from chalicelib.features.runs.filters import JobRunsQuery, RunsQuery
from chalicelib.features.runs.views import RunPage, RunView, run_summary, run_view


def list_runs_of_job(engine: Engine, request: Request) -> Response:
    query: JobRunsQuery = request.query
    job_id = request.path["job_id"]
    pages = List(engine.secrets, request.tenant, f"runs of {job_id}", "run", query)
    runs, last = service.of_job(engine, request.tenant, job_id, query, pages.after(query.cursor))
    return _page(runs, pages.cursor(last))


def list_runs(engine: Engine, request: Request) -> Response:
    query: RunsQuery = request.query
    pages = List(engine.secrets, request.tenant, "runs", "run", query)
    runs, last = service.of_tenant(engine, request.tenant, query, pages.after(query.cursor))
    return _page(runs, pages.cursor(last))


def get_run(engine: Engine, request: Request) -> Response:
    return Response(
        run_view(service.read(engine, request.tenant, request.path["run_id"]), engine.settings.prices)
    )


def cancel_run(engine: Engine, request: Request) -> Response:
    run = service.cancel(engine, request.tenant, request.path["run_id"])
    return Response(run_view(run, engine.settings.prices), 200 if run.is_final else 202)


def _page(runs: list[Run], cursor: str | None) -> Response:
    return Response(RunPage.model_construct(items=[run_summary(run) for run in runs], next_cursor=cursor))


_PAGE = (Answer(description="A page of runs.", model=RunPage),)
_OF_JOB = Route(
    method="GET",
    path="/jobs/{job_id}/runs",
    handler=list_runs_of_job,
    summary="List a job's runs, the latest occurrence first",
    tag="runs",
    rule="runs:read",
    query=JobRunsQuery,
    answers=_PAGE,
)
_ALL = Route(
    method="GET",
    path="/runs",
    handler=list_runs,
    summary="List all runs, the latest occurrence first",
    tag="runs",
    rule="runs:read",
    query=RunsQuery,
    answers=_PAGE,
)
_EARLIER = "The earlier system's name for the same list."
_SINCE = date(2026, 11, 22)


def _earlier(route: Route, path: str) -> Route:
    deprecated = Deprecation(since=_SINCE, successor=route.path)
    return replace(route, path=path, description=_EARLIER, deprecated=deprecated)


ROUTES = (
    _OF_JOB,
    _ALL,
    Route(
        method="GET",
        path="/runs/{run_id}",
        handler=get_run,
        summary="Get a run with its attempts",
        tag="runs",
        rule="runs:read",
        answers=(Answer(description="The run.", model=RunView),),
    ),
    Route(
        method="POST",
        path="/runs/{run_id}/cancel",
        handler=cancel_run,
        summary="Cancel a run",
        tag="runs",
        rule="runs:write",
        replayed=True,
        description="One that waits, or lies between attempts, is cancelled at once. One under way is asked to stop: "
        "its worker learns of it within about ten seconds. What it did until then stays done.",
        body=Body(model=NoFields, required=False),
        answers=(
            Answer(description="It is cancelled.", model=RunView),
            Answer(description="It is asked to stop.", status=202, model=RunView),
        ),
        errors=(Conflict,),
    ),
    _earlier(_OF_JOB, "/jobs/{job_id}/executions"),
    _earlier(_ALL, "/executions"),
)
