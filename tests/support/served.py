"""The API in this process behind a socket, as API Gateway would call it: for clients that only speak HTTP."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from chalicelib.http.api import METHODS, STAGE_PREFIX, Api
from chalicelib.http.table import RouteTable


def resource_of(table: RouteTable, path: str) -> tuple[str, dict[str, str]]:
    """The gateway's resource for a path, and its parameters; a resource that is spelled out goes first."""
    parts = path.split("/")
    for template in sorted(table, key=lambda each: each.count("{")):
        names = template.split("/")
        if len(names) != len(parts) or not all(parts[1:]):
            continue
        if all(name == part or name.startswith("{") for name, part in zip(names, parts, strict=True)):
            found = {
                name[1:-1]: unquote(part) for name, part in zip(names, parts, strict=True) if name[:1] == "{"
            }
            return template, found
    return path, {}


def event_of(table: RouteTable, handler: BaseHTTPRequestHandler, method: str) -> dict[str, Any]:
    """A request as API Gateway hands it to a function."""
    url = urlsplit(handler.path)
    resource, parameters = resource_of(table, url.path.removeprefix(STAGE_PREFIX))
    body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    return {
        "requestContext": {"resourcePath": resource, "httpMethod": method},
        "path": url.path,
        "headers": dict(handler.headers.items()),
        "multiValueQueryStringParameters": parse_qs(url.query, keep_blank_values=True) or None,
        "pathParameters": parameters or None,
        "stageVariables": None,
        "isBase64Encoded": True,
        "body": b64encode(body).decode() or None,
    }


@contextmanager
def served(api: Api) -> Iterator[str]:
    """Its address, stage included, for as long as the block lasts. One request at a time."""
    table, lock = api.table, Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_words: Any) -> None:
            pass

    def answering(method: str) -> Any:
        def answer(self: BaseHTTPRequestHandler) -> None:
            event = event_of(table, self, method)
            with lock:
                made = api(event, None)
            content = str(made["body"]).encode()
            self.send_response(made["statusCode"])
            for name, value in made["headers"].items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(b"" if method == "HEAD" else content)

        return answer

    for method in METHODS:
        setattr(Handler, f"do_{method}", answering(method))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{STAGE_PREFIX}"
        finally:
            server.shutdown()
