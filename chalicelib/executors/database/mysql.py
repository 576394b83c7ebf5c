"""MySQL and MariaDB by PyMySQL, over a socket that the guard has dialled and that ends with the attempt.

PyMySQL would write parameters into the statement's text. Here the server prepares the text, and takes the values from
variables, which are set by literals that need no quoting.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions
from pymysql.cursors import SSCursor

from chalicelib.executors.base import Call
from chalicelib.executors.database.connection import MySQL
from chalicelib.executors.database.mysql_errors import failure_of
from chalicelib.executors.database.opening import Wanted
from chalicelib.executors.database.placeholders import Parameters, rewritten
from chalicelib.executors.database.session import (
    END_SECONDS,
    GRACE_SECONDS,
    Answer,
    SqlFailure,
    TooLate,
    committing,
)
from chalicelib.executors.database.values import as_parameter
from chalicelib.executors.deadline import DeadlineSocket, DeadlineTLSSocket, stopping_with
from chalicelib.executors.guard import guard
from chalicelib.executors.tls import UnusableTLS, context_of
from chalicelib.ports.stop import Stop

_LEVELS = {
    "read_committed": "READ COMMITTED",
    "repeatable_read": "REPEATABLE READ",
    "serializable": "SERIALIZABLE",
}
_DECODERS = {**conversions, FIELD_TYPE.BIT: lambda data: data}


class _NoClearText:
    """Servers may ask for the password in clear text; without TLS they do not get it."""

    def __init__(self, connection: Any) -> None:
        """PyMySQL hands over its connection."""

    def authenticate(self, _packet: Any) -> Any:
        raise pymysql.OperationalError(1045, "The server wants the password in clear text, which takes TLS.")


class _Session:
    def __init__(self, call: Call, place: MySQL, wanted: Wanted) -> None:
        self._call, self._place, self._wanted = call, place, wanted
        self._values: list[Any] = []
        self._running = False
        with self._translated():
            self._connection = _connected(call, place, call.remaining())

    def begin(self) -> None:
        """The server keeps the time limit also if the worker dies: MariaDB for all statements, MySQL for queries."""
        seconds = max(0.0, self._call.remaining()) + GRACE_SECONDS
        is_mariadb = "MariaDB" in self._connection.get_server_info()
        limit = (
            f"max_statement_time={seconds:.3f}" if is_mariadb else f"max_execution_time={seconds * 1000:.0f}"
        )
        self._tell(f"SET SESSION {limit}, time_zone='+00:00'")
        features = [f"ISOLATION LEVEL {_LEVELS[self._wanted.isolation]}"] if self._wanted.isolation else []
        features += ["READ ONLY"] if self._wanted.read_only else []
        if features:
            self._tell(f"SET SESSION TRANSACTION {', '.join(features)}")
        self._tell("START TRANSACTION" if self._wanted.transaction else "SET autocommit=1")

    def run(self, sql: str, parameters: Parameters) -> Answer:
        text, values = rewritten(sql, "mysql", parameters, lambda _: "?")
        self._values = [as_parameter(one) for one in values]
        if not self._values:
            return self._asked(text)
        names = [f"@chronos_{number}" for number in range(len(self._values))]
        literals = (f"{name}={_literal(one)}" for name, one in zip(names, self._values, strict=True))
        self._tell(f"SET @chronos={_literal(text)}, {', '.join(literals)}")
        self._tell("PREPARE chronos FROM @chronos")
        return self._asked(f"EXECUTE chronos USING {', '.join(names)}")

    def commit(self) -> None:
        if self._wanted.transaction:
            with committing(self._call):
                self._tell("COMMIT")

    def end(self) -> None:
        if self._running:
            with suppress(Exception), stopping_with(Stop()):  # whatever happens here, the outcome is known
                self._kill()
        _hang_up(self._connection)

    def _kill(self) -> None:
        """A server does not notice that its client is gone while it works: somebody has to tell it."""
        other = _connected(self._call, self._place, END_SECONDS)
        try:
            other.cursor().execute(f"KILL QUERY {int(self._connection.thread_id())}")
        finally:
            _hang_up(other)

    def _tell(self, text: str) -> None:
        for _ in self._asked(text).rows:
            """Nothing is expected."""

    def _asked(self, text: str) -> Answer:
        self._running = True
        with self._translated():
            cursor = self._connection.cursor(SSCursor)
            cursor.execute(text)
        if cursor.description is None:
            self._running = False
            return Answer(changed=max(cursor.rowcount, 0))
        return Answer([column[0] for column in cursor.description], self._rows(cursor))

    def _rows(self, cursor: SSCursor) -> Iterator[Any]:
        with self._translated():
            while (row := cursor.fetchone()) is not None:
                yield row
            cursor.close()
            self._running = False

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise TooLate from error
        except UnusableTLS as error:
            raise SqlFailure("connection", str(error), retryable=False) from error
        except socket.gaierror as error:
            raise SqlFailure("connection", f"The name {self._place.host} could not be resolved.") from error
        except (pymysql.Error, OSError) as error:
            if self._is_late(error):
                raise TooLate from error
            raise failure_of(error, self._values) from error

    def _is_late(self, error: Exception) -> bool:
        cause = getattr(error, "original_exception", None) or error.__context__
        return self._call.stop.is_wanted or self._call.remaining() <= 0 or isinstance(cause, TimeoutError)


def connect(call: Call, place: MySQL, wanted: Wanted) -> _Session:
    """A session with the server. SqlFailure, TooLate, ForbiddenTarget."""
    session = _Session(call, place, wanted)
    try:
        session.begin()
    except BaseException:
        session.end()
        raise
    return session


def _connected(call: Call, place: MySQL, seconds: float) -> Any:
    """Logged in. All that is done with it has these `seconds`."""
    options: dict[str, Any] = {"ssl_disabled": True, "auth_plugin_map": {}}
    if place.tls is None:
        options["auth_plugin_map"] = {b"mysql_clear_password": _NoClearText, b"dialog": _NoClearText}
    else:
        context = context_of(place.tls, call.settings.ca_file)
        context.sslsocket_class = DeadlineTLSSocket
        options = {"ssl": context}
    name = place.host if place.tls is None else place.tls.server_name or place.host
    connection = pymysql.Connection(
        host=name,
        port=place.port,
        user=place.user,
        password=place.password.encode(),
        database=place.database,
        charset="utf8mb4",
        conv=_DECODERS,
        autocommit=None,
        defer_connect=True,
        read_timeout=seconds,
        write_timeout=seconds,
        program_name="chronos",
        **options,
    )
    dialled = guard(call.settings.allow_networks).dial(place.host, place.port, seconds, DeadlineSocket)
    try:
        connection.connect(dialled)
    except (pymysql.Error, OSError):
        dialled.close()
        raise
    except Exception as error:  # whatever its parser stumbles over
        dialled.close()
        raise SqlFailure("connection", f"{place.host} does not speak MySQL's protocol.") from error
    return connection


def _hang_up(connection: Any) -> None:
    """At once: close() would wait for the server, and so would cursors that have not read all."""
    with suppress(Exception):
        if connection._result is not None:
            connection._result.unbuffered_active = False
        connection._result = None
        connection._force_close()


def _literal(value: Any) -> str:
    """As MySQL reads it under any SQL mode. Text is written in hexadecimal digits, with its character set."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value!r}e0" if "e" not in repr(value) else repr(value)
    return f"_utf8mb4 X'{str(value).encode().hex()}'"
