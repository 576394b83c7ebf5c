"""PostgreSQL by psycopg: libpq dials the addresses that the guard has checked, and TLS verifies the name."""

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from chalicelib.executors.base import Call
from chalicelib.executors.database.connection import PostgreSQL
from chalicelib.executors.database.opening import Wanted
from chalicelib.executors.database.placeholders import Parameters, rewritten, words
from chalicelib.executors.database.postgresql_errors import failure_of, unreachable
from chalicelib.executors.database.postgresql_options import connected_as, dated_as_text, told
from chalicelib.executors.database.session import (
    END_SECONDS,
    GRACE_SECONDS,
    Answer,
    SqlFailure,
    TooLate,
    committing,
)
from chalicelib.executors.database.values import as_parameter
from chalicelib.executors.guard import guard

BATCH_ROWS = 200
"""How many rows are fetched at once."""
WAKE_SECONDS = 0.2
_WRITING = frozenset(("insert", "update", "delete", "merge", "into"))


class Connection(psycopg.Connection[Any]):
    """Whatever waits for the server ends with the attempt."""

    call: Call | None = None

    def wait(self, gen: Generator[Any, Any, Any], interval: float = WAKE_SECONDS, *more: Any) -> Any:
        """As psycopg's, but TooLate when the attempt's time is up or it is to stop."""
        return super().wait(self._watched(gen), min(interval, WAKE_SECONDS), *more)

    def cancel_safe(self, *, timeout: float = END_SECONDS) -> None:
        """As psycopg's, but it never takes longer than END_SECONDS."""
        super().cancel_safe(timeout=min(timeout, END_SECONDS))

    def _watched(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        wish = next(gen, None)
        while wish is not None:
            ready = yield wish
            if self.call is not None and (self.call.remaining() <= 0 or self.call.stop.is_wanted):
                raise TooLate
            try:
                wish = gen.send(ready)
            except StopIteration as end:
                return end.value
        return None


class _Session:
    def __init__(self, connection: Connection, call: Call, wanted: Wanted) -> None:
        self._connection, self._call, self._wanted = connection, call, wanted
        self._values: list[Any] = []
        self._cursor: psycopg.RawServerCursor[Any] | None = None

    def begin(self) -> None:
        self._connection.add_notice_handler(self._noted)
        dated_as_text(self._connection)
        with self._translated():
            self._connection.read_only = self._wanted.read_only or None
            if self._wanted.isolation:
                level = psycopg.IsolationLevel[self._wanted.isolation.upper()]
                self._connection.isolation_level = level
            self._connection.autocommit = not self._wanted.transaction
            text, values = told(
                self._connection.info.server_version,
                max(0.0, self._call.remaining()) + GRACE_SECONDS,
                local=self._wanted.transaction,
                read_only=self._wanted.read_only,
            )
            psycopg.RawCursor(self._connection).execute(text, values)

    def run(self, sql: str, parameters: Parameters) -> Answer:
        text, values = rewritten(sql, "postgresql", parameters, lambda number: f"${number}")
        self._values = [as_parameter(one) for one in values]
        with self._translated():
            if _only_reads(sql):
                return self._read(text)
            cursor = psycopg.RawCursor(self._connection)
            cursor.execute(text, self._values or None)
            if cursor.description is None:
                return Answer(changed=max(cursor.rowcount, 0))
            return Answer([column.name for column in cursor.description], iter(cursor))

    def _read(self, text: str) -> Answer:
        """By a cursor on the server, so that not all rows come at once; it needs a transaction."""
        if self._connection.autocommit:
            self._connection.autocommit = False
        self._cursor = cursor = psycopg.RawServerCursor(self._connection, "chronos")
        cursor.itersize = BATCH_ROWS
        cursor.execute(text, self._values or None)
        columns = [column.name for column in cursor.description or ()]
        return Answer(columns, self._rows(cursor))

    def _rows(self, cursor: "psycopg.RawServerCursor[Any]") -> Iterator[Any]:
        with self._translated():
            for row in cursor:  # noqa: UP028 - `yield from` would also close it
                yield row
            cursor.close()
            if not self._wanted.transaction:
                self._connection.commit()
                self._connection.autocommit = True

    def commit(self) -> None:
        with committing(self._call), self._translated():
            self._connection.commit()

    def end(self) -> None:
        with suppress(Exception):  # whatever happens here, the outcome is known
            self._connection.cancel_safe()
        with suppress(Exception):
            self._connection.close()
            if self._cursor:
                self._cursor.close()  # only of its client's side, after the connection

    def _noted(self, notice: psycopg.errors.Diagnostic) -> None:
        log = self._call.log
        tell = log.warning if notice.severity_nonlocalized == "WARNING" else log.info
        tell(notice.message_primary or "", sqlstate=notice.sqlstate)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            if self._call.stop.is_wanted or self._call.remaining() <= 0:
                raise TooLate from error
            raise failure_of(error, self._values) from error


def _only_reads(sql: str) -> bool:
    """Whether it is a query that a cursor can be declared for. Data-modifying WITH and SELECT INTO are none."""
    found = words(sql, "postgresql")
    return bool(found) and found[0] in ("select", "values", "table", "with") and not _WRITING & set(found)


def connect(call: Call, place: PostgreSQL, wanted: Wanted) -> _Session:
    """A session with the server. SqlFailure, TooLate, ForbiddenTarget."""
    try:
        targets = guard(call.settings.allow_networks).targets(place.host, place.port, call.remaining())
    except TimeoutError as error:
        raise TooLate from error
    except OSError as error:
        raise SqlFailure("connection", f"The name {place.host} could not be resolved.") from error
    with connected_as(place, [address[0] for _, address in targets], call.settings.ca_file) as options:
        connection = _dialled(call, options)
    connection.call = call
    session = _Session(connection, call, wanted)
    try:
        session.begin()
    except BaseException:
        session.end()
        raise
    return session


def _dialled(call: Call, options: dict[str, Any]) -> Connection:
    """libpq's own time limit is in whole seconds, and knows of no wish to stop: so it dials in a thread."""
    results: list[Connection] = []
    errors: list[Exception] = []
    over, given_up = threading.Event(), threading.Event()

    def dial() -> None:
        try:
            results.append(Connection.connect(**options))
            if given_up.is_set():
                results[0].close()
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            errors.append(error)
        over.set()

    threading.Thread(target=dial, name="dial", daemon=True).start()
    while not over.wait(max(0.0, min(WAKE_SECONDS, call.remaining()))):
        if call.remaining() <= 0 or call.stop.is_wanted:
            given_up.set()
            raise TooLate
    if errors:
        raise unreachable(errors[0]) if isinstance(errors[0], psycopg.Error) else errors[0]
    return results[0]
