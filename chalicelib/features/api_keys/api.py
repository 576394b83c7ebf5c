"""The routes of API keys."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from chalicelib.domain.errors import Conflict, Invalid
from chalicelib.domain.instants import epoch_ms
from chalicelib.domain.permissions import Role
from chalicelib.domain.schedule import Moment
from chalicelib.engine.core import Engine
from chalicelib.features.api_keys import service
from chalicelib.features.api_keys.views import KeyPage, KeyView, NewKeyView, key_view, new_key_view
from chalicelib.features.base import JSON, MERGE_PATCH, Answer, Body, Request, Response, Route
from chalicelib.features.conditional import etag
from chalicelib.features.names import DisplayName
from chalicelib.features.paging import List, PageQuery
from chalicelib.identity.keys import MAX_KEYS, ApiKey, Wanted

MAX_OVERLAP_SECONDS = 86_400
Scope = Annotated[str, StringConstraints(min_length=1, max_length=40)]


class NewKey(BaseModel):
    """What a new key is to be."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    name: DisplayName
    role: Role = Field("viewer", description="Not owner. At most one's own.")
    scopes: list[Scope] | None = Field(
        None,
        min_length=1,
        max_length=40,
        description="Of the role's permissions, only these, such as `jobs:read`. null: all of them.",
    )
    expires_at: Moment | None = Field(None, description="In the future. null: never.")


class KeyPatch(BaseModel):
    """Another name."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    name: DisplayName


class Rotation(BaseModel):
    """What becomes of the text before."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    overlap_seconds: int = Field(
        0, ge=0, le=MAX_OVERLAP_SECONDS, strict=True, description="For how long it is still good."
    )


def create_api_key(engine: Engine, request: Request) -> Response:
    body: NewKey = request.body
    now_ms = engine.clock.now_ms()
    expires_ms = None if body.expires_at is None else epoch_ms(body.expires_at)
    if expires_ms is not None and expires_ms <= now_ms:
        raise Invalid.field("/expires_at", "It must lie in the future.", "past")
    scopes = None if body.scopes is None else frozenset(body.scopes)
    wanted = Wanted(request.tenant, body.name, body.role, request.principal.actor, scopes, expires_ms)
    made, text = service.create(engine, request.principal, wanted, request.idempotency)
    headers = {"ETag": etag(made.revision), "Location": f"/api-keys/{made.id}"}
    return Response(new_key_view(made, text, now_ms), 201, headers)


def list_api_keys(engine: Engine, request: Request) -> Response:
    query: PageQuery = request.query
    pages = List(engine.secrets, request.tenant, "api-keys", "key", query)
    found, last = service.listed(engine, request.tenant, limit=query.limit, after=pages.after(query.cursor))
    items = [key_view(each, engine.clock.now_ms()) for each in found]
    return Response(KeyPage.model_construct(items=items, next_cursor=pages.cursor(last)))


def get_api_key(engine: Engine, request: Request) -> Response:
    return _shown(engine, service.read(engine, request.tenant, request.path["key_id"]))


def patch_api_key(engine: Engine, request: Request) -> Response:
    body: KeyPatch = request.body
    key_id = request.path["key_id"]
    return _shown(engine, service.rename(engine, request.tenant, key_id, body.name, request.if_match))


def delete_api_key(engine: Engine, request: Request) -> Response:
    service.delete(engine, request.tenant, request.path["key_id"], request.if_match)
    return Response(status=204)


def rotate_api_key(engine: Engine, request: Request) -> Response:
    body: Rotation = request.body or Rotation(overlap_seconds=0)
    after, text = service.rotate(
        engine,
        request.principal,
        request.path["key_id"],
        body.overlap_seconds * 1000,
        request.if_match,
        request.idempotency,
    )
    view = new_key_view(after, text, engine.clock.now_ms())
    return Response(view, headers={"ETag": etag(after.revision)})


def _shown(engine: Engine, key: ApiKey) -> Response:
    return Response(key_view(key, engine.clock.now_ms()), headers={"ETag": etag(key.revision)})


_ONCE = (
    "Its text is in this answer and in no other: a repeat with the same Idempotency-Key is 409 `shown_once`."
)
_SHOWN = (Answer(description="The key, without its text.", model=KeyView, headers=("ETag",)),)

ROUTES = (
    Route(
        method="POST",
        path="/api-keys",
        handler=create_api_key,
        summary="Make an API key",
        tag="api keys",
        rule="keys:write",
        description=f"{_ONCE} It may no more than who makes it. A key of the role `service` is the tenant's own; any "
        "other is its member's: it never may more than they may by then, and ends with their membership. At most "
        f"{MAX_KEYS} a tenant.",
        body=Body(
            model=NewKey,
            examples={
                "a program": {"name": "nightly import", "role": "service"},
                "read only": {"name": "dashboard", "scopes": ["jobs:read", "runs:read"]},
            },
        ),
        answers=(
            Answer(
                description="The new key, with its text.",
                status=201,
                model=NewKeyView,
                headers=("ETag", "Location"),
            ),
        ),
        errors=(Conflict,),
        once=True,
    ),
    Route(
        method="GET",
        path="/api-keys",
        handler=list_api_keys,
        summary="List the API keys",
        tag="api keys",
        rule="keys:read",
        query=PageQuery,
        answers=(Answer(description="A page of keys, the oldest first.", model=KeyPage),),
    ),
    Route(
        method="GET",
        path="/api-keys/{key_id}",
        handler=get_api_key,
        summary="Get an API key",
        tag="api keys",
        rule="keys:read",
        answers=_SHOWN,
    ),
    Route(
        method="PATCH",
        path="/api-keys/{key_id}",
        handler=patch_api_key,
        summary="Rename an API key",
        tag="api keys",
        rule="keys:write",
        body=Body(model=KeyPatch, media_types=(MERGE_PATCH, JSON), examples={"name": {"name": "nightly"}}),
        answers=_SHOWN,
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="DELETE",
        path="/api-keys/{key_id}",
        handler=delete_api_key,
        summary="Take an API key back",
        tag="api keys",
        rule="keys:write",
        description="It opens nothing from now on.",
        answers=(Answer(description="It is gone.", status=204),),
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="POST",
        path="/api-keys/{key_id}/rotate",
        handler=rotate_api_key,
        summary="Give an API key another secret",
        tag="api keys",
        rule="keys:write",
        description=f"{_ONCE} Only one's own keys and the tenant's, and only if they may no more than who asks.",
        body=Body(model=Rotation, required=False, examples={"an hour": {"overlap_seconds": 3600}}),
        answers=(Answer(description="The key, with its new text.", model=NewKeyView, headers=("ETag",)),),
        errors=(Conflict,),
        conditional=True,
        once=True,
    ),
)
