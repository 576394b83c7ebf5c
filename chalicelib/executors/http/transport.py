"""A `requests` adapter that dials through the outbound guard, within a budget of time.

It is used without a session, which would keep cookies from one job to the next, read proxies and .netrc from
the environment, and load the whole body of a redirect that it is told not to follow.
"""

import socket
import ssl
import threading
import time
from functools import cache
from typing import Any, ClassVar

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.response import HTTPResponse
from urllib3.util import Timeout

from chalicelib.executors.base import ExecutorSettings
from chalicelib.executors.deadline import DeadlineSocket, DeadlineTLSSocket, tls_context
from chalicelib.executors.guard import Guard, guard
from chalicelib.executors.tls import TLS, context_of

MAX_IDLE_SECONDS = 1.5
"""Below the keep-alive of common servers (gunicorn's 2 s): a request hardly ever meets one that closes."""

_PARALLEL = 10
_HOSTS = 32


def _socket(family: int) -> socket.socket:
    return DeadlineSocket(family, socket.SOCK_STREAM)


class _Connection(HTTPConnection):
    """Connects to an address that the guard has checked. Host, SNI and certificate go by the name."""

    guard: ClassVar[Guard]
    max_idle_seconds: ClassVar[float]
    _used = 0.0

    def _new_conn(self) -> socket.socket:
        try:
            return self.guard.dial(self._dns_host, self.port, float(self.timeout or 0), _socket)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3
        response = super().getresponse()
        self._used = time.monotonic()
        return response

    @property
    def is_connected(self) -> bool:
        """Whether the pool may use this connection again."""
        return time.monotonic() - self._used < self.max_idle_seconds and super().is_connected


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class Adapter(HTTPAdapter):
    """Pools of guarded connections, and one TLS context for all: each would cost 15 ms to make."""

    def __init__(
        self,
        settings: ExecutorSettings,
        max_idle_seconds: float = MAX_IDLE_SECONDS,
        context: ssl.SSLContext | None = None,
        server_name: str | None = None,
    ) -> None:
        self._settings = settings
        self._context, self._server_name = context or tls_context(settings.ca_file), server_name
        self._max_idle_seconds = max_idle_seconds
        super().__init__(pool_connections=_HOSTS, pool_maxsize=_PARALLEL)

    def exchange(self, request: requests.PreparedRequest, seconds: float) -> requests.Response:
        """The answer's head; its body is still to be read, as a stream. All of it has these `seconds`.

        ForbiddenTarget, requests.RequestException; urllib3's HTTPError when reading the body.
        """
        budget: Any = Timeout(total=seconds)  # the annotation in requests does not know what its code takes
        return self.send(request, stream=True, timeout=budget)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        if self._server_name:
            options["server_hostname"] = self._server_name
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._context, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools()

    def _pools(self) -> dict[str, type[HTTPConnectionPool]]:
        ours = {"guard": guard(self._settings.allow_networks), "max_idle_seconds": self._max_idle_seconds}
        plain = type("GuardedConnection", (_Connection,), ours)
        tls = type("GuardedTLSConnection", (_TLSConnection,), ours)
        return {
            "http": type("GuardedPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("GuardedTLSPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
        }

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> Any:
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing to set: the context verifies."""


def private_adapter(settings: ExecutorSettings, tls: TLS) -> Adapter:
    """Connections with a job's own TLS: of one attempt, which closes them. UnusableTLS."""
    context = context_of(tls, settings.ca_file)
    context.sslsocket_class = DeadlineTLSSocket
    return Adapter(settings, context=context, server_name=tls.server_name)


_making = threading.Lock()


def adapter(settings: ExecutorSettings) -> Adapter:
    """The process's connections under these settings, for all threads; the first of them makes it."""
    with _making:
        return _made(settings)


@cache
def _made(settings: ExecutorSettings) -> Adapter:
    return Adapter(settings)


def forget() -> None:
    """Close the connections that nobody uses, and begin anew."""
    _made.cache_clear()
