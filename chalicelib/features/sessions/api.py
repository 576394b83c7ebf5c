"""The routes of sessions."""

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.errors import NotFound
from chalicelib.domain.instants import rfc3339
from chalicelib.engine.core import Engine
from chalicelib.features.base import Answer, Request, Response, Route
from chalicelib.identity.sessions import Session, end, end_all, sessions_of


class SessionView(BaseModel):
    """One sign-in and what came of it."""

    model_config = ConfigDict(defer_build=True)

    id: str
    current: bool = Field(description="Whether it is the one that asks.")
    created_at: str = Field(json_schema_extra={"format": "date-time"})
    last_used_at: str = Field(
        json_schema_extra={"format": "date-time"}, description="When it was refreshed last."
    )
    expires_at: str = Field(
        json_schema_extra={"format": "date-time"}, description="Unless it is refreshed before."
    )
    address: str = Field(description="Where it was refreshed from last.")
    agent: str = Field(description="With which program, as that says of itself.")
    signed_in_by: str


class SessionList(BaseModel):
    """The sessions, the latest used first."""

    model_config = ConfigDict(defer_build=True)

    items: list[SessionView]


def list_sessions(engine: Engine, request: Request) -> Response:
    principal = request.principal
    found = sessions_of(engine, principal.actor)
    return Response(SessionList.model_construct(items=[_view(each, principal.session) for each in found]))


def end_session(engine: Engine, request: Request) -> Response:
    if not end(engine, request.principal.actor, request.path["session_id"]):
        raise NotFound("There is no such session.")
    return Response(status=204)


def end_sessions(engine: Engine, request: Request) -> Response:
    end_all(engine, request.principal.actor, but=request.principal.session)
    return Response(status=204)


def _view(session: Session, current: str | None) -> SessionView:
    return SessionView.model_construct(
        id=session.id,
        current=session.id == current,
        created_at=rfc3339(session.created_ms),
        last_used_at=rfc3339(session.used_ms),
        expires_at=rfc3339(session.expires_ms),
        address=session.visit.address,
        agent=session.visit.agent,
        signed_in_by=session.by,
    )


ROUTES = (
    Route(
        method="GET",
        path="/auth/sessions",
        handler=list_sessions,
        summary="List one's sessions",
        tag="accounts",
        rule="account:read",
        answers=(Answer(description="Those that are not over.", model=SessionList),),
    ),
    Route(
        method="DELETE",
        path="/auth/sessions",
        handler=end_sessions,
        summary="End all of one's sessions but this one",
        tag="accounts",
        rule="account:write",
        answers=(Answer(description="They have ended, with all their tokens.", status=204),),
    ),
    Route(
        method="DELETE",
        path="/auth/sessions/{session_id}",
        handler=end_session,
        summary="End one of one's sessions",
        tag="accounts",
        rule="account:write",
        answers=(Answer(description="It has ended, with all its tokens.", status=204),),
    ),
)
