"""A local HTTP server that jobs call: it notes when it was called, and answers as it is told."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Call:
    """A request as it arrived; `at_ms` is epoch milliseconds."""

    at_ms: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Target:
    """`status` is what it answers, `gate` what each answer waits for."""

    url: str
    status: int = 200
    calls: list[Call] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)


@contextmanager
def target() -> Iterator[Target]:
    """A server on a free port of 127.0.0.1, until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            served.calls.append(Call(time.time_ns() // 1_000_000, self.command, self.path, headers, body))
            served.gate.wait(60)
            self.send_response(served.status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_GET = do_POST = do_PUT = answer  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served = Target(f"http://127.0.0.1:{server.server_port}")
    served.gate.set()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield served
    finally:
        served.gate.set()
        server.shutdown()
        server.server_close()
