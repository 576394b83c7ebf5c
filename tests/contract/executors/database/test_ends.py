"""How `database` jobs end when something goes wrong: locks, time limits, cancelling, servers that misbehave."""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

from chalicelib.domain.outcome import Failed
from chalicelib.executors.base import ExecutorSettings
from chalicelib.ports.contact import Contact
from tests.support.calls import call_of, perform
from tests.support.databases import Database, ask_mysql, ask_postgresql, database, mysql, postgresql
from tests.support.http_servers import Talk, serving
from tests.support.waiting import eventually

SLOW = {
    "postgresql": "SELECT pg_advisory_xact_lock({mark}), pg_sleep(60)",
    "mysql": "SELECT benchmark(1000000000000, sha1('x')) AS m{mark}",
}
TOLERANCE_SECONDS = 3


def _runs(engine: str, mark: str) -> bool:
    """Whether the server still works on a statement with this mark."""
    if engine == "postgresql":
        return bool(ask_postgresql(f"SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = {mark}"))
    found = ask_mysql("SELECT info FROM information_schema.processlist WHERE id <> connection_id()")
    return any(f"m{mark}" in (row[0] or "") for row in found)


def _mark() -> str:
    return str(secrets.randbelow(2**31))


def test_a_statement_does_not_outlive_the_deadline(server: Database) -> None:
    mark = _mark()
    started = time.monotonic()
    outcome = server.run(SLOW[server.engine].replace("{mark}", mark), seconds=1)
    assert time.monotonic() - started < 1 + TOLERANCE_SECONDS
    assert isinstance(outcome, Failed)
    assert outcome.kind == "timeout"
    eventually(lambda: not _runs(server.engine, mark))


def test_a_statement_is_cancelled_when_its_run_is(server: Database) -> None:
    mark, stop, outcomes = _mark(), Contact(), []
    sql = SLOW[server.engine].replace("{mark}", mark)
    thread = threading.Thread(target=lambda: outcomes.append(server.run(sql, seconds=60, stop=stop)))
    thread.start()
    eventually(lambda: _runs(server.engine, mark))
    stop.want()
    thread.join(TOLERANCE_SECONDS)
    assert not thread.is_alive()
    assert isinstance(outcomes[0], Failed)
    eventually(lambda: not _runs(server.engine, mark))


def test_the_server_itself_knows_the_time_limit(server: Database) -> None:
    """A worker that dies cancels nothing. It comes later than the job's own, which must be the one that counts."""
    shown = {
        "postgresql": "SHOW statement_timeout",
        "mysql": "SELECT @@max_statement_time AS statement_timeout",
    }
    limit = server.rows(shown[server.engine], seconds=10)[0]["statement_timeout"]
    seconds = float(str(limit).removesuffix("ms").removesuffix("s")) / (1000 if "ms" in str(limit) else 1)
    assert 10 < seconds <= 15


@pytest.mark.parametrize("sql", ["SELECT sleep(60)", SLOW["mysql"].replace("{mark}", "1")])
@pytest.mark.parametrize("seconds", [0.2, 0.3, 0.4, 0.5, 0.6])
def test_a_statement_that_was_cut_short_is_never_a_success(tmp_path: Path, sql: str, seconds: float) -> None:
    """MariaDB ends these functions early, and answers as if they had been carried out."""
    with database("mysql", tmp_path) as found:
        outcome = found.run(sql, seconds=seconds)
    assert isinstance(outcome, Failed), outcome
    assert outcome.kind == "timeout"


def test_a_loop_in_a_file_ends_by_the_deadline(sqlite: Database) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    started = time.monotonic()
    outcome = sqlite.run(endless, seconds=0.5)
    assert time.monotonic() - started < TOLERANCE_SECONDS
    assert isinstance(outcome, Failed)
    assert outcome.kind == "timeout"


@contextmanager
def _locked(database: Database) -> Iterator[None]:
    """Somebody else holds the table's row."""
    if database.engine == "postgresql":
        connection: Any = psycopg.connect("host=127.0.0.1 user=root dbname=test")
    else:
        connection = pymysql.connect(host="127.0.0.1", user="root", database="test")
    try:
        connection.cursor().execute(f"SELECT * FROM {database.table} FOR UPDATE")
        yield
    finally:
        connection.close()


def test_a_lock_that_cannot_be_had_is_a_conflict(server: Database) -> None:
    server.ask("INSERT INTO {t} VALUES (1, 'one')")
    with _locked(server):
        outcome = server.run("SELECT * FROM {t} FOR UPDATE NOWAIT")
    assert isinstance(outcome, Failed), outcome
    assert (outcome.kind, outcome.retryable) == ("database_conflict", None)


def test_a_file_that_somebody_writes_to_is_a_conflict(sqlite: Database) -> None:
    import sqlite3

    other = sqlite3.connect(sqlite.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outcome = sqlite.run("INSERT INTO {t} VALUES (1, 'one')", seconds=20)
    other.close()
    assert isinstance(outcome, Failed), outcome
    assert outcome.kind == "database_conflict"


def test_of_two_that_wait_for_each_other_one_meets_a_conflict(server: Database) -> None:
    server.ask("INSERT INTO {t} VALUES (1, 'one'), (2, 'two')")
    sleep = {"postgresql": "SELECT pg_sleep(0.4)", "mysql": "SELECT sleep(0.4)"}[server.engine]
    outcomes: list[Any] = []

    def cross(first: int, second: int) -> None:
        steps = [f"UPDATE {{t}} SET name = NULL WHERE id = {one}" for one in (first, second)]
        outcomes.append(server.run(steps[0], sleep, steps[1]))

    threads = [threading.Thread(target=cross, args=order) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failures = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert [failure.kind for failure in failures] == ["database_conflict"]


@pytest.mark.parametrize(
    ("fields", "kind", "why"),
    [
        (
            {"user": "nobody_of_this_name", "password": "a-password-nobody-has"},
            "authentication",
            "no such user",
        ),
        ({"database": "no_such_database"}, "authentication", "no such database"),
        ({"port": 1}, "connection", "nothing listens"),
        ({"host": "no-such-host.invalid"}, "connection", "no such name"),
        ({"tls": {}}, "connection", "a server without TLS"),
        ({"tls": {"ca": "-----BEGIN nonsense"}}, "connection", "authorities that are none"),
    ],
)
def test_a_server_that_cannot_be_used_is_told_apart(
    server: Database, fields: dict[str, Any], kind: str, why: str
) -> None:
    config = {"connection": server.connection(**fields), "statements": [{"sql": "SELECT 1"}]}
    outcome = perform(call_of("database", config, settings=server.settings), "database")
    assert isinstance(outcome, Failed), why
    assert outcome.kind == kind, (why, outcome)
    assert "a-password-nobody-has" not in repr(outcome), why


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:7f00:1"],
)
@pytest.mark.parametrize("connection", [postgresql, mysql])
def test_the_guard_stands_before_every_server(connection: Any, host: str) -> None:
    config = {"connection": connection(host=host), "statements": [{"sql": "SELECT 1"}]}
    outcome = perform(call_of("database", config, settings=ExecutorSettings()), "database")
    assert isinstance(outcome, Failed)
    assert outcome.kind == "forbidden_target"


def _silent(talk: Talk) -> None:
    talk.stop.wait(60)


def _dripping(talk: Talk) -> None:
    talk.drip(b"\x00", every_seconds=0.05)


def _closing(talk: Talk) -> None:
    """Says nothing."""


@pytest.mark.parametrize("script", [_silent, _dripping])
@pytest.mark.parametrize("connection", [postgresql, mysql])
@pytest.mark.parametrize("tls", [None, {}])
def test_a_server_that_accepts_and_says_nothing_is_left_in_time(
    connection: Any, script: Any, tls: Any
) -> None:
    with serving(script) as server:
        config = {"connection": connection(port=server.port, tls=tls), "statements": [{"sql": "SELECT 1"}]}
        started = time.monotonic()
        outcome = perform(call_of("database", config, seconds=0.5), "database")
        assert time.monotonic() - started < TOLERANCE_SECONDS
    assert isinstance(outcome, Failed)
    assert outcome.kind in ("timeout", "connection")


@pytest.mark.parametrize("connection", [postgresql, mysql])
def test_a_wish_to_stop_is_heard_while_a_server_is_silent(connection: Any) -> None:
    stop = Contact()
    with serving(_silent) as server:
        config = {"connection": connection(port=server.port), "statements": [{"sql": "SELECT 1"}]}
        threading.Timer(0.3, stop.want).start()
        started = time.monotonic()
        outcome = perform(call_of("database", config, seconds=60, stop=stop), "database")
        assert time.monotonic() - started < TOLERANCE_SECONDS
    assert isinstance(outcome, Failed)


@pytest.mark.parametrize("connection", [postgresql, mysql])
def test_a_server_that_hangs_up_is_a_failed_connection(connection: Any) -> None:
    with serving(_closing) as server:
        config = {"connection": connection(port=server.port), "statements": [{"sql": "SELECT 1"}]}
        outcome = perform(call_of("database", config), "database")
    assert isinstance(outcome, Failed)
    assert outcome.kind == "connection"


def test_a_session_that_the_server_ends_is_a_lost_connection(server: Database) -> None:
    outcome = server.run(
        {
            "postgresql": "SELECT pg_terminate_backend(pg_backend_pid())",
            "mysql": "KILL CONNECTION_ID()",
        }[server.engine]
    )
    assert isinstance(outcome, Failed), outcome
    assert outcome.kind in ("connection", "timeout")
