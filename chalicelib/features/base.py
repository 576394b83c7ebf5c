"""What a feature says about itself, its routes, and what a handler is given for one request. `http/` carries both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from chalicelib.domain.errors import ChronosError
from chalicelib.engine.core import Engine
from chalicelib.features.idempotency import IdempotencyKey
from chalicelib.identity.principal import Principal

VERSION = "0.1.0"
JSON = "application/json"
YAML = "application/yaml"
MERGE_PATCH = "application/merge-patch+json"
BODILESS = (204, 302)
"""Statuses of answers that have no body, and no type."""

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class NoQuery(BaseModel):
    """A route without query parameters."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


class NoFields(BaseModel):
    """A route whose body is left out, or an empty object."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


@dataclass(frozen=True, slots=True)
class Origin:
    """Which request asked for a thing: its id in the logs, and the W3C's traceparent that came with it, if one did.

    `address` and `agent`: where it came from, as the gateway saw it, and with which program, as that says of itself.
    """

    request_id: str | None = None
    trace: str | None = None
    address: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """`query` is an instance of the route's query model, `body` what its `parse` returned, `path` its parameters.

    `cookie`: the header, of which only a sign-in that goes by another server makes use.
    """

    principal: Principal
    path: Mapping[str, str] = field(default_factory=dict)
    query: Any = None
    body: Any = None
    if_match: str | None = None
    idempotency: IdempotencyKey | None = None
    origin: Origin = Origin()
    cookie: str = field(default="", repr=False)

    @property
    def tenant(self) -> str:
        return self.principal.tenant


@dataclass(frozen=True, slots=True)
class Response:
    """`body` is a model, which becomes JSON, or text, sent as it is. A `Location` is given without the stage's name."""

    body: BaseModel | str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON


Handler = Callable[[Engine, Request], Response]
Parse = Callable[[Any], Any]
"""The decoded body (a JSON object, or text) to what the handler wants. Invalid if its values do not do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a route accepts. `model` documents it, and checks it unless there is a `parse`. `text`: it is no JSON."""

    model: type[BaseModel] | None = None
    parse: Parse | None = None
    required: bool = True
    text: bool = False
    media_types: tuple[str, ...] = (JSON,)
    description: str = ""
    examples: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A success that a route may answer. `model` is None where there is no JSON. `also`: other types that it has."""

    description: str
    status: int = 200
    model: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()
    content_type: str = JSON
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """Since when a route should not be used, until when it works if that is known, and what takes its place."""

    since: date
    successor: str
    sunset: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation. `errors` are those that do not follow from the rest; `conditional`: If-Match; `public`: no key.

    `once`: it makes something, and an Idempotency-Key keeps it from making it twice. `replayed`: it changes something,
    and a repeat with the same key is given the first answer again. `rule` names the permission that
    it needs, such as `jobs:read`; a public route has none. `unrecorded`: why the audit trail says nothing of a route
    that is no GET; all others leave a record. `secret`: passwords or tokens pass here, so that neither request nor
    answer is kept for an Idempotency-Key. `level_ms`: no answer leaves sooner, so that its time tells nothing.
    """

    method: Method
    path: str
    handler: Handler
    summary: str
    tag: str
    answers: tuple[Answer, ...]
    description: str = ""
    query: type[BaseModel] = NoQuery
    body: Body | None = None
    errors: tuple[type[ChronosError], ...] = ()
    conditional: bool = False
    public: bool = False
    once: bool = False
    replayed: bool = False
    secret: bool = False
    rule: str = ""
    unrecorded: str = ""
    level_ms: int = 0
    deprecated: Deprecation | None = None
