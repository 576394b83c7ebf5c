"""The port Web through the outbound guard: the api's own questions to servers that tenants choose."""

from collections.abc import Mapping
from http import HTTPStatus
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from chalicelib.executors.base import ExecutorSettings
from chalicelib.ports.clock import Clock
from chalicelib.ports.web import NoAnswer, Reply

KEPT_SECONDS, FRESH_SECONDS = 300.0, 10.0
_MOST = 500


class GuardedWeb:
    """For all threads of a process, which share the documents it has read. What it asks with is loaded then."""

    def __init__(self, settings: ExecutorSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self._known: dict[str, tuple[float, Mapping[str, Any]]] = {}
        self._changing = Lock()

    def ask(
        self, url: str, *, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        from chalicelib.executors.http.asking import asked

        return asked(self._settings, url, form, headers or {})

    def document(self, url: str, *, fresh: bool = False) -> Mapping[str, Any]:
        now = self._clock.monotonic()
        with self._changing:
            read_at, known = self._known.get(url, (0.0, None))
        if known is not None and now - read_at < (FRESH_SECONDS if fresh else KEPT_SECONDS):
            return known
        reply = self.ask(url)
        if reply.status != HTTPStatus.OK or not reply.json:
            told = f"{urlsplit(url).netloc} answered {reply.status} without a JSON object."
            raise NoAnswer(told, passing=False)
        with self._changing:
            self._known.pop(url, None)
            self._known[url] = (now, reply.json)
            if len(self._known) > _MOST:
                del self._known[next(iter(self._known))]
        return reply.json
