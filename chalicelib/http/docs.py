"""The API's description of itself: openapi.json, and a page that shows it without anything from elsewhere."""

import json
from functools import cache
from pathlib import Path

from chalicelib.domain.errors import NotFound
from chalicelib.engine.core import Engine
from chalicelib.features import registry
from chalicelib.features.base import JSON, Answer, Request, Response, Route
from chalicelib.http.table import RouteTable

EXAMPLES = Path(__file__).parent / "examples.json"
"""Answers as the API gives them, by "METHOD /path status"."""
_STATIC = Path(__file__).parent / "static"
_HTML, _SCRIPT, _STYLE = (
    "text/html; charset=utf-8",
    "text/javascript; charset=utf-8",
    "text/css; charset=utf-8",
)
_FILES = {
    "swagger-ui-bundle.js": _SCRIPT,
    "swagger-ui.css": _STYLE,
    "start.js": _SCRIPT,
    "icon.svg": "image/svg+xml",
}
_KEPT = {"Cache-Control": "public, max-age=86400"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)


def get_openapi(_engine: Engine, _request: Request) -> Response:
    return Response(openapi_json())


def get_docs(_engine: Engine, _request: Request) -> Response:
    page = (_STATIC / "index.html").read_text("utf-8")
    return Response(page, headers={"Content-Security-Policy": _POLICY}, content_type=_HTML)


def get_docs_file(_engine: Engine, request: Request) -> Response:
    name = request.path["name"]
    if name not in _FILES:
        raise NotFound("There is no such file.")
    return Response((_STATIC / name).read_text("utf-8"), headers=_KEPT, content_type=_FILES[name])


def routes() -> tuple[Route, ...]:
    """The features' routes and those of this module: all that is served."""
    return registry.routes() + ROUTES


def table() -> RouteTable:
    """The same, loaded path by path."""
    return RouteTable({**registry.loaders(), **{route.path: lambda: ROUTES for route in ROUTES}})


@cache
def openapi_json() -> str:
    """Made once a process, when it is first asked for: its models are not built before."""
    from chalicelib.http.openapi import document

    examples = json.loads(EXAMPLES.read_text("utf-8"))
    return json.dumps(document(routes(), examples), separators=(",", ":"), ensure_ascii=False)


ROUTES = (
    Route(
        method="GET",
        path="/openapi.json",
        handler=get_openapi,
        summary="This description, as OpenAPI 3.1",
        tag="service",
        public=True,
        answers=(Answer(description="The document.", content_type=JSON),),
    ),
    Route(
        method="GET",
        path="/docs",
        handler=get_docs,
        summary="A page that shows this description",
        tag="service",
        public=True,
        answers=(Answer(description="The page.", content_type="text/html"),),
    ),
    Route(
        method="GET",
        path="/docs/{name}",
        handler=get_docs_file,
        summary="What the page consists of",
        tag="service",
        public=True,
        answers=(Answer(description="The file.", content_type="text/javascript"),),
    ),
)
