"""The OpenAPI 3.1 document, made from the table of routes and the pydantic models. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from chalicelib.domain.errors import (
    ChronosError,
    Forbidden,
    Invalid,
    Malformed,
    MalformedHeader,
    NotFound,
    PayloadTooLarge,
    PreconditionFailed,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
)
from chalicelib.executors import registry
from chalicelib.executors.base import ExecutorSpec
from chalicelib.features.base import BODILESS, VERSION, Answer, Body, Route
from chalicelib.http.idempotency import KEY_PATTERN, MAX_KEY
from chalicelib.http.problems import PROBLEM_JSON, STATUS

_Mode = Literal["validation", "serialization"]
_SCHEMAS = "#/components/schemas/{model}"
_ONCE = (
    "A key of your own. For 24 hours a repeat with the same key makes nothing new: it is answered with what the first "
    "request made, as it is by then. The same key with another payload is refused (`idempotency_key_reused`)."
)
_REPLAYED = (
    "A key of your own. For 24 hours a repeat with the same key changes nothing, and is given the first answer again, "
    "with `Idempotency-Replayed: true`. The same key with another payload is refused (`idempotency_key_reused`)."
)
_REPEATABLE = (
    "Accepted on every POST. This one changes nothing that a repeat would change again, so no key is needed."
)
_NOT_KEPT = "Accepted on every POST. Secrets pass here, so that nothing is kept for a key: a repeat is another request."
_HEADERS = {
    "ETag": "The revision, in quotes.",
    "Location": "Where the new thing is, or where to go on.",
    "Next-Cursor": "Give it as `cursor` for what follows. It is left out at the end.",
    "Retry-After": "So many seconds later it may be asked again.",
    "Set-Cookie": "What binds a sign-in to the browser in which it began.",
}


class BadField(BaseModel):
    """One field that does not do."""

    pointer: str = Field(
        description="RFC 6901, into the body; into the parameters where it begins with /query.",
        examples=["/schedule/expression"],
    )
    message: str
    code: str = Field(description="Stable.", examples=["required", "unknown_field", "cron_expression"])


class Quota(BaseModel):
    """A limit of the tenant's plan."""

    name: Literal["jobs", "executions"]
    plan: str
    limit: int
    used: int
    resets_at: str | None = Field(
        json_schema_extra={"format": "date-time"}, description="null: until some of it is given back."
    )
    usage: str = Field(description="Where all that is used can be read.", examples=["/tenant/usage"])


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(examples=["urn:chronos:problem:invalid"])
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable; the end of `type`.", examples=["invalid"])
    errors: list[BadField] = Field([], description="With 422: one entry a bad field.")
    quota: Quota | None = Field(None, description="With the code `quota_exceeded`.")
    request_id: str = Field(description="Names the request in the logs.")


def document(routes: Sequence[Route], examples: Mapping[str, Any]) -> dict[str, Any]:
    """The whole document. `examples` of answers are named "METHOD /path status"."""
    specs = [spec for type_ in registry.types() if (spec := registry.spec(type_))]
    refs, schemas = _schemas(routes, specs)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, refs, examples)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Chronos",
            "version": VERSION,
            "summary": "Runs jobs at their moment, once, and can prove what happened to them.",
            "description": _types_described(specs),
        },
        "servers": [{"url": "."}],
        "security": [{"key": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {f"Problem{status}": _problem(status) for status in sorted(set(STATUS.values()))},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _types_described(specs: Iterable[ExecutorSpec]) -> str:
    lines = [
        f"- `{spec.type}`: {spec.description} `config` is the schema `{_config_name(spec)}`."
        for spec in specs
    ]
    return "Job types:\n\n" + "\n".join(lines)


def _config_name(spec: ExecutorSpec) -> str:
    return f"{_prefix(spec)}Config"


def _prefix(spec: ExecutorSpec) -> str:
    return spec.type.title().replace("_", "")


def _schemas(
    routes: Sequence[Route], specs: Iterable[ExecutorSpec]
) -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
    """A reference for each model that a route names, and all the schemas."""
    wanted: dict[tuple[type[BaseModel], _Mode], None] = {(Problem, "serialization"): None}
    for route in routes:
        wanted |= {(answer.model, "serialization"): None for answer in route.answers if answer.model}
        if route.body and route.body.model:
            wanted[route.body.model, "validation"] = None
    refs, definitions = models_json_schema(list(wanted), ref_template=_SCHEMAS)
    schemas: dict[str, Any] = definitions["$defs"]
    for spec in specs:
        prefix = _prefix(spec)  # two types may each have a model of the same name
        schema = spec.config.model_json_schema(ref_template=_SCHEMAS.format(model=prefix + "{model}"))
        schemas.update({prefix + name: each for name, each in schema.pop("$defs", {}).items()})
        schemas[_config_name(spec)] = {**schema, "examples": [spec.example]} if spec.example else schema
    return dict(refs), schemas


def _operation(route: Route, refs: dict[Any, dict[str, Any]], examples: Mapping[str, Any]) -> dict[str, Any]:
    parameters = _parameters(route)
    return {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [route.tag],
        **({"description": route.description} if route.description else {}),
        **({"security": []} if route.public else {"x-permission": route.rule}),
        **({"deprecated": True} if route.deprecated else {}),
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": _request_body(route.body, refs)} if route.body else {}),
        "responses": {
            **{
                str(answer.status): _answer(answer, refs, _example(route, answer, examples))
                for answer in route.answers
            },
            **_problems(route),
        },
    }


def _operation_id(route: Route) -> str:
    return (
        f"{route.handler.__name__}_executions"
        if route.path.endswith("executions")
        else route.handler.__name__
    )


def _parameters(route: Route) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    for name, schema in route.query.model_json_schema().get("properties", {}).items():
        plain = {key: value for key, value in schema.items() if key not in ("title", "description")}
        told = {"description": schema["description"]} if "description" in schema else {}
        found.append({"name": name, "in": "query", **told, "schema": plain})
    if route.method == "POST":
        found.append(_idempotency_parameter(route))
    if route.conditional:
        told = {"description": "Only if the ETag is still this one."}
        found.append({"name": "If-Match", "in": "header", **told, "schema": {"type": "string"}})
    return found


def _idempotency_parameter(route: Route) -> dict[str, Any]:
    kinds = ((route.once, _ONCE), (route.replayed, _REPLAYED), (route.secret, _NOT_KEPT))
    told = next((text for applies, text in kinds if applies), _REPEATABLE)
    schema = {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": KEY_PATTERN}
    return {"name": "Idempotency-Key", "in": "header", "description": told, "schema": schema}


def _request_body(body: Body, refs: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    schema = refs[body.model, "validation"] if body.model else {"type": "string" if body.text else "object"}
    examples = {name: {"value": value} for name, value in body.examples.items()}
    content = {"schema": schema, **({"examples": examples} if examples else {})}
    return {
        "required": body.required,
        **({"description": body.description} if body.description else {}),
        "content": dict.fromkeys(body.media_types, content),
    }


def _example(route: Route, answer: Answer, examples: Mapping[str, Any]) -> dict[str, Any]:
    """A route that goes away shows what its successor does."""
    path = route.deprecated.successor if route.deprecated else route.path
    name = f"{route.method} {path} {answer.status}"
    return {"example": examples[name]} if name in examples else {}


def _answer(answer: Answer, refs: dict[Any, dict[str, Any]], example: dict[str, Any]) -> dict[str, Any]:
    headers = _described(answer.headers)
    described: dict[str, Any] = {
        "description": answer.description,
        **({"headers": headers} if headers else {}),
    }
    if answer.model:
        schema = {"schema": refs[answer.model, "serialization"], **example}
        described["content"] = {answer.content_type: schema, **dict.fromkeys(answer.also, schema)}
    elif answer.status not in BODILESS:
        described["content"] = {each: {} for each in (answer.content_type, *answer.also)}
    return described


def _described(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in names}


def _problems(route: Route) -> dict[str, Any]:
    """A reference for each status with which the route may refuse, unless it answers with it anyway."""
    errors: set[type[ChronosError]] = {*route.errors, Invalid}
    if not route.public:
        errors |= {Unauthorized, Forbidden, TooManyRequests, Unavailable}
    if "{" in route.path:
        errors.add(NotFound)
    if route.method == "POST":
        errors.add(MalformedHeader)
    if route.body:
        errors |= {Malformed, PayloadTooLarge, UnsupportedMediaType}
    if route.conditional:
        errors.add(PreconditionFailed)
    statuses = {STATUS[error] for error in errors} - {answer.status for answer in route.answers}
    return {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in sorted(statuses)}


def _problem(status: int) -> dict[str, Any]:
    schema = {"$ref": _SCHEMAS.format(model="Problem")}
    headers = _described(("Retry-After",)) if status in (429, 503) else {}
    return {
        "description": HTTPStatus(status).phrase,
        **({"headers": headers} if headers else {}),
        "content": {PROBLEM_JSON: {"schema": schema}},
    }
