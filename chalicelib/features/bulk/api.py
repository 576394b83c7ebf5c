"""The route of bulk operations."""

from dataclasses import replace

from chalicelib.domain.errors import Invalid
from chalicelib.engine.core import Engine
from chalicelib.features.base import Answer, Body, Request, Response, Route
from chalicelib.features.bulk.views import MAX_ITEMS, BulkBody, BulkResult
from chalicelib.features.paging import List, PageQuery
from chalicelib.features.validation import refusal


class _Bound(PageQuery):
    """What a cursor is bound to: all of the body but how much of it is done at once."""

    asked: str


def act_on_jobs(engine: Engine, request: Request) -> Response:
    from chalicelib.features.bulk import service

    body: BulkBody = request.body
    asked = body.model_dump_json(exclude={"limit", "cursor", "dry_run"})
    pages = List(engine.secrets, request.tenant, "bulk", "job", _Bound(asked=asked))
    try:
        after = pages.after(body.cursor)
    except Invalid as error:
        raise refusal([replace(each, pointer="/cursor") for each in error.problems]) from None
    if body.dry_run:
        engine.witness.repeated()
    done = service.carry_out(engine, request, after)
    failed = sum(item.outcome == "failed" for item in done.items)
    return Response(
        BulkResult.model_construct(items=done.items, failed=failed, next_cursor=pages.cursor(done.after))
    )


ROUTES = (
    Route(
        method="POST",
        path="/jobs/bulk",
        handler=act_on_jobs,
        summary="Pause, resume, trigger, delete or tag jobs",
        tag="jobs",
        rule="jobs:operate",
        replayed=True,
        once=True,
        description=f"All that the filter means, the newest first, up to {MAX_ITEMS} a request: go on with "
        "`next_cursor` until it is null. Each job is changed by itself, and its item says how that went: one that "
        "fails, or is not allowed, stops no other. A job that is created meanwhile is not met. `dry_run` changes "
        "nothing. Each action needs, on each job, what its own route does: to trigger `runs:write`, to delete or tag "
        "`jobs:write`.",
        body=Body(
            model=BulkBody,
            examples={
                "pause a team's": {
                    "action": "pause",
                    "filter": {"tags": {"team": "data"}},
                    "note": "The warehouse moves",
                },
                "which would go": {
                    "action": "delete",
                    "filter": {"status": "paused", "type": "http"},
                    "dry_run": True,
                },
                "tag": {
                    "action": "tag",
                    "filter": {"text": "report"},
                    "set_tags": {"kind": "report"},
                    "remove_tags": ["todo"],
                },
            },
        ),
        answers=(Answer(description="What became of each.", model=BulkResult),),
    ),
)
