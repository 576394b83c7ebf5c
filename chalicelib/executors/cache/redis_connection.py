"""A connection with a Redis server for one attempt: dialled through the guard, with a budget for all that follows."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis import exceptions
from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.retry import Retry

from chalicelib.domain.outcome import Failed
from chalicelib.executors.base import Call
from chalicelib.executors.cache.spec import Server
from chalicelib.executors.deadline import DeadlineSocket, DeadlineTLSSocket, stopping_with
from chalicelib.executors.guard import guard
from chalicelib.executors.tls import UnusableTLS, context_of

Part = str | bytes | int
MAX_MESSAGE = 300
_PASSING = (
    exceptions.BusyLoadingError,
    exceptions.OutOfMemoryError,
    exceptions.ReadOnlyError,
    exceptions.TryAgainError,
)
_PASSING_SIGNS = ("BUSY", "MISCONF", "MASTERDOWN", "NOREPLICAS", "CLUSTERDOWN", "LOADING")


class CacheFailure(Exception):
    """The server refuses, or cannot be reached: as the outcome of the attempt."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.message)
        self.failed = failed


class TooLate(Exception):
    """The time is up, or the attempt is to stop."""


class _Guarded(Connection):
    """Dials as the attempt may, and leaves its sockets' time limits alone."""

    call: Call
    server: Server

    def _connect(self) -> socket.socket:
        seconds, server = self.call.remaining(), self.server
        if seconds <= 0:
            raise TimeoutError
        until = time.monotonic() + seconds
        context = None if server.tls is None else context_of(server.tls, self.call.settings.ca_file)
        plain = guard(self.call.settings.allow_networks).dial(server.host, server.port, seconds, _tcp)
        if context is None or server.tls is None:
            return plain
        context.sslsocket_class = DeadlineTLSSocket
        try:
            secured = context.wrap_socket(plain, server_hostname=server.tls.server_name or server.host)
        except BaseException:
            plain.close()
            raise
        secured.settimeout(max(0.001, until - time.monotonic()))
        return secured


def _tcp(family: int) -> socket.socket:
    return DeadlineSocket(family, socket.SOCK_STREAM)


class Redis:
    """A logged-in connection. All may raise CacheFailure, TooLate or ForbiddenTarget."""

    def __init__(self, call: Call, server: Server) -> None:
        self._call = call
        made: Any = _Guarded  # redis-py's methods are not annotated
        self._connection: Any = made(
            host=server.host,
            port=server.port,
            db=server.database,
            username=server.user,
            password=server.password or None,
            socket_timeout=None,
            socket_connect_timeout=None,
            retry=Retry(NoBackoff(), 0),
            driver_info=None,
            protocol=2,
        )
        self._connection.call, self._connection.server = call, server

    def ask(self, *command: Part) -> Any:
        """The answer to one command."""
        return self.ask_all([command])[0]

    def ask_all(self, commands: Sequence[Sequence[Part]]) -> list[Any]:
        """The answers to commands that are sent together; the first that is refused is raised, after all are read."""
        with self._translated():
            self._connection.connect()
            self._connection.send_packed_command(self._connection.pack_commands(commands))
            answers = [self._answer() for _ in commands]
        for answer in answers:
            self.check(answer)
        return answers

    def check(self, answer: Any) -> None:
        """CacheFailure if this answer is a refusal."""
        with self._translated():
            if isinstance(answer, exceptions.RedisError):
                raise answer

    def close(self) -> None:
        self._connection.disconnect()

    def _answer(self) -> Any:
        try:
            return self._connection.read_response()
        except exceptions.ResponseError as error:
            return error

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (exceptions.RedisError, OSError) as error:
            if self._is_late(error):
                raise TooLate from error
            raise CacheFailure(_failed(error)) from error
        except UnusableTLS as error:
            raise CacheFailure(Failed("connection", str(error), retryable=False)) from error

    def _is_late(self, error: Exception) -> bool:
        told = isinstance(error, (exceptions.TimeoutError, TimeoutError))
        return told or self._call.stop.is_wanted or self._call.remaining() <= 0


@contextmanager
def connected(call: Call, server: Server) -> Iterator[Redis]:
    """The server, for as long as this lasts; it is dialled with the first command."""
    redis = Redis(call, server)
    with stopping_with(call.stop):
        try:
            yield redis
        finally:
            redis.close()


def _failed(error: Exception) -> Failed:
    """Refusals of unknown commands repeat their arguments: these are left out."""
    said = " ".join(str(error).split()).partition(", with args")[0][:MAX_MESSAGE]
    if isinstance(error, (exceptions.AuthenticationError, exceptions.AuthenticationWrongNumberOfArgsError)):
        return Failed("authentication", f"The server refuses the login: {said}")
    if isinstance(error, exceptions.NoPermissionError):
        return Failed("cache", f"The user may not do this: {said}", retryable=False)
    if isinstance(error, _PASSING):
        return Failed("cache", f"The server cannot do this for now: {said}")
    if isinstance(error, (exceptions.ConnectionError, exceptions.InvalidResponse, OSError)):
        return Failed("connection", f"The connection with the cache was lost, or never made: {said}")
    if said.startswith(("MOVED", "ASK")):
        return Failed(
            "cache", "The key lies on another node of a cluster, which is not followed.", retryable=False
        )
    lasting = None if said.startswith(_PASSING_SIGNS) else False
    return Failed("cache", f"The server refused the command: {said}", retryable=lasting)
