"""Conditions on the body of an answer: what holds, what does not, and what cannot be looked at."""

import json
import time
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from chalicelib.executors.http.conditions import MAX_MATCHED, Condition, matches, unmet

BODY = {
    "state": "done",
    "count": 3,
    "ratio": 1.0,
    "ok": True,
    "none": None,
    "items": [{"id": "a-1"}, {"id": "b-2"}],
    "a/b": {"~": 1},
    "": "empty name",
}


def reason(condition: dict[str, Any], body: bytes | None = None, *, whole: bool = True) -> str | None:
    wanted: Any = TypeAdapter(Condition).validate_python(condition)
    return unmet([wanted], json.dumps(BODY).encode() if body is None else body, whole=whole)


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ({"kind": "text", "contains": '"state": "done"'}, "a text"),
        ({"kind": "text", "contains": "Done", "absent": True}, "letters count"),
        ({"kind": "json_equals", "pointer": "/state", "value": "done"}, "a text"),
        ({"kind": "json_equals", "pointer": "/ratio", "value": 1}, "numbers by their value"),
        ({"kind": "json_equals", "pointer": "/none", "value": None}, "null"),
        ({"kind": "json_equals", "pointer": "/items/1", "value": {"id": "b-2"}}, "an object"),
        ({"kind": "json_equals", "pointer": "/a~1b/~0", "value": 1}, "escaped names"),
        ({"kind": "json_equals", "pointer": "/", "value": "empty name"}, "an empty name"),
        ({"kind": "json_equals", "pointer": "", "value": BODY}, "all of it"),
        ({"kind": "json_matches", "pointer": "/items/0/id", "pattern": "a-?"}, "one character"),
        ({"kind": "json_matches", "pointer": "/state", "pattern": "*o*e"}, "any characters"),
        ({"kind": "json_exists", "pointer": "/none"}, "null is there"),
        ({"kind": "json_exists", "pointer": "/items/2", "absent": True}, "beyond the end"),
        ({"kind": "json_exists", "pointer": "/items/01", "absent": True}, "no index"),
        ({"kind": "json_exists", "pointer": "/items/-", "absent": True}, "no index either"),
        ({"kind": "json_exists", "pointer": "/state/x", "absent": True}, "inside a text"),
        ({"kind": "json_range", "pointer": "/count", "at_least": 3, "at_most": 3}, "bounds are included"),
        ({"kind": "json_range", "pointer": "/count", "at_least": -1e9}, "one bound"),
    ],
)
def test_a_condition_is_met(condition: dict[str, Any], why: str) -> None:
    assert reason(condition) is None, why


@pytest.mark.parametrize(
    ("condition", "words", "why"),
    [
        ({"kind": "text", "contains": "Done"}, "the text is not there", "letters count"),
        ({"kind": "text", "contains": "done", "absent": True}, "the text is there", "it must not be"),
        ({"kind": "json_equals", "pointer": "/ok", "value": 1}, "/ok is not as expected", "true is not 1"),
        (
            {"kind": "json_equals", "pointer": "/gone", "value": None},
            "/gone is not there",
            "null is something",
        ),
        (
            {"kind": "json_matches", "pointer": "/count", "pattern": "*"},
            "not as expected",
            "a number is no text",
        ),
        (
            {"kind": "json_matches", "pointer": "/state", "pattern": "don"},
            "not as expected",
            "the whole text",
        ),
        (
            {"kind": "json_matches", "pointer": "/state", "pattern": "d.*"},
            "not as expected",
            "no regular expressions",
        ),
        ({"kind": "json_exists", "pointer": "/gone"}, "/gone is not there", "there is none"),
        ({"kind": "json_exists", "pointer": "", "absent": True}, "the whole body is there", "it always is"),
        ({"kind": "json_range", "pointer": "/ok", "at_least": 0}, "not as expected", "true is no number"),
        ({"kind": "json_range", "pointer": "/count", "at_most": 2}, "not as expected", "too much"),
    ],
)
def test_a_condition_that_is_not_met_tells_which_and_shows_nothing_of_the_answer(
    condition: dict[str, Any], words: str, why: str
) -> None:
    told = reason(condition)
    assert told is not None, why
    assert told.startswith("Condition 1 is not met: ")
    assert words in told


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"state": NaN}', b"[" * 100_000, b"1" * 10_000, b'{"state": "done"', b"\xff"],
    ids=lambda body: repr(body[:8]),
)
def test_what_is_no_json_is_told_as_such(body: bytes) -> None:
    told = reason({"kind": "json_exists", "pointer": "/state"}, body)
    assert told == "The answer is no JSON, which conditions on its body need."


def test_an_answer_that_was_not_read_to_its_end_meets_no_condition() -> None:
    told = reason({"kind": "text", "contains": "done"}, whole=False)
    assert told is not None
    assert "too long" in told


def test_the_number_of_the_condition_counts_from_one() -> None:
    wanted: Any = TypeAdapter(list[Condition]).validate_python(
        [{"kind": "text", "contains": "a"}, {"kind": "text", "contains": "z"}]
    )
    assert unmet(wanted, b"abc", whole=True) == "Condition 2 is not met: the text is not there."


@pytest.mark.parametrize(
    "condition",
    [
        {"kind": "json_equals", "pointer": "state", "value": 1},
        {"kind": "json_equals", "pointer": "/a~2", "value": 1},
        {"kind": "json_equals", "pointer": "/a"},
        {"kind": "json_range", "pointer": "/a"},
        {"kind": "json_matches", "pointer": "/a", "pattern": ""},
        {"kind": "regex", "pointer": "/a", "pattern": "a"},
        {"kind": "text", "contains": "a", "pointer": "/a"},
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(condition: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Condition).validate_python(condition)


def test_a_hostile_pattern_and_text_take_bounded_time() -> None:
    start = time.process_time()
    assert not matches("*a" * 100, "a" * (MAX_MATCHED - 1) + "b")
    assert not matches("*" + "a" * 198 + "b", "a" * MAX_MATCHED)
    assert not matches("*", "a" * (MAX_MATCHED + 1)), "too long to look at"
    assert time.process_time() - start < 5
