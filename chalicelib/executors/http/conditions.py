"""What an answer's body must hold for a success: texts, and values of its JSON. Pure."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from chalicelib.domain.differences import differences

MAX_CONDITIONS = 20
MAX_READ_BYTES = 1_048_576
"""So much of an answer is read where there are conditions."""
MAX_MATCHED = 10_000
"""Characters of a text that is held against a pattern."""
_MAX_DIGITS = 300

Pointer = Annotated[str, Field(max_length=512, pattern=r"^(/([^~/]|~[01])*)*$")]
_POINTER = "A JSON pointer (RFC 6901) into the body, such as `/data/0/state`; empty: all of it."


class _Condition(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Text(_Condition):
    """A text that the body contains."""

    kind: Literal["text"]
    contains: str = Field(min_length=1, max_length=1_000, description="Upper and lower case differ.")
    absent: bool = Field(default=False, description="It must not be in there.")


class JsonEquals(_Condition):
    """A value of the body, which is JSON."""

    kind: Literal["json_equals"]
    pointer: Pointer = Field(description=_POINTER)
    value: JsonValue = Field(description="What is there: 1 and 1.0 are the same, 1 and true are not.")


class JsonMatches(_Condition):
    """The look of a text in the body, which is JSON."""

    kind: Literal["json_matches"]
    pointer: Pointer = Field(description=_POINTER)
    pattern: str = Field(
        min_length=1,
        max_length=200,
        description="The whole text, at most 10,000 characters: `*` stands for any of them, `?` for one.",
    )


class JsonExists(_Condition):
    """Whether there is something in the body, which is JSON."""

    kind: Literal["json_exists"]
    pointer: Pointer = Field(description=_POINTER)
    absent: bool = Field(default=False, description="It must not be there. null is there.")


class JsonRange(_Condition):
    """A number in the body, which is JSON."""

    kind: Literal["json_range"]
    pointer: Pointer = Field(description=_POINTER)
    at_least: float | None = Field(None, description="The number itself is enough.")
    at_most: float | None = Field(None, description="The number itself is not too much.")

    @model_validator(mode="after")
    def _has_a_bound(self) -> "JsonRange":
        if self.at_least is None and self.at_most is None:
            raise ValueError("give at_least, at_most or both")
        return self


Condition = Annotated[Text | JsonEquals | JsonMatches | JsonExists | JsonRange, Field(discriminator="kind")]


class _Missing:
    """What is not there."""


_MISSING = _Missing()


def unmet(conditions: Sequence[Condition], body: bytes, *, whole: bool) -> str | None:
    """Why the body does not do, without showing any of it; None if it does. `whole`: nothing of it is missing."""
    if not whole:
        return f"The answer is longer than {MAX_READ_BYTES} bytes: too long for conditions on its body."
    text = body.decode("utf-8", "replace")
    wants_json = any(each.kind != "text" for each in conditions)
    document = _read(text) if wants_json else None
    if document is _MISSING:
        return "The answer is no JSON, which conditions on its body need."
    for number, each in enumerate(conditions, 1):
        if reason := _reason(each, text, document):
            return f"Condition {number} is not met: {reason}."
    return None


def _reason(condition: Condition, text: str, document: Any) -> str | None:
    if isinstance(condition, Text):
        is_met = (condition.contains in text) is not condition.absent
        return None if is_met else f"the text is {'there' if condition.absent else 'not there'}"
    found = at(document, condition.pointer)
    place = condition.pointer or "the whole body"
    if isinstance(condition, JsonExists):
        is_met = (found is _MISSING) is condition.absent
        return None if is_met else f"{place} is {'there' if condition.absent else 'not there'}"
    if found is _MISSING:
        return f"{place} is not there"
    return None if _holds(condition, found) else f"{place} is not as expected"


def _holds(condition: JsonEquals | JsonMatches | JsonRange, found: Any) -> bool:
    if isinstance(condition, JsonEquals):
        return not differences(condition.value, found)
    if isinstance(condition, JsonMatches):
        return isinstance(found, str) and matches(condition.pattern, found)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return False
    above = condition.at_least is None or found >= condition.at_least
    return above and (condition.at_most is None or found <= condition.at_most)


def at(document: Any, pointer: str) -> Any:
    """The value at a JSON pointer, or a value of no JSON type where there is none."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and name in document:
            document = document[name]
        elif isinstance(document, list) and _is_index(name) and int(name) < len(document):
            document = document[int(name)]
        else:
            return _MISSING
    return document


def _is_index(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 10 and (name == "0" or name[0] != "0")


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text looks like the pattern. It takes at most the product of both lengths in steps."""
    if len(text) > MAX_MATCHED:
        return False
    at_pattern = at_text = 0
    star, resume = -1, 0
    while at_text < len(text):
        if at_pattern < len(pattern) and pattern[at_pattern] == "*":
            star, resume = at_pattern, at_text
            at_pattern += 1
        elif at_pattern < len(pattern) and pattern[at_pattern] in ("?", text[at_text]):
            at_pattern, at_text = at_pattern + 1, at_text + 1
        elif star >= 0:
            resume += 1
            at_pattern, at_text = star + 1, resume
        else:
            return False
    return not pattern[at_pattern:].strip("*")


def _read(text: str) -> Any:
    def refuse(_name: str) -> Any:
        raise ValueError("no JSON")

    def integer(digits: str) -> int:
        if len(digits) > _MAX_DIGITS:
            raise ValueError("too long")
        return int(digits)

    try:
        return json.loads(text, parse_constant=refuse, parse_int=integer)
    except (ValueError, RecursionError):
        return _MISSING
