"""The routes of tenants."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chalicelib.domain.errors import Conflict, NotFound
from chalicelib.engine.core import Engine
from chalicelib.features.base import JSON, MERGE_PATCH, Answer, Body, Request, Response, Route
from chalicelib.features.conditional import etag
from chalicelib.features.names import MAX_NAME, DisplayName
from chalicelib.features.paging import List, PageQuery
from chalicelib.features.tenants import ending, service
from chalicelib.features.tenants.views import MembershipPage, TenantView, membership_view, tenant_view
from chalicelib.identity.tenants import Tenant


class TenantFields(BaseModel):
    """What can be said of a tenant."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    name: DisplayName


class Farewell(BaseModel):
    """That the end is meant."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    name: Annotated[str, StringConstraints(max_length=MAX_NAME)] = Field(
        description="The tenant's name, letter by letter."
    )


def get_current_tenant(engine: Engine, request: Request) -> Response:
    return _shown(service.read(engine, request.tenant))


def patch_tenant(engine: Engine, request: Request) -> Response:
    body: TenantFields = request.body
    return _shown(service.rename(engine, request.tenant, body.name, request.if_match))


def delete_current_tenant(engine: Engine, request: Request) -> Response:
    body: Farewell = request.body
    ending.end(engine, request.tenant, request.principal.actor, body.name, request.if_match)
    return Response(status=204)


def list_tenants(engine: Engine, request: Request) -> Response:
    query: PageQuery = request.query
    user_id = request.principal.actor
    pages = List(engine.secrets, user_id, "tenants", "", query)
    found, last = service.listed(engine, user_id, limit=query.limit, after=pages.after(query.cursor))
    items = [membership_view(tenant, member, request.tenant) for tenant, member in found]
    return Response(MembershipPage.model_construct(items=items, next_cursor=pages.cursor(last)))


def create_tenant(engine: Engine, request: Request) -> Response:
    body: TenantFields = request.body
    made = service.found(engine, request.principal, body.name, request.idempotency)
    return Response(tenant_view(made), 201, {"ETag": etag(made.revision)})


def _shown(tenant: Tenant) -> Response:
    return Response(tenant_view(tenant), headers={"ETag": etag(tenant.revision)})


_SHOWN = (Answer(description="The tenant.", model=TenantView, headers=("ETag",)),)
_BODY = Body(model=TenantFields, examples={"name": {"name": "Rocket Works"}})

ROUTES = (
    Route(
        method="GET",
        path="/tenant",
        handler=get_current_tenant,
        summary="Get the tenant that this key or token works in",
        tag="tenants",
        rule="tenant:read",
        answers=_SHOWN,
        errors=(NotFound,),
    ),
    Route(
        method="PATCH",
        path="/tenant",
        handler=patch_tenant,
        summary="Rename the tenant",
        tag="tenants",
        rule="tenant:write",
        body=Body(model=TenantFields, media_types=(MERGE_PATCH, JSON), examples=_BODY.examples),
        answers=_SHOWN,
        errors=(Conflict, NotFound),
        conditional=True,
    ),
    Route(
        method="DELETE",
        path="/tenant",
        handler=delete_current_tenant,
        summary="Delete the tenant",
        tag="tenants",
        rule="tenant:own",
        description="For ever. It must have no jobs any more. Members and keys lose access at once; what it recorded "
        "expires by its plan. Send it again if it is answered with 503: it goes on where it was.",
        body=Body(model=Farewell, examples={"name": {"name": "Rocket Works"}}),
        answers=(Answer(description="It is gone.", status=204),),
        errors=(Conflict, NotFound),
        conditional=True,
    ),
    Route(
        method="GET",
        path="/tenants",
        handler=list_tenants,
        summary="List the tenants that you belong to",
        tag="tenants",
        rule="account:read",
        query=PageQuery,
        answers=(Answer(description="A page of tenants.", model=MembershipPage),),
    ),
    Route(
        method="POST",
        path="/tenants",
        handler=create_tenant,
        summary="Found a tenant",
        tag="tenants",
        rule="account:write",
        description=f"On the free plan, with you as owner. To work in it, refresh your session with its id. Who owns "
        f"{service.MAX_OWNED} founds no more. Where registering is closed to strangers, only owners found others "
        "(`registration_closed`).",
        body=_BODY,
        answers=(Answer(description="The new tenant.", status=201, model=TenantView, headers=("ETag",)),),
        errors=(Conflict,),
        once=True,
    ),
)
