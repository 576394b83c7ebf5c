"""Sockets whose timeout is a budget for all that follows: a peer that drips bytes cannot stretch it."""

import socket
import ssl
import time
from typing import Any

import certifi
from urllib3.util.ssl_ import create_urllib3_context


class _Budget(socket.socket):
    """`settimeout(seconds)` starts the budget; every later call gets what is left of it."""

    _until: float | None = None

    def settimeout(self, value: float | None, /) -> None:
        self._until = None if value is None else time.monotonic() + value
        super().settimeout(value)

    def _arm(self) -> None:
        if self._until is None:
            return
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        super().settimeout(left)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._arm()
        return super().recv_into(*args, **kwargs)

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
