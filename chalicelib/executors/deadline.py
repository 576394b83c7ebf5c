"""Sockets whose timeout is a budget for all that follows: a peer that drips bytes cannot stretch it."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import certifi
from urllib3.util.ssl_ import create_urllib3_context

from chalicelib.ports.stop import Stop

LISTEN_SECONDS = 0.5
"""How long a silent peer is listened to before the wish to stop is looked at."""
_stop: ContextVar[Stop] = ContextVar("stop", default=Stop())  # noqa: B039 - nobody sets the default


@contextmanager
def stopping_with(stop: Stop) -> Iterator[None]:
    """In this thread, sockets give up when `stop` is wanted: as if their time were up."""
    token = _stop.set(stop)
    try:
        yield
    finally:
        _stop.reset(token)


class _Budget(socket.socket):
    """`settimeout(seconds)` starts the budget; every later call gets what is left of it."""

    _until: float | None = None

    def settimeout(self, value: float | None, /) -> None:
        self._until = None if value is None else time.monotonic() + value
        super().settimeout(value)

    def _arm(self, at_most: float | None = None) -> None:
        if _stop.get().is_wanted:
            raise TimeoutError("told to stop")
        if self._until is None:
            return
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        super().settimeout(left if at_most is None else min(left, at_most))

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        while True:
            self._arm(LISTEN_SECONDS)
            try:
                return super().recv_into(*args, **kwargs)
            except TimeoutError:
                if self._until is None:
                    raise

    def recv(self, *args: Any, **kwargs: Any) -> bytes:
        while True:
            self._arm(LISTEN_SECONDS)
            try:
                return super().recv(*args, **kwargs)
            except TimeoutError:
                if self._until is None:
                    raise

    def send(self, *args: Any, **kwargs: Any) -> int:
        self._arm()
        return super().send(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self._arm()
        super().sendall(*args, **kwargs)


class DeadlineSocket(_Budget):
    """TCP with a budget."""


class DeadlineTLSSocket(_Budget, ssl.SSLSocket):
    """TLS with a budget. The handshake is one call for the budget, whatever the number of its packets."""


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """A verifying client context: public authorities, and those of `ca_file` (PEM). It takes some 15 ms."""
    context = create_urllib3_context()
    context.sslsocket_class = DeadlineTLSSocket
    context.load_verify_locations(certifi.where())
    if ca_file:
        context.load_verify_locations(ca_file)
    return context
