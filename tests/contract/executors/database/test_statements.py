"""What `database` jobs do, on real databases of every engine."""

from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed, Succeeded
from tests.support.databases import Database
from tests.support.doubles import MemoryOutputs

INSERT = "INSERT INTO {t} (id, name) VALUES (:id, :name)"
AWKWARD = [
    "it's",
    '"; DROP TABLE t; --',
    "\\' OR 1=1 #",
    "ä🎉\n\t\\",
    ":name ? $1 %s",
    "",
]


def _insert(number: int, name: str | None) -> dict[str, Any]:
    return {"sql": INSERT, "parameters": {"id": number, "name": name}}


def test_statements_take_effect_together_and_tell_what_they_did(any_database: Database) -> None:
    outcome = any_database.run(_insert(1, "one"), _insert(2, None), "SELECT id, name FROM {t} ORDER BY id")
    assert isinstance(outcome, Succeeded), outcome
    rows = [{"id": 1, "name": "one"}, {"id": 2, "name": None}]
    assert outcome.result["statements"] == [
        {"rows_changed": 1},
        {"rows_changed": 1},
        {"row_count": 2, "rows": rows, "truncated": False},
    ]
    assert any_database.ask("SELECT count(*) FROM {t}") == [(2,)]


@pytest.mark.parametrize("text", AWKWARD)
def test_a_parameter_is_a_value_whatever_is_in_it(any_database: Database, text: str) -> None:
    find = {"sql": "SELECT id, name FROM {t} WHERE name = ?", "parameters": [text]}
    assert any_database.rows(_insert(1, text), find) == [{"id": 1, "name": text}]


@pytest.mark.parametrize("value", [0, -(2**63), 2**63 - 1, 0.1, -1e-300, 1e22, None, "text"])
def test_a_value_comes_back_as_it_went(any_database: Database, value: Any) -> None:
    given = "CAST(? AS double precision)" if isinstance(value, float) else "?"
    if any_database.engine == "sqlite" and isinstance(value, float):
        given = "CAST(? AS real)"
    if any_database.engine == "mysql" and isinstance(value, float):
        given = "CAST(? AS double)"
    assert any_database.rows({"sql": f"SELECT {given} AS v", "parameters": [value]}) == [{"v": value}]


def test_lists_and_objects_are_bound_as_json(any_database: Database) -> None:
    assert any_database.rows(
        {"sql": INSERT, "parameters": {"id": 1, "name": {"a": [1, None]}}}, "SELECT name FROM {t}"
    ) == [{"name": '{"a":[1,null]}'}]


def test_a_failure_takes_back_what_was_done_before_it(any_database: Database) -> None:
    outcome = any_database.run(_insert(1, "one"), "SELECT * FROM no_such_table")
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("database", False)
    assert outcome.result is not None
    assert outcome.result["statement"] == 2
    assert any_database.ask("SELECT * FROM {t}") == []


def test_without_a_transaction_each_statement_stays(any_database: Database) -> None:
    statements = [_insert(1, "one"), "SELECT id FROM {t}", _insert(2, "two"), "SELECT * FROM no_such_table"]
    assert isinstance(any_database.run(*statements, transaction=False), Failed)
    assert any_database.ask("SELECT count(*) FROM {t}") == [(2,)]


@pytest.mark.parametrize(
    ("bound", "is_met"),
    [("2", True), ("== 2", True), (">= 2", True), ("> 2", False), ("!= 2", False), ("0", False)],
)
def test_the_rows_that_are_expected_decide(any_database: Database, bound: str, is_met: bool) -> None:
    change = {"sql": "UPDATE {t} SET name = NULL", "expect_rows": bound}
    outcome = any_database.run(_insert(1, "one"), _insert(2, "two"), change)
    assert isinstance(outcome, Succeeded if is_met else Failed), outcome
    assert any_database.ask("SELECT count(*) FROM {t}") == [(2 if is_met else 0,)]
    if isinstance(outcome, Failed):
        assert (outcome.kind, "rolled back" in outcome.message) == ("condition", True)


def test_the_rows_of_a_query_are_expected_too(any_database: Database) -> None:
    outcome = any_database.run({"sql": "SELECT * FROM {t}", "expect_rows": ">= 1"})
    assert isinstance(outcome, Failed)
    assert outcome.message == "Statement 1 had 0 rows; expected >= 1. All was rolled back."


@pytest.mark.parametrize("transaction", [True, False])
def test_nothing_is_changed_by_a_job_that_only_reads(any_database: Database, transaction: bool) -> None:
    outcome = any_database.run(_insert(1, "one"), read_only=True, transaction=transaction)
    assert isinstance(outcome, Failed), outcome
    assert any_database.ask("SELECT * FROM {t}") == []
    assert any_database.rows("SELECT count(*) AS n FROM {t}", read_only=True) == [{"n": 0}]


@pytest.mark.parametrize("isolation", ["read_committed", "repeatable_read", "serializable"])
def test_a_transaction_is_as_isolated_as_the_job_wants(server: Database, isolation: str) -> None:
    told = {
        "postgresql": "SHOW transaction_isolation",
        "mysql": "SELECT @@tx_isolation AS transaction_isolation",
    }
    rows = server.rows(told[server.engine], isolation=isolation)
    assert rows[0]["transaction_isolation"].lower().replace("-", " ") == isolation.replace("_", " ")


def test_only_some_rows_are_kept_and_all_are_counted(any_database: Database) -> None:
    many = [_insert(number, None) for number in range(9)]
    outcome = any_database.run(*many, "SELECT id FROM {t} ORDER BY id", max_rows=2)
    assert isinstance(outcome, Succeeded)
    assert outcome.result["statements"][-1] == {
        "row_count": 9,
        "rows": [{"id": 0}, {"id": 1}],
        "truncated": True,
    }


@pytest.mark.parametrize(
    ("format_", "name", "content"),
    [
        ("csv", "rows.csv", 'id,name\r\n1,"a,""b"\r\n2,\r\n'),
        ("json_lines", "rows.jsonl", '{"id":1,"name":"a,\\"b"}\n{"id":2,"name":null}\n'),
    ],
)
def test_all_rows_go_into_a_file(any_database: Database, format_: str, name: str, content: str) -> None:
    outputs = MemoryOutputs()
    outcome = any_database.run(
        _insert(1, 'a,"b'),
        _insert(2, None),
        "SELECT id, name FROM {t} ORDER BY id",
        output={"format": format_},
        outputs=outputs,
    )
    assert isinstance(outcome, Succeeded), outcome
    assert outputs.files == {name: content.encode()}
    stored = {"row_count": 2, "output": {"name": name, "bytes": len(content)}}
    assert outcome.result["statements"][-1] == stored


def test_more_rows_than_a_file_may_have_are_a_failure_that_stores_nothing(any_database: Database) -> None:
    outputs = MemoryOutputs()
    outcome = any_database.run(
        _insert(1, "a"), _insert(2, "b"), "SELECT id FROM {t}", output={"max_rows": 1}, outputs=outputs
    )
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable, outputs.files) == ("output", False, {})
    assert any_database.ask("SELECT * FROM {t}") == []


@pytest.mark.parametrize(
    ("outputs", "retryable", "why"),
    [(MemoryOutputs(max_bytes=3), False, "too large"), (MemoryOutputs(), None, "not there for now")],
)
def test_a_file_that_cannot_be_stored_is_a_failure(
    any_database: Database, outputs: MemoryOutputs, retryable: bool | None, why: str
) -> None:
    if retryable is None:
        outputs.failures.append(Unavailable("The bucket does not answer."))
    outcome = any_database.run("SELECT 12345 AS n", output={}, outputs=outputs)
    assert isinstance(outcome, Failed), why
    assert (outcome.kind, outcome.retryable) == ("output", retryable), why


def test_a_statement_without_rows_fills_no_file(any_database: Database) -> None:
    outcome = any_database.run(_insert(1, "a"), output={}, outputs=MemoryOutputs())
    assert isinstance(outcome, Failed)
    assert any_database.ask("SELECT * FROM {t}") == []


def test_a_broken_rule_is_told_without_the_value(any_database: Database) -> None:
    outcome = any_database.run(_insert(1, "top-secret"), _insert(2, "top-secret"))
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("database", False)
    assert outcome.result is not None
    assert outcome.result["code"] in ("23505", "23000", "SQLITE_CONSTRAINT_UNIQUE")
    assert "top-secret" not in repr(outcome)


@pytest.mark.parametrize("sql", ["SELEKT 1", "SELECT nothing FROM {t}", "(", "SELECT 'open"])
def test_a_statement_that_makes_no_sense_is_not_tried_again(any_database: Database, sql: str) -> None:
    outcome = any_database.run(sql)
    assert isinstance(outcome, Failed), outcome
    assert (outcome.kind, outcome.retryable) == ("database", False)


def test_many_rows_take_little_memory(server: Database) -> None:
    numbers = {"postgresql": "generate_series(1, 300000) AS seq", "mysql": "seq_1_to_300000"}[server.engine]
    outputs = MemoryOutputs()
    outcome = server.run(f"SELECT seq FROM {numbers}", output={}, outputs=outputs, seconds=60)
    assert isinstance(outcome, Succeeded), outcome
    assert outcome.result["statements"][0]["row_count"] == 300_000
    assert outputs.files["rows.csv"].endswith(b"300000\r\n")
