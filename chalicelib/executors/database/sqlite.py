"""SQLite files on the mount. What would leave the file is refused: ATTACH, VACUUM INTO, extensions, most pragmas."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from chalicelib.executors.base import Call
from chalicelib.executors.database.connection import SQLite
from chalicelib.executors.database.opening import Wanted
from chalicelib.executors.database.placeholders import Parameters, rewritten
from chalicelib.executors.database.session import Answer, SqlFailure, TooLate, committing, without_values
from chalicelib.executors.database.values import as_parameter
from chalicelib.executors.mount import inside

BUSY_SECONDS = 2.0
"""How long a lock of somebody else is waited for."""
MAX_VALUE_BYTES = 16_777_216
"""Of one value or row: SQLite runs in the worker's own memory."""
_INSTRUCTIONS = 20_000
"""Between two looks at the clock: well under a millisecond."""
_PRAGMAS = frozenset(
    (
        "table_info",
        "table_xinfo",
        "table_list",
        "index_list",
        "index_info",
        "index_xinfo",
        "foreign_key_list",
        "foreign_key_check",
        "integrity_check",
        "quick_check",
        "user_version",
        "foreign_keys",
        "defer_foreign_keys",
    )
)
_LASTING = (
    "ERROR",
    "PERM",
    "READONLY",
    "CONSTRAINT",
    "MISMATCH",
    "AUTH",
    "RANGE",
    "TOOBIG",
    "SCHEMA",
    "MISUSE",
)


class _Session:
    def __init__(self, database: sqlite3.Connection, call: Call, wanted: Wanted) -> None:
        self._database, self._call, self._wanted = database, call, wanted
        self._values: list[Any] = []
        self._cursor: sqlite3.Cursor | None = None

    def begin(self) -> None:
        with self._translated():
            if self._wanted.read_only:
                self._database.execute("PRAGMA query_only = ON")
            if self._wanted.transaction:
                self._database.execute("BEGIN" if self._wanted.read_only else "BEGIN IMMEDIATE")
            self._database.set_authorizer(_authorized)

    def run(self, sql: str, parameters: Parameters) -> Answer:
        text, values = rewritten(sql, "sqlite", parameters, lambda number: f"?{number}")
        self._values = [as_parameter(one) for one in values]
        with self._translated():
            self._cursor = cursor = self._database.execute(text, self._values)
        if cursor.description is None:
            return Answer(changed=max(cursor.rowcount, 0))
        return Answer([column[0] for column in cursor.description], self._rows(cursor))

    def commit(self) -> None:
        if self._database.in_transaction:
            with committing(self._call), self._translated():
                self._database.execute("COMMIT")

    def end(self) -> None:
        """What a query still holds open would keep the file open, and locked."""
        with suppress(sqlite3.Error):
            self._database.set_progress_handler(None, 0)
            if self._cursor:
                self._cursor.close()
            self._database.rollback()
        with suppress(sqlite3.Error):
            self._database.close()

    def _rows(self, cursor: sqlite3.Cursor) -> Iterator[Any]:
        with self._translated():
            for row in cursor:  # noqa: UP028 - `yield from` would also close it
                yield row

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if self._call.remaining() <= 0 or self._call.stop.is_wanted:
                raise TooLate from error
            raise _failure(error, self._values) from error


def connect(call: Call, place: SQLite, wanted: Wanted) -> _Session:
    """A session with the file. ForbiddenPath, SqlFailure, TooLate."""
    path = inside(call.settings, call.tenant, place.path)
    if not path.is_file():
        raise SqlFailure("file", "There is no such file on the mount.", retryable=False)
    database = sqlite3.connect(
        _uri(path, wanted),
        uri=True,
        timeout=max(0.0, min(BUSY_SECONDS, call.remaining())),
        isolation_level=None,
    )
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    database.text_factory = lambda data: data.decode("utf-8", "replace")
    database.set_progress_handler(_interrupting(call), _INSTRUCTIONS)
    session = _Session(database, call, wanted)
    try:
        session.begin()
    except BaseException:
        session.end()
        raise
    return session


def _uri(path: Path, wanted: Wanted) -> str:
    """What lies on a file system that nobody can write to needs no locks, and could not be locked."""
    if wanted.read_only:
        lasting = bool(os.statvfs(path).f_flag & os.ST_RDONLY)
        return path.as_uri() + ("?mode=ro&immutable=1" if lasting else "?mode=ro")
    return path.as_uri() + "?mode=rw"


def _interrupting(call: Call) -> Callable[[], int]:
    return lambda: int(call.remaining() <= 0 or call.stop.is_wanted)


def _authorized(action: int, first: str | None, second: str | None, _database: Any, _trigger: Any) -> int:
    if action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH):
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() == "load_extension":
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_PRAGMA and (first or "").lower() not in _PRAGMAS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _failure(error: sqlite3.Error, values: list[Any]) -> SqlFailure:
    name: str = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
    message = f"SQLite refused the statement ({name}): {without_values(str(error), values)}"
    primary = name.split("_")[1]
    if primary in ("BUSY", "LOCKED"):
        return SqlFailure("database_conflict", message, code=name)
    if primary in ("NOTADB", "CORRUPT", "CANTOPEN"):
        return SqlFailure(
            "file", f"The file cannot be used as a database ({name}).", code=name, retryable=False
        )
    return SqlFailure("database", message, code=name, retryable=False if primary in _LASTING else None)
