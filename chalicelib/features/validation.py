"""Values against pydantic models: each bad field is named as its sender wrote it, by a JSON pointer (RFC 6901)."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from chalicelib.domain.differences import pointer
from chalicelib.domain.errors import FieldProblem, Invalid

MAX_PROBLEMS = 50
_Model = TypeVar("_Model", bound=BaseModel)
_WORDS = {
    "missing": ("required", "This field is required."),
    "extra_forbidden": ("unknown_field", "This field is not known here."),
    "dict_type": ("wrong_type", "This must be an object."),
    "model_type": ("wrong_type", "This must be an object."),
    "model_attributes_type": ("wrong_type", "This must be an object."),
    "list_type": ("wrong_type", "This must be an array."),
    "tuple_type": ("wrong_type", "This must be an array."),
    "string_type": ("wrong_type", "This must be a string."),
    "union_tag_not_found": ("required", "This field is required: it says which fields the object has."),
}


def checked(model: type[_Model], value: Any, prefix: str = "") -> _Model:
    """The value as an instance of the model. Invalid, with pointers that begin with `prefix`."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise refusal(problems_of(error, value, prefix)) from None


def refusal(problems: Sequence[FieldProblem]) -> Invalid:
    """One error for all the bad fields."""
    count = len(problems)
    return Invalid(
        f"The request has {count} invalid field{'s' if count > 1 else ''}.", problems[:MAX_PROBLEMS]
    )


def problems_of(error: ValidationError, value: Any, prefix: str = "") -> list[FieldProblem]:
    """One problem a bad field; what the branches of a union say about the same field is put together."""
    found: dict[str, FieldProblem] = {}
    for detail in error.errors(include_url=False, include_input=False):
        pointer = prefix + _pointer(detail["loc"], value, str(detail["type"]), detail.get("ctx", {}))
        code, message = _words(str(detail["type"]), str(detail["msg"]), detail.get("ctx", {}))
        known = found.get(pointer)
        if known is None:
            found[pointer] = FieldProblem(pointer, message, code)
        elif message not in known.message:
            found[pointer] = FieldProblem(pointer, f"{known.message} Or: {message}", known.code)
    return [each for each in found.values() if not _follows(each, found)]


def _follows(problem: FieldProblem, found: Mapping[str, FieldProblem]) -> bool:
    """Whether an array is only too short since pydantic does not count its items that are wrong."""
    return problem.code == "too_short" and any(each.startswith(f"{problem.pointer}/") for each in found)


def _pointer(loc: tuple[str | int, ...], value: Any, kind: str, context: dict[str, Any]) -> str:
    """Follows pydantic's location through the value: what does not lead on in it names a branch of a union."""
    parts, value = _followed(loc[:-1] if kind == "missing" else loc, value)
    if kind == "missing" and isinstance(value, dict):
        parts.append(loc[-1])
    if kind.startswith("union_tag") and isinstance(value, dict):
        parts.append(str(context["discriminator"]).strip("'"))
    return pointer(parts)


def _followed(loc: tuple[str | int, ...], value: Any) -> tuple[list[str | int], Any]:
    """As much of the location as can be followed, and where that leads."""
    parts: list[str | int] = []
    for part, following in zip_longest(loc, loc[1:]):
        if _leads_on(value, part) and not _is_branch(value, part, following):
            parts.append(part)
            value = value[part]
    return parts, value


def _is_branch(value: Any, part: str | int, following: str | int | None) -> bool:
    """Whether it is the branch that is called like a field: then the way goes on beside the field, not in it."""
    is_tag = isinstance(value, dict) and part in [each for each in value.values() if isinstance(each, str)]
    return is_tag and _leads_on(value, following) and not _leads_on(value[part], following)


def _leads_on(value: Any, part: str | int | None) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list | tuple) and isinstance(part, int) and 0 <= part < len(value)


def _words(kind: str, message: str, context: dict[str, Any]) -> tuple[str, str]:
    """The stable code and a sentence."""
    if kind in _WORDS:
        return _WORDS[kind]
    if kind == "union_tag_invalid":
        return "unknown_value", f"This must be one of {context['expected_tags']}."
    if kind in ("value_error", "assertion_error"):
        return "invalid", _sentence(message.partition(", ")[2])
    if kind in ("too_long", "too_short"):
        bound = (
            f"at most {context['max_length']}" if kind == "too_long" else f"at least {context['min_length']}"
        )
        return kind, f"This must have {bound} items; it has {context['actual_length']}."
    if kind in ("literal_error", "enum"):
        kind = "unknown_value"
    return kind, _sentence(message.replace("Input should be", "This must be"))


def _sentence(text: str) -> str:
    is_name = "_" in text.partition(" ")[0]
    start = text[:1] if is_name else text[:1].upper()
    return start + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
