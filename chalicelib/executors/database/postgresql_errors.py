"""What PostgreSQL's errors mean: by their SQLSTATE, as its manual lists them."""

from typing import Any

import psycopg

from chalicelib.domain.retry import ErrorKind
from chalicelib.executors.database.session import SqlFailure, without_values

_KINDS: dict[str, ErrorKind] = {
    "08": "connection",
    "57P01": "connection",
    "57P02": "connection",
    "57P03": "connection",
    "57P05": "connection",
    "53300": "connection",
    "25P03": "timeout",
    "57014": "timeout",
    "28": "authentication",
    "40": "database_conflict",
    "55P03": "database_conflict",
}
_LASTING = (
    "0A",
    "0L",
    "0P",
    "20",
    "21",
    "22",
    "23",
    "26",
    "2B",
    "2F",
    "34",
    "38",
    "39",
    "3B",
    "3D",
    "3F",
    "42",
    "44",
)
_BEFORE_A_SESSION: tuple[tuple[str, ErrorKind], ...] = (
    ("authentication failed", "authentication"),
    ("no pg_hba.conf entry", "authentication"),
    ("does not exist", "authentication"),
    ("permission denied", "authentication"),
    ("fe_sendauth", "authentication"),
    ("cleartext password", "authentication"),
    ("authentication method requirement", "authentication"),
)


def failure_of(error: psycopg.Error, values: list[Any]) -> SqlFailure:
    """A statement's failure. The server's details are left out, since they quote rows."""
    code = error.sqlstate
    if code is None:
        return _without_a_code(error)
    kind = _KINDS.get(code) or _KINDS.get(code[:2]) or "database"
    said = without_values(error.diag.message_primary or type(error).__name__, values)
    lasting = kind == "database" and code[:2] in _LASTING
    message = f"PostgreSQL refused the statement (SQLSTATE {code}): {said}"
    return SqlFailure(kind, message, code=code, retryable=False if lasting else None)


def _without_a_code(error: psycopg.Error) -> SqlFailure:
    """The client's own: the connection is lost, or it cannot make sense of a value."""
    if isinstance(error, psycopg.OperationalError):
        return SqlFailure("connection", "The connection with PostgreSQL was lost.")
    if isinstance(error, psycopg.ProgrammingError):
        return SqlFailure(
            "database", "Statements of this kind, such as COPY, cannot be run here.", retryable=False
        )
    return SqlFailure(
        "database", f"A value could not be read or bound: {type(error).__name__}.", retryable=False
    )


def unreachable(error: psycopg.Error) -> SqlFailure:
    """A failure to connect. libpq tells no SQLSTATE there, only text; what is not known counts as a bad connection."""
    text = " ".join(str(error).split())
    said = text.rpartition(" failed: ")[2]
    kind: ErrorKind = next((kind for sign, kind in _BEFORE_A_SESSION if sign in said), "connection")
    return SqlFailure(kind, f"There is no connection with PostgreSQL: {said}")
