"""A client of the API, in process, over Chalice's own gateway; every answer is held to the OpenAPI document."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from chalice.test import Client as ChaliceClient
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from chalicelib.engine.core import Engine
from chalicelib.http.api import Api
from chalicelib.http.docs import openapi_json, table
from chalicelib.http.pipeline import Services
from chalicelib.identity.access import Authenticate
from chalicelib.identity.trail.book import Book
from tests.support.principals import everybody

HTTP_JOB: dict[str, Any] = {
    "name": "nightly",
    "type": "http",
    "config": {"url": "https://example.com/hook"},
    "schedule": {"kind": "cron", "expression": "0 30 2 * * *", "timezone": "Europe/Berlin"},
}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def pointers(self) -> dict[str, str]:
        """The bad fields of a 422: pointer to code."""
        return {error["pointer"]: error["code"] for error in self.json["errors"]}


class ApiClient:
    """Speaks to an Api as its users do. `body` is JSON unless it is bytes."""

    def __init__(self, engine: Engine, authenticate: Authenticate = everybody) -> None:
        self.book = Book()
        services = Services(engine, authenticate, book=self.book)
        self.app = Api(table(), lambda: services)
        self._http = ChaliceClient(self.app).http

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = "application/json",
        *,
        documented: bool = True,
    ) -> Answer:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"Content-Type": media_type} if content and media_type else {}
        response = self._http.request(method, path, {**sent, **(headers or {})}, content)
        answer = Answer(response.status_code, response.headers, response.body.decode())
        if documented:
            hold_to_contract(method, path, answer)
        return answer

    def get(self, path: str, **more: Any) -> Answer:
        return self("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self("POST", path, body, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self("PUT", path, body, **more)

    def patch(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self("PATCH", path, body, **more)

    def delete(self, path: str, **more: Any) -> Answer:
        return self("DELETE", path, **more)

    def create(self, **fields: Any) -> dict[str, Any]:
        """A new job of the usual kind."""
        answer = self.post("/jobs", {**HTTP_JOB, **fields})
        assert answer.status == 201, answer.text
        created: dict[str, Any] = answer.json
        return created


def hold_to_contract(method: str, path: str, answer: Answer) -> None:
    """Common headers, and a body of the schema that the document promises for this operation and status."""
    assert answer.headers["Cache-Control"]
    assert answer.headers["X-Request-Id"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    if method == "HEAD":
        assert not answer.text
        return
    if answer.status >= 400 and answer.headers["Content-Type"] == "application/problem+json":
        validator("/components/schemas/Problem").validate(answer.json)
        assert answer.json["status"] == answer.status
    operation = operation_of(method, path)
    if operation is None:
        return
    template, described = operation
    documented = described["responses"].get(str(answer.status))
    assert documented, f"{method} {template} is not documented to answer {answer.status}: {answer.text}"
    for media_type, content in documented.get("content", {}).items():
        if media_type == answer.headers["Content-Type"] == "application/json" and "schema" in content:
            validator(content["schema"]["$ref"].removeprefix("#")).validate(answer.json)


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(openapi_json())
    return found


@cache
def validator(pointer: str) -> Draft202012Validator:
    registry = Registry().with_resource("urn:api", Resource(document(), DRAFT202012))
    return Draft202012Validator(
        {"$ref": f"urn:api#{pointer}"}, registry=registry, format_checker=FormatChecker()
    )


def operation_of(method: str, path: str) -> tuple[str, dict[str, Any]] | None:
    """The documented operation of a concrete path."""
    parts = path.partition("?")[0].rstrip("/").split("/")
    for template, operations in sorted(document()["paths"].items(), key=lambda row: row[0].count("{")):
        names = template.split("/")
        same = all(name == part or name.startswith("{") for name, part in zip(names, parts, strict=False))
        if len(names) == len(parts) and same and method.lower() in operations:
            return template, operations[method.lower()]
    return None
