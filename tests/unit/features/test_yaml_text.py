"""YAML that comes in says what JSON can say, and what goes out comes in again as it was."""

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.domain.errors import Malformed
from chalicelib.features.yaml_text import MAX_DEPTH, dump, parse

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
@example(
    ["1e3", "1_000", "1:30", "no", "on", "~", "0x10", "2027-01-01", "=", "<<", " x", "x\n", "\n", "a\n b"]
)
@example({"<<": {"a": 1}, "!x": "&a", "*a": "- b", "x: y": "#", "null": None, "1": 1, "": ""})
@example(["\u0085", "\u2028", "\ufeff", "\t", "\x00", "\x7f", "\r\n", "\U0001f600", "a\n\u2028b", "|", ">\n"])
@example([1e22, 1.0, -0.0, 5e-324, 1e300])
def test_what_is_written_is_read_as_it_was(value: Any) -> None:
    assert repr(parse(dump(value))) == repr(value)


@given(VALUES)
def test_other_programs_read_the_same(value: Any) -> None:
    assert repr(yaml.safe_load(dump(value))) == repr(value)


@pytest.mark.parametrize(
    ("text", "value", "why"),
    [
        ("a: no", {"a": "no"}, "no is a word"),
        ("a: 2027-01-01", {"a": "2027-01-01"}, "a day is a string, as in JSON"),
        ("a: 0 30 2 * * *", {"a": "0 30 2 * * *"}, "a cron expression needs no quotes"),
        ("a: 1:30", {"a": "1:30"}, "a time is a string"),
        ("a: '1'", {"a": "1"}, "quotes make strings"),
        ("a: [1, 2.5, true, null, ~]", {"a": [1, 2.5, True, None, None]}, "JSON's values"),
        ('{"a": {"b": []}}', {"a": {"b": []}}, "JSON is YAML"),
        ("<<: {a: 1}", {"<<": {"a": 1}}, "a merge key is a name like any other"),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}, "blocks"),
        ("1: x", {"1": "x"}, "names are strings"),
    ],
)
def test_what_yaml_means_here(text: str, value: Any, why: str) -> None:
    assert parse(text) == value, why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nothing"),
        ("# a comment", "nothing but a comment"),
        ("a: &x 1\nb: *x", "an anchor and its alias"),
        ("a: &x [1]", "an anchor alone"),
        ("a: *x", "an alias of nothing"),
        ("a: !!python/object/apply:os.system [id]", "a tag that would run something"),
        ("a: !!binary aGk=", "a tag of the standard"),
        ("a: !mine x", "a tag of one's own"),
        ("a: 1\na: 2", "a name twice"),
        ("? [a]\n: b", "a list as a name"),
        ("a: .nan", "no number"),
        ("a: -.inf", "infinity"),
        ("a: 0x1F", "another base"),
        ("a: 1e999", "beyond a double"),
        ("a: " + "9" * 30, "an integer over 64 bits"),
        ("a: 1\n---\nb: 2", "two documents"),
        ("a: [", "cut off"),
        ("a: b: c", "no YAML"),
        ("a: \x00", "a character that may not be there"),
        ("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), "too deep"),
        ("[" * 100_000, "far too deep"),
        ("[" + "1," * 120_000 + "]", "too many values"),
    ],
)
def test_what_is_not_accepted(text: str, why: str) -> None:
    with pytest.raises(Malformed):
        parse(text)
