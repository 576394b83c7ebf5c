"""Two documents, place by place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.differences import differences

CASES: list[tuple[Any, Any, list[tuple[str, str, Any, Any]], str]] = [
    ({"a": 1}, {"a": 1}, [], "the same"),
    ({"a": 1}, {"a": 2}, [("/a", "replaced", 1, 2)], "another value"),
    ({}, {"a": None}, [("/a", "added", None, None)], "null is a value: added"),
    ({"a": None}, {}, [("/a", "removed", None, None)], "null is a value: removed"),
    ({"a": 1}, {"a": True}, [("/a", "replaced", 1, True)], "true is not 1"),
    ({"a": 30}, {"a": 30.0}, [], "a number is a number"),
    ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, [("/a/c", "replaced", 2, 3)], "inside"),
    ({"a": {"b": 1}}, {"a": [1]}, [("/a", "replaced", {"b": 1}, [1])], "of another kind"),
    ({"a": [1, 2]}, {"a": [1, 3, 4]}, [("/a/1", "replaced", 2, 3), ("/a/2", "added", None, 4)], "arrays"),
    ({"a": [1, 2]}, {"a": []}, [("/a/0", "removed", 1, None), ("/a/1", "removed", 2, None)], "emptied"),
    ({"a/b~c": 1}, {}, [("/a~1b~0c", "removed", 1, None)], "names are escaped"),
    ({"": 1}, {"": 2}, [("/", "replaced", 1, 2)], "an empty name"),
    (1, 2, [("", "replaced", 1, 2)], "the whole document"),
]


@pytest.mark.parametrize(("before", "after", "expected", "reason"), CASES, ids=[row[3] for row in CASES])
def test_differences_name_each_place(
    before: Any, after: Any, expected: list[tuple[str, str, Any, Any]], reason: str
) -> None:
    found = [(each.pointer, each.change, each.before, each.after) for each in differences(before, after)]
    assert found == expected, reason


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.text("a/~", max_size=2)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("a/~", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def carried_out(document: Any, parts: list[str], change: str, after: Any) -> Any:
    """One difference applied, as RFC 6902 does it."""
    if not parts:
        return after
    name, rest = parts[0], parts[1:]
    if isinstance(document, list):
        place = int(name)
        if change == "removed" and not rest:
            return document[:place] + document[place + 1 :]
        old = document[place] if place < len(document) else None
        return [*document[:place], carried_out(old, rest, change, after), *document[place + 1 :]]
    if change == "removed" and not rest:
        return {key: value for key, value in document.items() if key != name}
    return {**document, name: carried_out(document.get(name), rest, change, after)}


@given(DOCUMENTS, DOCUMENTS)
def test_carrying_out_the_differences_makes_the_one_of_the_other(before: Any, after: Any) -> None:
    made, found = before, differences(before, after)
    additions = [each for each in found if each.change != "removed"]
    removals = [each for each in found if each.change == "removed"]
    for each in [*additions, *reversed(removals)]:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in each.pointer.split("/")[1:]]
        made = carried_out(made, parts, each.change, each.after)
    assert json.dumps(made, sort_keys=True) == json.dumps(after, sort_keys=True)
