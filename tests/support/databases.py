"""PostgreSQL and MariaDB on the loopback, and SQLite files: configs of jobs, and a look at what is in them."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pymysql

from chalicelib.domain.outcome import Outcome, Succeeded
from chalicelib.executors.base import ExecutorSettings
from tests.support.calls import LOOPBACK, call_of, perform
from tests.support.services import require, unique

ENGINES = ("postgresql", "mysql", "sqlite")
SERVERS = ("postgresql", "mysql")


def postgresql(**fields: Any) -> dict[str, Any]:
    """A connection as jobs name it."""
    port = require("postgresql")
    place = {"engine": "postgresql", "host": "127.0.0.1", "port": port, "database": "test", "user": "root"}
    return {**place, "tls": None, **fields}


def mysql(**fields: Any) -> dict[str, Any]:
    """A connection as jobs name it."""
    port = require("mysql")
    place = {"engine": "mysql", "host": "127.0.0.1", "port": port, "database": "test", "user": "root"}
    return {**place, "tls": None, **fields}


def ask_postgresql(sql: str) -> list[Any]:
    """What a client of the test's own is answered."""
    with psycopg.connect("host=127.0.0.1 user=root dbname=test", autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []


def ask_mysql(sql: str) -> list[Any]:
    """What a client of the test's own is answered."""
    with pymysql.connect(host="127.0.0.1", user="root", database="test", autocommit=True) as connection:
        cursor = connection.cursor()
        cursor.execute(sql)
        return list(cursor.fetchall())


class Database:
    """One engine, with a table `t` (id, name) of the test's own: `table` is its name."""

    def __init__(self, engine: str, folder: Path) -> None:
        self.engine, self._folder = engine, folder
        self.table = unique("t")
        self.settings = ExecutorSettings(allow_networks=LOOPBACK.allow_networks, mount=str(folder))

    def ask(self, sql: str) -> list[Any]:
        """By a client of the test's own; `{t}` is the table."""
        text = sql.replace("{t}", self.table)
        if self.engine == "postgresql":
            return ask_postgresql(text)
        if self.engine == "mysql":
            return [tuple(row) for row in ask_mysql(text)]
        with sqlite3.connect(self.path) as connection:
            found = connection.execute(text).fetchall()
        connection.close()
        return found

    @property
    def path(self) -> Path:
        return self._folder / "default" / "test.db"

    def connection(self, **fields: Any) -> dict[str, Any]:
        if self.engine == "sqlite":
            return {"engine": "sqlite", "path": "test.db", **fields}
        return (postgresql if self.engine == "postgresql" else mysql)(**fields)

    def config(self, *statements: str | dict[str, Any], **fields: Any) -> dict[str, Any]:
        parts = [{"sql": one} if isinstance(one, str) else one for one in statements]
        named = [{**one, "sql": one["sql"].replace("{t}", self.table)} for one in parts]
        return {"connection": self.connection(), "statements": named, **fields}

    def run(self, *statements: str | dict[str, Any], seconds: float = 10, **fields: Any) -> Outcome:
        given = {name: fields.pop(name) for name in ("outputs", "stop", "log") if name in fields}
        config = self.config(*statements, **fields)
        call = call_of("database", config, seconds=seconds, settings=self.settings, **given)
        return perform(call, "database")

    def rows(self, *statements: str | dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
        """What the last statement returns, of a success."""
        outcome = self.run(*statements, **fields)
        assert isinstance(outcome, Succeeded), outcome
        rows: list[dict[str, Any]] = outcome.result["statements"][-1]["rows"]
        return rows


@contextmanager
def database(engine: str, folder: Path) -> Iterator[Database]:
    """An engine with its table, which is dropped again."""
    found = Database(engine, folder)
    if engine == "sqlite":
        found.path.parent.mkdir(parents=True, exist_ok=True)
    else:
        found.connection()  # skips where there is no server
    found.ask("CREATE TABLE {t} (id integer PRIMARY KEY, name varchar(200) UNIQUE)")
    try:
        yield found
    finally:
        found.ask("DROP TABLE {t}")
