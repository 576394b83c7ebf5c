"""JSON inside configs: what cannot be stored or sent is refused, in bounded time and stack."""

from typing import Any

import pytest

from chalicelib.executors.json_values import MAX_DEPTH, bounded, encoded


def _nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "null"),
        ({"a": [1, "ä", 1.5, True]}, "ordinary"),
        (_nested(MAX_DEPTH), "as deep as allowed"),
        ("x" * 98, "exactly as long as allowed, with its quotes"),
    ],
)
def test_small_json_passes_unchanged(value: Any, why: str) -> None:
    assert bounded(value, 200 if isinstance(value, dict | list) else 100) == value, why


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (_nested(MAX_DEPTH + 1), "a level too deep"),
        (_nested(100_000), "deep enough for a stack overflow"),
        ("x" * 99, "a byte too long"),
        ("ä" * 50, "too long in UTF-8, though not in characters"),
        ({"a" * 100: 1}, "a long name counts too"),
        ([[]] * 50, "many small parts"),
        (float("nan"), "JSON has no NaN"),
        ([float("-inf")], "JSON has no infinity"),
        ("\ud800", "half a surrogate pair is no text"),
        ([10**5000], "a number that Python will not write"),
    ],
)
def test_json_that_is_too_much_is_refused(value: Any, why: str) -> None:
    with pytest.raises(ValueError):
        bounded(value, 100)


def test_json_is_written_compactly_in_utf8() -> None:
    assert encoded({"a": [1, "ä"]}) == '{"a":[1,"ä"]}'.encode()
