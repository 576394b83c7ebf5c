"""What only PostgreSQL has."""

import pytest

from chalicelib.domain.outcome import Failed
from chalicelib.ports.run_log import RunLog
from tests.support.databases import Database


@pytest.mark.parametrize(
    ("sql", "value", "why"),
    [
        ("12345678901234567890.5::numeric", "12345678901234567890.5", "no digit is lost"),
        ("'{\"a\": [1, 2.5]}'::jsonb", {"a": [1, 2.5]}, "JSON is JSON"),
        ("ARRAY[ARRAY[1, NULL], ARRAY[2, 3]]", [[1, None], [2, 3]], "arrays are arrays"),
        ("'2027-01-02 03:04:05+02'::timestamptz", "2027-01-02T01:04:05Z", "in UTC"),
        ("'infinity'::timestamptz", "infinity", "a date that Python has not"),
        ("'0044-03-15 BC'::date", "0044-03-15 BC", "a date that Python has not"),
        ("interval '1 month 2 hours'", "P1MT2H", "an interval that is no number of seconds"),
        ("'\\x00ff'::bytea", "AP8=", "bytes"),
        ("'NaN'::float8", "NaN", "a number that JSON has not"),
        ("int4range(1, 5)", "[1, 5)", "what JSON does not know is text"),
        ("'192.168.0.1'::inet", "192.168.0.1", "what JSON does not know is text"),
    ],
)
def test_a_value_has_one_form_in_json(postgresql: Database, sql: str, value: object, why: str) -> None:
    assert postgresql.rows(f"SELECT {sql} AS v") == [{"v": value}], why


def test_what_changes_rows_may_return_them(postgresql: Database) -> None:
    sql = "WITH made AS (INSERT INTO {t} VALUES (1, 'one'), (2, 'two') RETURNING id) SELECT id FROM made ORDER BY id"
    assert postgresql.rows(sql) == [{"id": 1}, {"id": 2}]
    assert postgresql.rows("DELETE FROM {t} WHERE id = 1 RETURNING name") == [{"name": "one"}]


def test_what_the_server_remarks_is_logged(postgresql: Database) -> None:
    log = RunLog()
    postgresql.run("DO $$ BEGIN RAISE NOTICE 'half done'; RAISE WARNING 'odd'; END $$", log=log)
    assert [(line.level, line.message) for line in log.drain()] == [("info", "half done"), ("warning", "odd")]


def test_a_statement_that_takes_no_transaction_is_carried_out_without(postgresql: Database) -> None:
    assert postgresql.rows("VACUUM {t}", "SELECT count(*) AS n FROM {t}", transaction=False) == [{"n": 0}]


@pytest.mark.parametrize("sql", ["COPY (SELECT 1) TO STDOUT", "COPY {t} FROM STDIN"])
def test_copying_is_refused_at_once(postgresql: Database, sql: str) -> None:
    outcome = postgresql.run(sql)
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("database", False)
    assert "COPY" in outcome.message
    assert postgresql.rows("SELECT count(*) AS n FROM {t}") == [{"n": 0}]


def test_a_rule_that_is_checked_at_the_commit_is_no_lost_connection(postgresql: Database) -> None:
    postgresql.ask("ALTER TABLE {t} ADD CONSTRAINT {t}_late UNIQUE (name) DEFERRABLE INITIALLY DEFERRED")
    postgresql.ask("ALTER TABLE {t} DROP CONSTRAINT {t}_name_key")
    outcome = postgresql.run("INSERT INTO {t} VALUES (1, 'one'), (2, 'one')")
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.retryable) == ("database", False)
