"""The routes of backfills. Their service is loaded when it is first asked for: no cold start pays for it."""

from chalicelib.domain.errors import Conflict
from chalicelib.engine.core import Engine
from chalicelib.features.backfills.views import (
    BackfillPage,
    BackfillRequest,
    BackfillView,
    DryRun,
    backfill_view,
    dry_run_view,
)
from chalicelib.features.base import Answer, Body, NoFields, Request, Response, Route
from chalicelib.features.paging import List, PageQuery


def create_backfill(engine: Engine, request: Request) -> Response:
    from chalicelib.features.backfills import service

    wanted: BackfillRequest = request.body
    job_id = request.path["job_id"]
    if wanted.dry_run:
        engine.witness.repeated()
        backfill = service.asked(engine, request.principal, job_id, wanted)
        return Response(dry_run_view(backfill, service.would_do(engine, backfill)))
    begun = service.begin(engine, request.principal, job_id, wanted, request.idempotency)
    return Response(backfill_view(begun), 202, {"Location": f"/backfills/{begun.id}"})


def list_backfills(engine: Engine, request: Request) -> Response:
    from chalicelib.features.backfills import service

    query: PageQuery = request.query
    job_id = request.path["job_id"]
    pages = List(engine.secrets, request.tenant, f"backfills of {job_id}", "backfill", query)
    after = pages.after(query.cursor)
    found, last = service.listed(engine, request.tenant, job_id, limit=query.limit, after=after)
    items = [backfill_view(backfill) for backfill in found]
    return Response(BackfillPage.model_construct(items=items, next_cursor=pages.cursor(last)))


def get_backfill(engine: Engine, request: Request) -> Response:
    from chalicelib.features.backfills import service

    return Response(backfill_view(service.read(engine, request.tenant, request.path["backfill_id"])))


def cancel_backfill(engine: Engine, request: Request) -> Response:
    from chalicelib.features.backfills import service

    return Response(backfill_view(service.cancel(engine, request.tenant, request.path["backfill_id"])))


ROUTES = (
    Route(
        method="POST",
        path="/jobs/{job_id}/backfills",
        handler=create_backfill,
        summary="Run the occurrences of a stretch of the past",
        tag="backfills",
        rule="runs:write",
        description="The occurrences are those of the job's schedule as it is now; each runs by the job as it is when "
        "it starts, also while the job is paused. Misfire rules do not apply.",
        body=Body(
            model=BackfillRequest,
            examples={
                "what was missed": {"start": "2027-01-01T00:00:00Z", "end": "2027-01-02T00:00:00Z"},
                "all again": {
                    "start": "2027-01-01T00:00:00Z",
                    "end": "2027-01-02T00:00:00Z",
                    "reprocess": "all",
                    "max_active": 10,
                    "order": "newest_first",
                },
            },
        ),
        answers=(
            Answer(description="With dry_run: what it would do. Nothing is stored.", model=DryRun),
            Answer(description="The backfill.", status=202, model=BackfillView, headers=("Location",)),
        ),
        errors=(Conflict,),
        once=True,
    ),
    Route(
        method="GET",
        path="/jobs/{job_id}/backfills",
        handler=list_backfills,
        summary="List a job's backfills, the newest first",
        tag="backfills",
        rule="runs:read",
        query=PageQuery,
        answers=(Answer(description="A page of backfills.", model=BackfillPage),),
    ),
    Route(
        method="GET",
        path="/backfills/{backfill_id}",
        handler=get_backfill,
        summary="Get a backfill and its progress",
        tag="backfills",
        rule="runs:read",
        answers=(Answer(description="The backfill.", model=BackfillView),),
    ),
    Route(
        method="POST",
        path="/backfills/{backfill_id}/cancel",
        handler=cancel_backfill,
        summary="Cancel a backfill",
        tag="backfills",
        rule="runs:write",
        replayed=True,
        description="It starts nothing more; what it has started or queued goes on. One that is over stays as it is.",
        body=Body(model=NoFields, required=False),
        answers=(Answer(description="The backfill as it is now.", model=BackfillView),),
        errors=(Conflict,),
    ),
)
