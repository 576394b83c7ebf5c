"""For every job type, configs against real targets: what the conformance suite needs to know of a new type."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.http_servers import Talk, serving


@dataclass(frozen=True)
class Sample:
    """Configs of one type, while its targets are up.

    `quick` succeeds at once, `large` succeeds with as much output as there can be, `failing` fails at once, `endless`
    would go on for minutes.
    """

    quick: dict[str, Any]
    large: dict[str, Any]
    failing: dict[str, Any]
    endless: dict[str, Any]


@contextmanager
def _dummy() -> Iterator[Sample]:
    yield Sample(
        quick={"output": {"rows": 3}},
        large={"output": "\x01" * 680},
        failing={"outcome": "failure"},
        endless={"duration_seconds": 300},
    )


@contextmanager
def _http() -> Iterator[Sample]:
    def script(talk: Talk) -> None:
        while request := talk.read():
            if request.target == "/quick":
                talk.answer("200 OK", b"ok")
            elif request.target == "/failing":
                talk.answer("500 Internal Server Error", b'"' * 100_000)
            elif request.target == "/endless":
                talk.drip(b"HTTP/1.1 200 OK\r\n", every_seconds=0.05)
            else:
                talk.answer("200 OK", b'"' * 100_000, *(f"ETag: {'x' * 5000}" for _ in range(3)))

    with serving(script) as server:
        yield Sample(*({"url": server.url(path)} for path in ("/quick", "/large", "/failing", "/endless")))


SAMPLES: dict[str, Callable[[], Any]] = {"dummy": _dummy, "http": _http}
