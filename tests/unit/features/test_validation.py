"""Pointers name the sender's field, whatever pydantic calls the place."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.errors import Invalid
from chalicelib.features.validation import checked, pointer


class Cat(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["cat"]
    lives: int = Field(ge=1)


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Home(BaseModel):
    street: str


class Owner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]] = []
    age: int | Literal["unknown"] = 1
    homes: tuple[Home, ...] = Field((Home(street="here"),), min_length=1)
    tags: dict[Annotated[str, Field(max_length=3)], int] = {}


CASES: list[tuple[Any, dict[str, str], str]] = [
    ([], {"": "wrong_type"}, "the whole body"),
    ({"pet": {"kind": "cat"}}, {"/pet/lives": "required"}, "the tag is no part of the pointer"),
    ({"pet": {"kind": "cat", "lives": 0}}, {"/pet/lives": "greater_than_equal"}, "nor here"),
    ({"pet": {"kind": "cow"}}, {"/pet/kind": "unknown_value"}, "the tag itself is wrong"),
    ({"pet": {}}, {"/pet/kind": "required"}, "the tag itself is missing"),
    (
        {"pet": {"kind": "cat", "lives": 9, "cat": 1}},
        {"/pet/cat": "unknown_field"},
        "a field named like the tag",
    ),
    (
        {"pet": {"kind": "cat", "lives": 0, "cat": 1}},
        {"/pet/lives": "greater_than_equal", "/pet/cat": "unknown_field"},
        "beside a field named like the tag",
    ),
    ({"homes": [{"street": 1}]}, {"/homes/0/street": "wrong_type"}, "not too few, since there is one"),
    ({"homes": []}, {"/homes": "too_short"}, "too few"),
    ({"pet": 5}, {"/pet": "wrong_type"}, "no object"),
    ({"pets": [{"kind": "dog", "tricks": ["sit", 5]}]}, {"/pets/0/tricks/1": "wrong_type"}, "inside arrays"),
    ({"tags": {"a/~": "x"}}, {"/tags/a~1~0": "int_parsing"}, "escapes"),
    ({"tags": {"long": 1}}, {"/tags/long": "string_too_long"}, "a key"),
    ({"a": 1, "b": 2}, {"/a": "unknown_field", "/b": "unknown_field"}, "two"),
]


@pytest.mark.parametrize(("value", "expected", "reason"), CASES, ids=[row[2] for row in CASES])
def test_a_bad_field_is_named_once_as_its_sender_wrote_it(
    value: Any, expected: dict[str, str], reason: str
) -> None:
    with pytest.raises(Invalid) as refused:
        checked(Owner, value)
    assert {problem.pointer: problem.code for problem in refused.value.problems} == expected, reason


def test_what_the_branches_of_a_union_say_is_put_together() -> None:
    with pytest.raises(Invalid) as refused:
        checked(Owner, {"age": "old"}, "/owner")
    [problem] = refused.value.problems
    assert problem.pointer == "/owner/age"
    assert "valid integer" in problem.message
    assert "'unknown'" in problem.message


def test_a_message_never_repeats_the_value() -> None:
    with pytest.raises(Invalid) as refused:
        checked(Owner, {"pet": "hunter2", "age": "hunter2", "tags": {"a": "hunter2"}, "pets": ["hunter2"]})
    assert "hunter2" not in str([problem.message for problem in refused.value.problems])


def test_a_flood_of_bad_fields_is_cut_off() -> None:
    with pytest.raises(Invalid, match="1000 invalid fields") as refused:
        checked(Owner, {f"x{number}": 1 for number in range(1000)})
    assert len(refused.value.problems) == 50


def test_a_pointer_escapes_its_parts() -> None:
    assert pointer(["a/b", "~", 0, ""]) == "/a~1b/~0/0/"
