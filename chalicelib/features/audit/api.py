"""The routes of the audit trail."""

from chalicelib.domain.errors import NotFound
from chalicelib.engine.core import Engine
from chalicelib.features.audit import service
from chalicelib.features.audit.views import (
    AuditEntry,
    AuditFilter,
    AuditPage,
    ExportFilter,
    Verification,
    VerificationQuery,
    entry_view,
    verification_view,
)
from chalicelib.features.base import Answer, Request, Response, Route
from chalicelib.features.paging import List

NDJSON, CSV = "application/x-ndjson", "text/csv"
_NEXT = "Next-Cursor"


def list_entries(engine: Engine, request: Request) -> Response:
    query: AuditFilter = request.query
    pages = List(engine.secrets, request.tenant, "audit", "", query)
    found, last = service.listed(engine, request.tenant, query, pages.after(query.cursor))
    items = [entry_view(each) for each in found]
    return Response(AuditPage.model_construct(items=items, next_cursor=pages.cursor(last)))


def get_entry(engine: Engine, request: Request) -> Response:
    return Response(entry_view(service.read(engine, request.tenant, request.path["seq"])))


def export_entries(engine: Engine, request: Request) -> Response:
    from chalicelib.features.audit.export import fitting, json_lines, table

    query: ExportFilter = request.query
    pages = List(engine.secrets, request.tenant, "audit export", "", query)
    found, last = service.listed(engine, request.tenant, query, pages.after(query.cursor))
    shown = fitting(found)
    if len(shown) < len(found):
        last = str(shown[-1].seq)
    cursor = pages.cursor(last)
    headers = {_NEXT: cursor} if cursor else {}
    if query.format == "csv":
        return Response(table(shown), headers=headers, content_type=f"{CSV}; charset=utf-8")
    return Response(json_lines(shown), headers=headers, content_type=NDJSON)


def verify_entries(engine: Engine, request: Request) -> Response:
    query: VerificationQuery = request.query
    found, head, is_complete = service.checked_part(engine, request.tenant, query.anchor)
    return Response(verification_view(found, head, is_complete=is_complete))


ROUTES = (
    Route(
        method="GET",
        path="/audit",
        handler=list_entries,
        summary="List what was changed and by whom, the newest first",
        tag="audit",
        rule="audit:read",
        description="Each request that changes something, is not permitted to, or signs somebody in leaves an entry. A "
        "filter is applied to what is read: some 1,000 entries a request, so a page may be short and go on.",
        query=AuditFilter,
        answers=(Answer(description="A page of entries.", model=AuditPage),),
    ),
    Route(
        method="GET",
        path="/audit/export",
        handler=export_entries,
        summary="Export entries as JSON lines or CSV",
        tag="audit",
        rule="audit:read",
        description="In each JSON line `hash` is the SHA-256 of `entry`, written with sorted names, without spaces, "
        "and in ASCII. While the header Next-Cursor is there, more follows.",
        query=ExportFilter,
        answers=(Answer(description="Some entries.", content_type=NDJSON, also=(CSV,), headers=(_NEXT,)),),
    ),
    Route(
        method="GET",
        path="/audit/verification",
        handler=verify_entries,
        summary="Check that nobody has tampered with the entries",
        tag="audit",
        rule="audit:read",
        description=f"Some {service.MAX_VERIFIED} a request: while `complete` is false and `ok` true, go on with "
        "`anchor`. An anchor that was kept elsewhere also shows whether the newest entries were cut off.",
        query=VerificationQuery,
        answers=(Answer(description="What was found.", model=Verification),),
    ),
    Route(
        method="GET",
        path="/audit/{seq}",
        handler=get_entry,
        summary="Get an entry",
        tag="audit",
        rule="audit:read",
        answers=(Answer(description="The entry.", model=AuditEntry),),
        errors=(NotFound,),
    ),
)
