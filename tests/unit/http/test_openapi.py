"""The description is complete, and what it gives as examples is true."""

from typing import Any

import pytest

from tests.support.api import ApiClient, document, validator
from tests.support.world import World

EMPTY = {"type": "object", "additionalProperties": False}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]


def bodies() -> list[Any]:
    return [
        pytest.param(path, content, id=f"{method} {path} {media_type}")
        for method, path, operation in operations()
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items()
    ]


def takes_fields(content: dict[str, Any]) -> bool:
    reference = content["schema"].get("$ref", "")
    schema = document()["components"]["schemas"].get(reference.rpartition("/")[2], content["schema"])
    return bool(schema.get("properties", reference == ""))


@pytest.mark.parametrize(("path", "content"), bodies())
def test_a_body_has_examples_that_are_of_its_schema(path: str, content: dict[str, Any]) -> None:
    examples = content.get("examples", {})
    assert examples or not takes_fields(content), "what takes fields shows some"
    reference = content["schema"].get("$ref")
    for title, example in examples.items():
        is_short = "api" in example["value"]  # described in words
        if reference and not is_short:
            assert validator(reference.removeprefix("#")).is_valid(example["value"]), title


@pytest.mark.parametrize(
    ("method", "path", "operation"), operations(), ids=[f"{row[0]} {row[1]}" for row in operations()]
)
def test_an_operation_says_what_it_is_and_how_it_may_answer(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    assert operation["summary"]
    assert not operation["summary"].endswith(".")
    assert operation["tags"]
    assert any(status < "400" for status in operation["responses"])
    if operation.get("security") != []:
        assert {"401", "429", "503"} <= operation["responses"].keys()
        assert operation["x-permission"]


def test_no_two_operations_have_the_same_id() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))


def test_examples_of_jobs_are_accepted() -> None:
    api = ApiClient(World().engine)
    api.post("/calendars", {"name": "holidays", "excluded": {"weekdays": ["SAT"]}})
    content = document()["paths"]["/jobs"]["post"]["requestBody"]["content"]["application/json"]
    for title, example in content["examples"].items():
        assert api.post("/jobs", example["value"]).status == 201, title
