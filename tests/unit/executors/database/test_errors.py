"""What servers refuse, by their codes."""

import psycopg
import pymysql
import pytest

from chalicelib.executors.database import mysql_errors, postgresql_errors


@pytest.mark.parametrize(
    ("code", "kind", "retryable", "why"),
    [
        ("40001", "database_conflict", None, "a serialization failure"),
        ("40P01", "database_conflict", None, "a deadlock"),
        ("55P03", "database_conflict", None, "a lock that cannot be had"),
        ("57014", "timeout", None, "cancelled"),
        ("57P01", "connection", None, "the server is shut down"),
        ("53300", "connection", None, "too many clients"),
        ("08006", "connection", None, "the connection failed"),
        ("28P01", "authentication", None, "a wrong password"),
        ("53100", "database", None, "a full disk may be emptied"),
        ("42501", "database", False, "missing rights"),
        ("23505", "database", False, "a broken rule"),
        ("22012", "database", False, "a division by zero"),
        ("25006", "database", None, "a standby may become the primary"),
        ("P0001", "database", None, "a function's own error"),
    ],
)
def test_postgresql_is_understood_by_its_sqlstate(
    code: str, kind: str, retryable: bool | None, why: str
) -> None:
    failure = postgresql_errors.failure_of(psycopg.errors.lookup(code)("said"), [])
    assert (failure.kind, failure.retryable, failure.code) == (kind, retryable, code), why


@pytest.mark.parametrize(
    ("number", "kind", "retryable", "why"),
    [
        (1213, "database_conflict", None, "a deadlock"),
        (1205, "database_conflict", None, "a lock that cannot be had"),
        (1969, "timeout", None, "MariaDB's time limit"),
        (3024, "timeout", None, "MySQL's time limit"),
        (1317, "timeout", None, "cancelled"),
        (1040, "connection", None, "too many clients"),
        (1053, "connection", None, "the server is shut down"),
        (2013, "connection", None, "the connection was lost"),
        (1045, "authentication", None, "a wrong password"),
        (1062, "database", False, "a broken rule"),
        (1064, "database", False, "no SQL"),
        (1146, "database", False, "no such table"),
        (1114, "database", None, "a full table may be emptied"),
        (1290, "database", None, "read-only for now"),
    ],
)
def test_mysql_is_understood_by_its_number(number: int, kind: str, retryable: bool | None, why: str) -> None:
    failure = mysql_errors.failure_of(pymysql.OperationalError(number, "said"), [])
    assert (failure.kind, failure.retryable) == (kind, retryable), why


def test_an_error_of_a_procedure_may_pass() -> None:
    raised = pymysql.OperationalError(1644, "not now")
    raised.sqlstate = "45000"
    failure = mysql_errors.failure_of(raised, [])
    assert (failure.kind, failure.retryable, failure.code) == ("database", None, "45000")


def test_what_the_client_cannot_read_is_no_lost_connection() -> None:
    failure = postgresql_errors.failure_of(psycopg.DataError("bad"), [])
    assert (failure.kind, failure.retryable) == ("database", False)
    assert postgresql_errors.failure_of(psycopg.OperationalError("gone"), []).kind == "connection"
