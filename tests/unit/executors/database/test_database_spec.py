"""What a database job may ask for, and what is refused when it is saved."""

from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.executors.database.session import without_values
from chalicelib.executors.database.spec import SPEC, Config, Statement

PLACE = {"engine": "postgresql", "host": "db.example.com", "database": "shop", "user": "u"}


def _config(place: dict[str, Any] | None = None, **statement: Any) -> Config:
    statements = [{"sql": "SELECT 1", **statement}]
    return Config.model_validate({"connection": {**PLACE, **(place or {})}, "statements": statements})


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ({"host": "postgres://db.example.com"}, "a URL"),
        ({"host": "db.example.com:5432"}, "a host with a port"),
        ({"host": "db.example.com,other.example.com"}, "two hosts, as libpq would take them"),
        ({"host": "/var/run/postgresql"}, "a socket in the file system, as libpq would take it"),
        ({"host": ""}, "no host"),
        ({"host": "fe80::1%eth0"}, "a network interface of ours"),
        ({"port": 0}, "no port"),
        ({"port": 65_536}, "no port"),
        ({"database": "a\x00b"}, "a NUL"),
        ({"user": ""}, "no user"),
        ({"tls": False}, "verification is not switched off"),
        ({"tls": {"verify": False}}, "verification is not switched off"),
        ({"engine": "oracle"}, "an engine that is not served"),
        ({"options": "-c x=y"}, "options of libpq"),
    ],
)
def test_a_place_that_cannot_be_is_refused(place: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError):
        _config(place)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ({"sql": ""}, "nothing"),
        ({"sql": "SELECT '\x00'"}, "a NUL"),
        ({"sql": "x" * 65_537}, "too long"),
        ({"sql": "SELECT ?", "parameters": []}, "a placeholder without a value"),
        ({"sql": "SELECT :a", "parameters": {"b": 1}}, "another name"),
        ({"sql": "SELECT ?", "parameters": [2**63]}, "an integer that no database has"),
        ({"sql": "SELECT ?", "parameters": [float("inf")]}, "no number"),
        ({"sql": "SELECT ?", "parameters": ["x" * 131_072]}, "too much"),
        ({"expect_rows": "many"}, "no number of rows"),
        ({"expect_rows": ">= -1"}, "fewer than none"),
        ({"expect_rows": "=> 1"}, "no comparison"),
    ],
)
def test_a_statement_that_cannot_be_is_refused(statement: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError):
        _config(None, **statement)


def test_a_placeholder_that_does_not_fit_is_named_with_its_place() -> None:
    with pytest.raises(ValidationError, match=r"statements\.0\.sql has a placeholder :a, but no parameter"):
        _config(None, sql="SELECT :a", parameters={})


@pytest.mark.parametrize(
    ("bound", "met"),
    [
        ("1", [1]),
        ("== 1", [1]),
        (">=1", [1, 2]),
        (">  1", [2]),
        ("<= 1", [0, 1]),
        ("< 1", [0]),
        ("!= 1", [0, 2]),
    ],
)
def test_a_bound_is_met_by_some_numbers_of_rows(bound: str, met: list[int]) -> None:
    statement = Statement(sql="SELECT 1", expect_rows=bound)
    assert [rows for rows in range(3) if statement.expects(rows)] == met


def test_without_a_bound_any_number_of_rows_will_do() -> None:
    assert Statement(sql="SELECT 1").expects(0)


@pytest.mark.parametrize(
    ("config", "host"),
    [
        ({"connection": {"host": "DB.Example.com."}}, "db.example.com"),
        ({"connection": {"path": "a.db"}}, None),
        ({"connection": {"host": 5}}, None),
        ({"connection": 5}, None),
        ({}, None),
    ],
)
def test_limits_know_a_database_by_its_host(config: dict[str, Any], host: str | None) -> None:
    assert SPEC.target(config) == host


def test_a_password_is_not_in_what_is_printed() -> None:
    assert "hunter2" not in repr(_config({"password": "hunter2"}))


@pytest.mark.parametrize(
    ("text", "values", "told"),
    [
        ("Duplicate entry 'ab' for key 'PRIMARY'", ["ab"], "Duplicate entry '...' for key 'PRIMARY'"),
        (
            'invalid input syntax for type integer: "x y"',
            ["x y"],
            'invalid input syntax for type integer: "..."',
        ),
        ("value top-secret is bad", ["top-secret"], "value ... is bad"),
        ("column a does not exist", ["a"], "column a does not exist"),
        ("Key (name)=(a)", ["a"], "Key (name)=(...)"),
        ("two\nlines", [None, "", 5], "two lines"),
    ],
)
def test_a_message_is_told_without_its_values(text: str, values: list[Any], told: str) -> None:
    assert without_values(text, values) == told
