"""The routes of exports and imports."""

import json

from chalicelib.domain.errors import Conflict, Invalid
from chalicelib.engine.core import Engine
from chalicelib.features.base import JSON, YAML, Answer, Body, Request, Response, Route
from chalicelib.features.jobs import service as jobs
from chalicelib.features.paging import List
from chalicelib.features.revisions.views import Change
from chalicelib.features.transfer import service
from chalicelib.features.transfer.views import (
    Export,
    ExportQuery,
    ImportBody,
    ImportFailure,
    ImportItem,
    ImportQuery,
    ImportResult,
)


def export_jobs(engine: Engine, request: Request) -> Response:
    query: ExportQuery = request.query
    pages = List(engine.secrets, request.tenant, "export", "job", query)
    after = pages.after(query.cursor)
    found, last = jobs.listed(engine, request.tenant, query.wanted(), limit=query.limit, after=after)
    export = {"jobs": [service.document_of(job) for job in found], "next_cursor": pages.cursor(last)}
    if query.format == "yaml":
        from chalicelib.features.yaml_text import dump

        return Response(dump(export), content_type=YAML)
    return Response(json.dumps(export, separators=(",", ":"), ensure_ascii=False))


def import_jobs(engine: Engine, request: Request) -> Response:
    body: ImportBody = request.body
    query: ImportQuery = request.query
    plan = service.planned(engine, request.tenant, service.definitions_of(body.jobs), query.on_conflict)
    if query.dry_run:
        engine.witness.repeated()
        done = service.rehearsed(engine, request.principal, plan)
    else:
        if query.on_conflict == "fail":
            service.refuse_conflicts(plan)
        done = service.carry_out(engine, request.principal, plan)
    failed = sum(each.outcome == "failed" for each in done)
    items = [_item(each) for each in done]
    return Response(ImportResult.model_construct(items=items, dry_run=query.dry_run, failed=failed))


def _item(done: service.Imported) -> ImportItem:
    changes = [
        Change.model_construct(pointer=each.pointer, change=each.change, before=each.before, after=each.after)
        for each in done.planned.changes
    ]
    return ImportItem.model_construct(
        name=done.planned.definition.name,
        outcome=done.outcome,
        job_id=done.job_id,
        changes=changes,
        error=_failure(done.error) if done.error else None,
    )


def _failure(error: Exception) -> ImportFailure:
    reasons = [each.message for each in error.problems] if isinstance(error, Invalid) else []
    message = " ".join([getattr(error, "message", ""), *reasons])
    return ImportFailure.model_construct(code=getattr(error, "code", ""), message=message)


_EXAMPLE = {
    "jobs": [
        {
            "name": "export of orders",
            "type": "http",
            "config": {"url": "https://example.com/reports", "method": "POST"},
            "schedule": {"kind": "cron", "expression": "0 30 2 * * *", "timezone": "Europe/Berlin"},
        }
    ]
}

ROUTES = (
    Route(
        method="GET",
        path="/jobs/export",
        handler=export_jobs,
        summary="Export the definitions of jobs",
        tag="jobs",
        rule="jobs:read",
        query=ExportQuery,
        description="As JSON or YAML, the newest first, without ids, revisions and pauses. Calendars are not included.",
        answers=(Answer(description="A page of definitions.", model=Export, also=(YAML,)),),
    ),
    Route(
        method="POST",
        path="/jobs/import",
        handler=import_jobs,
        summary="Import definitions of jobs by their names",
        tag="jobs",
        rule="jobs:write",
        replayed=True,
        query=ImportQuery,
        description="All are checked before any is saved; then each is saved by itself, and its item tells how that "
        "went. What is there already in the same words is `unchanged`, so an import may be repeated.",
        body=Body(model=ImportBody, media_types=(JSON, YAML), examples={"one": _EXAMPLE}),
        answers=(Answer(description="What became of each.", model=ImportResult),),
        errors=(Conflict,),
    ),
)
