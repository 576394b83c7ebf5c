"""The routes of members."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from chalicelib.domain.errors import Conflict, NotFound
from chalicelib.engine.core import Engine
from chalicelib.features.base import JSON, MERGE_PATCH, Answer, Body, Request, Response, Route
from chalicelib.features.conditional import etag
from chalicelib.features.members import service
from chalicelib.features.members.views import MemberPage, MemberView, member_view
from chalicelib.features.paging import List, PageQuery
from chalicelib.identity.members import Member

MemberRole = Literal["owner", "admin", "editor", "operator", "viewer"]
"""`service` is for keys alone."""


class MemberPatch(BaseModel):
    """Another role."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    role: MemberRole


def list_members(engine: Engine, request: Request) -> Response:
    query: PageQuery = request.query
    pages = List(engine.secrets, request.tenant, "members", "user", query)
    found, last = service.listed(engine, request.tenant, limit=query.limit, after=pages.after(query.cursor))
    users = service.users_of(engine, found)
    items = [member_view(each, users.get(each.user)) for each in found]
    return Response(MemberPage.model_construct(items=items, next_cursor=pages.cursor(last)))


def get_member(engine: Engine, request: Request) -> Response:
    return _shown(engine, service.read(engine, request.tenant, request.path["user_id"]))


def patch_member(engine: Engine, request: Request) -> Response:
    body: MemberPatch = request.body
    user_id = request.path["user_id"]
    return _shown(
        engine, service.change_role(engine, request.principal, user_id, body.role, request.if_match)
    )


def delete_member(engine: Engine, request: Request) -> Response:
    service.remove(engine, request.principal, request.path["user_id"], request.if_match)
    return Response(status=204)


def leave_tenant(engine: Engine, request: Request) -> Response:
    service.remove(engine, request.principal, request.principal.actor, None)
    return Response(status=204)


def _shown(engine: Engine, member: Member) -> Response:
    user = service.users_of(engine, [member]).get(member.user)
    return Response(member_view(member, user), headers={"ETag": etag(member.revision)})


_OWN = (
    "Nobody gives more than they have, or changes somebody who may more than they; so owners alone make or unmake "
    "owners. "
)
_KEPT = "A tenant keeps an owner: the last one is 409 `last_owner`."
_SHOWN = (Answer(description="The member.", model=MemberView, headers=("ETag",)),)

ROUTES = (
    Route(
        method="GET",
        path="/tenant/members",
        handler=list_members,
        summary="List the members of the tenant",
        tag="members",
        rule="members:read",
        query=PageQuery,
        answers=(Answer(description="A page of members.", model=MemberPage),),
    ),
    Route(
        method="GET",
        path="/tenant/members/{user_id}",
        handler=get_member,
        summary="Get a member",
        tag="members",
        rule="members:read",
        answers=_SHOWN,
    ),
    Route(
        method="PATCH",
        path="/tenant/members/{user_id}",
        handler=patch_member,
        summary="Give a member another role",
        tag="members",
        rule="members:write",
        description=f"It holds from the next request on. {_OWN}{_KEPT}",
        body=Body(model=MemberPatch, media_types=(MERGE_PATCH, JSON), examples={"role": {"role": "editor"}}),
        answers=_SHOWN,
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="DELETE",
        path="/tenant/members/{user_id}",
        handler=delete_member,
        summary="Take a member out of the tenant",
        tag="members",
        rule="members:write",
        description="Their tokens and their own keys open nothing of the tenant from now on; keys of the role "
        f"`service` stay. {_OWN}{_KEPT}",
        answers=(Answer(description="They are out.", status=204),),
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="POST",
        path="/tenant/leave",
        handler=leave_tenant,
        summary="Leave the tenant",
        tag="members",
        rule="account:write",
        description=_KEPT,
        answers=(Answer(description="You are out.", status=204),),
        errors=(Conflict, NotFound),
        replayed=True,
    ),
)
