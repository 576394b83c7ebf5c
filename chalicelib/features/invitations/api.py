"""The routes of invitations."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chalicelib.domain.errors import Conflict, Gone, NotFound, TooManyRequests, Unavailable
from chalicelib.engine.core import Engine
from chalicelib.features.auth.views import Email, NewPassword, PersonName
from chalicelib.features.base import Answer, Body, Request, Response, Route
from chalicelib.features.invitations import answering, service
from chalicelib.features.invitations.answering import Newcomer
from chalicelib.features.invitations.views import (
    InvitationPage,
    InvitationView,
    NewInvitationView,
    invitation_view,
    new_invitation_view,
)
from chalicelib.features.members.api import MemberRole
from chalicelib.features.paging import List, PageQuery
from chalicelib.features.tenants.service import read as read_tenant
from chalicelib.features.tenants.views import MembershipView, membership_view
from chalicelib.identity.invitations import MAX_A_DAY, PREFIX, Wanted
from chalicelib.identity.members import Member

Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class NewInvitation(BaseModel):
    """Who is invited, and as what."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    email: Email
    role: MemberRole = Field("viewer", description="At most one's own.")


class Invited(BaseModel):
    """What the invited show."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    token: Text = Field(description="The text of the invitation.", repr=False)


class InvitedNewcomer(Invited):
    """What the invited show and choose who have no account yet."""

    name: PersonName
    password: NewPassword


def create_invitation(engine: Engine, request: Request) -> Response:
    body: NewInvitation = request.body
    wanted = Wanted(request.tenant, body.email, body.role, request.principal.actor)
    made, text = service.create(engine, request.principal, wanted, request.idempotency)
    view = new_invitation_view(made, text, engine.clock.now_ms())
    return Response(view, 201, {"Location": f"/tenant/invitations/{made.id}"})


def list_invitations(engine: Engine, request: Request) -> Response:
    query: PageQuery = request.query
    pages = List(engine.secrets, request.tenant, "invitations", "invite", query)
    found, last = service.listed(engine, request.tenant, limit=query.limit, after=pages.after(query.cursor))
    items = [invitation_view(each, engine.clock.now_ms()) for each in found]
    return Response(InvitationPage.model_construct(items=items, next_cursor=pages.cursor(last)))


def get_invitation(engine: Engine, request: Request) -> Response:
    found = service.read(engine, request.tenant, request.path["invitation_id"])
    return Response(invitation_view(found, engine.clock.now_ms()))


def delete_invitation(engine: Engine, request: Request) -> Response:
    service.revoke(engine, request.tenant, request.path["invitation_id"])
    return Response(status=204)


def accept_invitation(engine: Engine, request: Request) -> Response:
    body: Invited = request.body
    return _joined(engine, request, answering.accept(engine, request.principal.actor, body.token))


def register_invited(engine: Engine, request: Request) -> Response:
    body: InvitedNewcomer = request.body
    newcomer = Newcomer(body.name, body.password, request.origin.address)
    return _joined(engine, request, answering.register(engine, newcomer, body.token), 201)


def decline_invitation(engine: Engine, request: Request) -> Response:
    body: Invited = request.body
    answering.decline(engine, body.token)
    return Response(status=204)


def _joined(engine: Engine, request: Request, member: Member, status: int = 200) -> Response:
    tenant = read_tenant(engine, member.tenant)
    return Response(membership_view(tenant, member, request.tenant), status)


_TOKEN = {"token": f"{PREFIX}01MCCKG2G0B4D6F8H1J3K5M7N9_..."}

ROUTES = (
    Route(
        method="POST",
        path="/tenant/invitations",
        handler=create_invitation,
        summary="Invite somebody into the tenant",
        tag="invitations",
        rule="members:write",
        description="By mail, or, where the stage sends none, by the token that this answer alone shows. It is good "
        "for seven days, for this address, and once; and only as long as who wrote it may still give that role. "
        f"At most {MAX_A_DAY} a day.",
        body=Body(
            model=NewInvitation, examples={"an editor": {"email": "grace@example.com", "role": "editor"}}
        ),
        answers=(
            Answer(description="The invitation.", status=201, model=NewInvitationView, headers=("Location",)),
        ),
        errors=(Conflict,),
        once=True,
    ),
    Route(
        method="GET",
        path="/tenant/invitations",
        handler=list_invitations,
        summary="List the invitations, the latest first",
        tag="invitations",
        rule="members:read",
        description="Also those that were answered, or are over, for 30 days more.",
        query=PageQuery,
        answers=(Answer(description="A page of invitations.", model=InvitationPage),),
    ),
    Route(
        method="GET",
        path="/tenant/invitations/{invitation_id}",
        handler=get_invitation,
        summary="Get an invitation",
        tag="invitations",
        rule="members:read",
        answers=(Answer(description="The invitation.", model=InvitationView),),
    ),
    Route(
        method="DELETE",
        path="/tenant/invitations/{invitation_id}",
        handler=delete_invitation,
        summary="Take an invitation back",
        tag="invitations",
        rule="members:write",
        description="Who has come in by it stays.",
        answers=(Answer(description="It opens nothing any more.", status=204),),
    ),
    Route(
        method="POST",
        path="/invitations/accept",
        handler=accept_invitation,
        summary="Accept an invitation",
        tag="invitations",
        rule="account:write",
        description="As a user who has signed in, with the address that it is for. To work in the tenant, refresh the "
        "session with its id.",
        body=Body(model=Invited, examples={"token": _TOKEN}),
        answers=(Answer(description="The membership.", model=MembershipView),),
        errors=(Conflict, Gone, NotFound),
        replayed=True,
    ),
    Route(
        method="POST",
        path="/invitations/register",
        handler=register_invited,
        summary="Accept an invitation without an account",
        tag="invitations",
        public=True,
        secret=True,
        description="Makes an account with the address that the invitation is for, also where registering is closed to "
        "strangers. The address counts as confirmed if the token came by mail. Sign in then, with "
        "`POST /auth/login`.",
        body=Body(
            model=InvitedNewcomer,
            examples={
                "usual": {**_TOKEN, "name": "Grace Hopper", "password": "a long sentence will do"},
            },
        ),
        answers=(Answer(description="The membership.", status=201, model=MembershipView),),
        errors=(Conflict, Gone, NotFound, TooManyRequests, Unavailable),
    ),
    Route(
        method="POST",
        path="/invitations/decline",
        handler=decline_invitation,
        summary="Decline an invitation",
        tag="invitations",
        public=True,
        body=Body(model=Invited, examples={"token": _TOKEN}),
        answers=(Answer(description="It is declined.", status=204),),
        errors=(Gone, NotFound, Unavailable),
    ),
)
