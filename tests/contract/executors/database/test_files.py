"""SQLite files: only the tenant's own, and nothing in SQL that leads out of them."""

from typing import Any

import pytest

from chalicelib.domain.outcome import Failed
from chalicelib.executors.base import ExecutorSettings
from tests.support.calls import call_of, perform
from tests.support.databases import Database


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../other/test.db", "another tenant's"),
        ("/etc/passwd", "an absolute path"),
        ("missing.db", "there is no such file"),
        (".", "a folder"),
        ("text.db", "no database"),
        ("link.db", "a link that leads out"),
        ("test.db?mode=memory", "a parameter of SQLite's"),
        ("file:test.db", "a URI"),
        ("a" * 300, "too long a name"),
    ],
)
def test_a_file_that_is_not_the_tenants_database_is_refused(sqlite: Database, path: str, why: str) -> None:
    folder = sqlite.path.parent
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "test.db").write_bytes(sqlite.path.read_bytes())
    (folder / "text.db").write_text("no database " * 1000)
    (folder / "link.db").symlink_to("../other/test.db")
    config = {"connection": {"engine": "sqlite", "path": path}, "statements": [{"sql": "SELECT * FROM t"}]}
    outcome = perform(call_of("database", config, settings=sqlite.settings), "database")
    assert isinstance(outcome, Failed), why
    assert (outcome.kind, outcome.retryable) == ("file", False), why
    assert not (folder / "missing.db").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH DATABASE '/etc/passwd' AS other",
        "ATTACH ':memory:' AS other",
        "DETACH main",
        "VACUUM INTO '/tmp/chronos_escape.db'",
        "SELECT load_extension('/lib/x.so')",
        "PRAGMA writable_schema = ON",
        "PRAGMA temp_store_directory = '/tmp'",
        "PRAGMA journal_mode = OFF",
        "PRAGMA query_only = OFF",
        "SELECT writefile('/tmp/chronos_escape', 'x')",
        "SELECT readfile('/etc/passwd')",
        "SELECT * FROM pragma_journal_mode('off')",
    ],
)
@pytest.mark.parametrize("transaction", [True, False])
def test_sql_does_not_lead_out_of_the_file(sqlite: Database, sql: str, transaction: bool) -> None:
    outcome = sqlite.run(sql, transaction=transaction)
    assert isinstance(outcome, Failed), outcome
    assert (outcome.kind, outcome.retryable) == ("database", False)


def test_a_value_that_would_fill_the_memory_is_refused(sqlite: Database) -> None:
    outcome = sqlite.run("SELECT zeroblob(1000000000)")
    assert isinstance(outcome, Failed)
    assert outcome.kind == "database"


def test_what_a_file_knows_of_itself_may_be_asked(sqlite: Database) -> None:
    assert [row["name"] for row in sqlite.rows("PRAGMA table_info({t})")] == ["id", "name"]


def test_without_a_mount_there_are_no_files() -> None:
    config: dict[str, Any] = {
        "connection": {"engine": "sqlite", "path": "a.db"},
        "statements": [{"sql": "SELECT 1"}],
    }
    outcome = perform(call_of("database", config, settings=ExecutorSettings()), "database")
    assert isinstance(outcome, Failed)
    assert outcome.message == "No file system is mounted for jobs in this deployment."
