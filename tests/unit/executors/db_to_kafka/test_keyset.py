"""Pages of a query by the greatest key so far, in every engine's own words."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.executors.database.placeholders import Parameters
from chalicelib.executors.db_to_kafka.keyset import Keyset, NotAscending, check_distinct, key_of


@pytest.mark.parametrize(
    ("engine", "parameters", "columns", "where", "given", "why"),
    [
        ("postgresql", None, ("a",), '("a") > (:chronos_after_0)', {"chronos_after_0": 1}, "a column"),
        ("sqlite", [9], ("a", "b"), '("a", "b") > (?, ?)', [9, 1, 2], "two columns, beside a list"),
        (
            "postgresql",
            {"x": 9},
            ("a",),
            '("a") > (:chronos_after_0)',
            {"x": 9, "chronos_after_0": 1},
            "beside an object",
        ),
        ("mysql", [], ("a", "b"), "(`a` > ?) OR (`a` = ? AND `b` > ?)", [1, 1, 2], "spelled out for MySQL"),
    ],
)
def test_a_page_begins_after_a_key(
    engine: str, parameters: Parameters, columns: tuple[str, ...], where: str, given: Parameters, why: str
) -> None:
    keyset = Keyset(engine, "SELECT 1", parameters, columns)
    sql, bound = keyset.page([1, 2][: len(columns)], 5)
    order = ", ".join(f"`{one}`" if engine == "mysql" else f'"{one}"' for one in columns)
    assert sql == f"SELECT * FROM (\nSELECT 1\n) AS chronos_rows WHERE {where} ORDER BY {order} LIMIT 5", why
    assert bound == given, why


def test_the_first_page_has_no_bound() -> None:
    sql, bound = Keyset("sqlite", "SELECT 1 ; ", None, ("a",)).page(None, 5)
    assert sql == 'SELECT * FROM (\nSELECT 1 \n) AS chronos_rows ORDER BY "a" LIMIT 5'
    assert bound is None


def test_placeholders_are_checked_with_those_of_the_page() -> None:
    Keyset("postgresql", "SELECT a ? 'k' -- ?", None, ("a",)).check()
    Keyset("mysql", "SELECT ?", [1], ("a", "b")).check()
    with pytest.raises(ValueError, match="placeholders"):
        Keyset("mysql", "SELECT ?", [], ("a",)).check()


@pytest.mark.parametrize(
    ("value", "engine", "why"),
    [
        (None, "sqlite", "NULL has no place in an order"),
        (True, "postgresql", "two values are no progress"),
        (b"x", "postgresql", "bytes do not come back from JSON"),
        (timedelta(1), "mysql", "neither do spans of time"),
        (Decimal("1.5"), "mysql", "MySQL would compare it inexactly"),
        ("x" * 513, "postgresql", "too long a text"),
    ],
)
def test_a_value_that_is_no_place_to_go_on_from_is_refused(value: Any, engine: str, why: str) -> None:
    with pytest.raises(NotAscending):
        key_of({"a": value}, ["a"], engine)


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(NotAscending, match="no column 'b'"):
        key_of({"a": 1}, ["b"], "postgresql")


def test_a_key_is_in_the_order_of_its_columns() -> None:
    assert key_of({"a": 1, "b": date(2027, 1, 1)}, ["b", "a"], "mysql") == (date(2027, 1, 1), 1)
    assert key_of({"a": Decimal("1.5")}, ["a"], "postgresql") == (Decimal("1.5"),)


def test_two_rows_of_one_key_are_refused() -> None:
    check_distinct([(1, 1), (1, 2), (2, 1)])
    with pytest.raises(NotAscending):
        check_distinct([(1, 1), (1, 1)])
