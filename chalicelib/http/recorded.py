"""Which routes the audit trail tells of, and of what they are."""

from collections.abc import Mapping

from chalicelib.engine.core import Engine
from chalicelib.features.base import Origin, Route
from chalicelib.identity.trail.book import Book
from chalicelib.identity.trail.entries import Opened
from chalicelib.identity.trail.recording import NO_RECORDING, Recording, RequestRecording

_MAX_ID = 200


def is_recorded(route: Route) -> bool:
    """All that may change something; on public routes also a GET may, which then says itself who acts."""
    return not route.unrecorded and (route.public or route.method != "GET")


def recording_of(
    route: Route, path: Mapping[str, str], origin: Origin, engine: Engine, book: Book
) -> Recording:
    """The witness of a request."""
    if not is_recorded(route):
        return NO_RECORDING
    kind, identifier = object_of(route.path, path)
    asked = Opened(
        id="",
        tenant="",
        at_ms=engine.clock.now_ms(),
        actor="",
        operation=f"{route.method} {route.path}",
        kind=kind,
        object=identifier,
        address=origin.address,
        agent=origin.agent,
        request_id=origin.request_id or "",
        trace=origin.trace,
    )
    return RequestRecording(engine, book, asked, is_public=route.public)


def object_of(template: str, path: Mapping[str, str]) -> tuple[str, str]:
    """The kind and the id of what a path is about first: `/jobs/{job_id}/pause` of a job. A token is no id."""
    before = ""
    for part in template.strip("/").split("/"):
        if part.startswith("{"):
            name = part[1:-1]
            return (
                (before.removesuffix("s"), path.get(name, "")[:_MAX_ID]) if "token" not in name else ("", "")
            )
        before = part
    return "", ""
