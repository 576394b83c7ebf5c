"""The routes of limits."""

from urllib.parse import unquote

from chalicelib.domain.errors import Conflict, Invalid, NotFound
from chalicelib.domain.limits import TargetLimits, TenantLimits
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.gates import TENANT_GATE, target_gate
from chalicelib.executors.hosts import host_name
from chalicelib.features.base import Answer, Body, Request, Response, Route
from chalicelib.features.conditional import etag
from chalicelib.features.limits import service
from chalicelib.features.limits.views import (
    TargetPage,
    TargetView,
    TenantLimitsView,
    target_summary,
    target_view,
    tenant_view,
)
from chalicelib.features.paging import List, PageQuery


def _host(request: Request) -> str | None:
    """The host as limits name it; some gateways leave escapes in paths, and no host has any."""
    return host_name(unquote(request.path["host"]))


def get_tenant(engine: Engine, request: Request) -> Response:
    return _tenant(engine, request, service.read(engine, request.tenant))


def put_tenant(engine: Engine, request: Request) -> Response:
    stored = service.set_tenant(engine, request.tenant, request.body, request.if_match)
    return _tenant(engine, request, stored)


def delete_tenant(engine: Engine, request: Request) -> Response:
    service.set_tenant(engine, request.tenant, TenantLimits(), request.if_match)
    return Response(status=204)


def list_targets(engine: Engine, request: Request) -> Response:
    query: PageQuery = request.query
    pages = List(engine.secrets, request.tenant, "targets", "", query)
    after = pages.after(query.cursor) or ""
    targets = service.read(engine, request.tenant).limits.targets
    names = sorted(name for name in targets if name > after)
    shown = names[: query.limit]
    items = [target_summary(name, targets[name]) for name in shown]
    last = shown[-1] if len(names) > len(shown) else None
    return Response(TargetPage.model_construct(items=items, next_cursor=pages.cursor(last)))


def get_target(engine: Engine, request: Request) -> Response:
    host = _host(request)
    if host is None:
        raise NotFound("There are no limits on this target.")
    return _target(engine, request, host, service.read(engine, request.tenant))


def put_target(engine: Engine, request: Request) -> Response:
    host = _host(request)
    if host is None:
        raise Invalid.field("/host", "This must be the name or address of a host, without a port.", "host")
    stored = service.set_target(engine, request.tenant, host, request.body, request.if_match)
    return _target(engine, request, host, stored)


def delete_target(engine: Engine, request: Request) -> Response:
    service.drop_target(engine, request.tenant, _host(request) or "", request.if_match)
    return Response(status=204)


def _tenant(engine: Engine, request: Request, stored: service.Stored) -> Response:
    live = service.live(engine, request.tenant, TENANT_GATE, stored.limits)
    view = tenant_view(stored.limits.tenant, live, engine.clock.now_ms())
    return Response(view, headers={"ETag": etag(stored.revision)})


def _target(engine: Engine, request: Request, host: str, stored: service.Stored) -> Response:
    limits = service.target(stored, host)
    live = service.live(engine, request.tenant, target_gate(host), stored.limits)
    view = target_view(host, limits, live, engine.clock.now_ms())
    return Response(view, headers={"ETag": etag(stored.revision)})


_RATE = {"limit": 5, "per_seconds": 1}
_BREAKER = {"failures": 5, "within_seconds": 60, "open_seconds": 30}
_SOON = (
    "It holds within 10 seconds. Runs that have a moment by an earlier rate keep it. The ETag is that of all limits of "
    "the tenant together."
)
_TENANT = (Answer(description="The limits as they are now.", model=TenantLimitsView, headers=("ETag",)),)
_TARGET = (Answer(description="The limits as they are now.", model=TargetView, headers=("ETag",)),)
_GONE = (Answer(description="There are none any more; who waited is called.", status=204),)

ROUTES = (
    Route(
        method="GET",
        path="/limits/tenant",
        handler=get_tenant,
        summary="Get the tenant's limits and their state",
        tag="limits",
        rule="limits:read",
        answers=_TENANT,
    ),
    Route(
        method="PUT",
        path="/limits/tenant",
        handler=put_tenant,
        summary="Limit all runs of the tenant together",
        tag="limits",
        rule="limits:write",
        description=_SOON,
        body=Body(model=TenantLimits, examples={"both": {"concurrency": 50, "rate": _RATE}}),
        answers=_TENANT,
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="DELETE",
        path="/limits/tenant",
        handler=delete_tenant,
        summary="Take the tenant's limits away",
        tag="limits",
        rule="limits:write",
        answers=_GONE,
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="GET",
        path="/limits/targets",
        handler=list_targets,
        summary="List the targets that have limits, by name",
        tag="limits",
        rule="limits:read",
        query=PageQuery,
        answers=(Answer(description="A page of targets.", model=TargetPage),),
    ),
    Route(
        method="GET",
        path="/limits/targets/{host}",
        handler=get_target,
        summary="Get a target's limits and their state",
        tag="limits",
        rule="limits:read",
        answers=_TARGET,
    ),
    Route(
        method="PUT",
        path="/limits/targets/{host}",
        handler=put_target,
        summary="Limit all runs of the tenant that go to one host",
        tag="limits",
        rule="limits:write",
        description="The host as it stands in URLs, without a port: all ports of it are one target. What leads to "
        "another host by a redirect counts for the first. " + _SOON,
        body=Body(
            model=TargetLimits, examples={"all": {"concurrency": 10, "rate": _RATE, "breaker": _BREAKER}}
        ),
        answers=_TARGET,
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="DELETE",
        path="/limits/targets/{host}",
        handler=delete_target,
        summary="Take a target's limits away",
        tag="limits",
        rule="limits:write",
        answers=_GONE,
        errors=(Conflict,),
        conditional=True,
    ),
)
