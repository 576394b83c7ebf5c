"""Each answer of the description has an example, and the API answers like that."""

import json
from typing import Any

import pytest

from chalicelib.http.docs import EXAMPLES
from tests.support.api import document, validator
from tests.support.examples import Day

KEPT: dict[str, Any] = json.loads(EXAMPLES.read_text("utf-8"))
STALE = "what the API answers has changed: run `.venv/bin/python -m tests.support.examples`"


def answers() -> list[Any]:
    return [
        pytest.param(content, id=f"{method.upper()} {path} {status} {media_type}")
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        for status, answer in operation["responses"].items()
        for media_type, content in answer.get("content", {}).items()
        if "schema" in content
    ]


def fields(value: Any, place: str = "") -> set[str]:
    """Where there is a value, and of which type; items of one list are alike."""
    if isinstance(value, dict):
        return {found for name, each in value.items() for found in fields(each, f"{place}/{name}")}
    if isinstance(value, list):
        return {found for each in value for found in fields(each, f"{place}/-")}
    return {f"{place}: {type(value).__name__}"}


@pytest.fixture(scope="module")
def fresh() -> dict[str, Any]:
    return Day().spent()


@pytest.mark.parametrize("content", answers())
def test_an_answer_has_an_example_of_its_schema(content: dict[str, Any]) -> None:
    assert "example" in content, "ask for it in tests/support/examples.py, and keep what that says"
    validator(content["schema"]["$ref"].removeprefix("#")).validate(content["example"])


def test_there_are_examples_of_the_same_operations_as_on_a_fresh_day(fresh: dict[str, Any]) -> None:
    assert fresh.keys() == KEPT.keys(), STALE


@pytest.mark.parametrize("name", KEPT)
def test_an_example_has_the_fields_of_a_real_answer(name: str, fresh: dict[str, Any]) -> None:
    assert fields(KEPT[name]) == fields(fresh[name]), STALE
