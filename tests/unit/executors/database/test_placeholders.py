"""Placeholders as users write them, and as each engine reads them."""

import time

import pytest

from chalicelib.executors.database.placeholders import Parameters, rewritten, words


def _dollar(number: int) -> str:
    return f"${number}"


@pytest.mark.parametrize(
    ("engine", "sql", "parameters", "expected", "why"),
    [
        ("postgresql", "select ?, ?", [1, 2], "select $1, $2", "positions"),
        ("postgresql", "select :b, :a, :b", {"a": 1, "b": 2}, "select $1, $2, $3", "names, also twice"),
        ("postgresql", "select :a::text", {"a": 1}, "select $1::text", "a cast is none"),
        ("postgresql", "select '?', \"?\", ?", [1], "select '?', \"?\", $1", "what is quoted stays"),
        ("postgresql", "select 'it''s ?', ?", [1], "select 'it''s ?', $1", "a doubled quote"),
        ("postgresql", r"select E'\' ?', ?", [1], r"select E'\' ?', $1", "an escape string"),
        ("postgresql", r"select '\', ?", [1], r"select '\', $1", "a plain string knows no backslash"),
        ("postgresql", "select $$ ? $$, $a$ $$ ? $a$, ?", [1], "select $$ ? $$, $a$ $$ ? $a$, $1", "dollars"),
        ("postgresql", "select ? -- ?\n, ?", [1, 2], "select $1 -- ?\n, $2", "a comment ends with its line"),
        ("postgresql", "select /* ? /* ? */ ? */ ?", [1], "select /* ? /* ? */ ? */ $1", "nested comments"),
        (
            "postgresql",
            "select d ? 'k' and :a",
            {"a": 1},
            "select d ? 'k' and $1",
            "an operator, among names",
        ),
        ("postgresql", "select d ? 'k'", None, "select d ? 'k'", "nothing is replaced without parameters"),
        ("postgresql", "select x := ?", [1], "select x := $1", "an assignment"),
        ("postgresql", "select '12:30:00', ?", [1], "select '12:30:00', $1", "a time of day"),
        ("mysql", r"select '\'?', ?", [1], r"select '\'?', $1", "MySQL's backslash"),
        ("mysql", 'select "?", `?`, ?', [1], 'select "?", `?`, $1', "MySQL's quotes"),
        ("mysql", "select ? # ?\n, ?", [1, 2], "select $1 # ?\n, $2", "MySQL's comment"),
        ("mysql", "select 5--?", [1], "select 5--$1", "minus minus is no comment there without a space"),
        ("sqlite", "select [?], `?`, ?", [1], "select [?], `?`, $1", "SQLite's quotes"),
        ("sqlite", "select /* ? */ ?", [1], "select /* ? */ $1", "SQLite's comment"),
        ("sqlite", "select ? from 'unclosed ?", [1], "select $1 from 'unclosed ?", "what is not closed"),
    ],
)
def test_only_what_is_a_placeholder_is_rewritten(
    engine: str, sql: str, parameters: Parameters, expected: str, why: str
) -> None:
    assert rewritten(sql, engine, parameters, _dollar)[0] == expected, why


def test_values_come_in_the_order_of_their_places() -> None:
    assert rewritten("select :b, :a, :b", "sqlite", {"a": 1, "b": 2}, _dollar)[1] == [2, 1, 2]


@pytest.mark.parametrize(
    ("sql", "parameters", "said"),
    [
        ("select ?, ?", [1], "has 2 placeholders"),
        ("select 1", [1], "has 0 placeholders"),
        ("select :a", {}, "no parameter of that name"),
        ("select 1", {"a": 1}, "no placeholder of that name"),
    ],
)
def test_places_and_values_must_fit(sql: str, parameters: Parameters, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rewritten(sql, "postgresql", parameters, _dollar)


@pytest.mark.parametrize("engine", ["postgresql", "mysql", "sqlite"])
@pytest.mark.parametrize("piece", ["'", '"', "$a$", "/*", "E'\\", ":", "[", "`", "a'", "$", "''\\"])
def test_no_text_takes_long(engine: str, piece: str) -> None:
    started = time.perf_counter()
    rewritten(piece * (65_536 // len(piece)), engine, {}, _dollar)
    assert time.perf_counter() - started < 2


def test_words_leave_out_what_is_quoted() -> None:
    sql = "WITH a AS (select 'delete') -- insert\n/* update */ SELECT \"into\" FROM a"
    assert words(sql, "postgresql") == ["with", "a", "as", "select", "select", "from", "a"]
