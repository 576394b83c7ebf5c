"""Opens a session with a database for one attempt: dialled through the guard, ended with the attempt."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from chalicelib.executors.base import Call
from chalicelib.executors.database.connection import MySQL, PostgreSQL, SQLite
from chalicelib.executors.database.session import Session, TooLate
from chalicelib.executors.deadline import stopping_with

Isolation = Literal["read_committed", "repeatable_read", "serializable"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a session is to be."""

    transaction: bool = True
    read_only: bool = False
    isolation: Isolation | None = None


@contextmanager
def session(call: Call, place: PostgreSQL | MySQL | SQLite, wanted: Wanted = Wanted()) -> Iterator[Session]:
    """A session for this attempt; what was not committed is rolled back, whatever happens.

    SqlFailure, TooLate, ForbiddenTarget, ForbiddenPath.
    """
    if call.remaining() <= 0 or call.stop.is_wanted:
        raise TooLate
    with stopping_with(call.stop):
        opened = _open(call, place, wanted)
        try:
            yield opened
        finally:
            opened.end()


def _open(call: Call, place: PostgreSQL | MySQL | SQLite, wanted: Wanted) -> Session:
    """Each engine's library is loaded when it is first used."""
    if isinstance(place, PostgreSQL):
        from chalicelib.executors.database import postgresql

        return postgresql.connect(call, place, wanted)
    if isinstance(place, MySQL):
        from chalicelib.executors.database import mysql

        return mysql.connect(call, place, wanted)
    from chalicelib.executors.database import sqlite

    return sqlite.connect(call, place, wanted)
