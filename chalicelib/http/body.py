"""Request bodies: strict JSON, decoded so that nothing later in the program can stumble over it."""

import json
import math
from collections.abc import Collection
from typing import Any

from chalicelib.domain.errors import Malformed, PayloadTooLarge, UnsupportedMediaType
from chalicelib.domain.nesting import is_deeper_than
from chalicelib.features.base import YAML

MAX_BODY_BYTES = 262_144
MAX_DEPTH = 64
_MAX_INTEGER = 2**64


def check_media_type(content_type: str | None, accepted: Collection[str]) -> None:
    """UnsupportedMediaType unless it is one of the accepted, in UTF-8."""
    media_type, _, parameters = (content_type or "").partition(";")
    charset = parameters.partition("charset=")[2].partition(";")[0].strip().strip('"').lower()
    if media_type.strip().lower() not in accepted or charset not in ("", "utf-8"):
        given = f"not {content_type[:100]}" if content_type else "and the request names none"
        raise UnsupportedMediaType(f"Content-Type must be {' or '.join(sorted(accepted))} in UTF-8, {given}.")


def decode_object(body: bytes) -> dict[str, Any]:
    """The JSON object in the body.

    PayloadTooLarge over 256 KiB. Malformed for anything that is no JSON by RFC 8259, or that other programs would read
    differently: NaN, integers over 64 bits, numbers beyond a double, a name twice in an object, lone surrogates, depth
    over 64.
    """
    _check_size(body)
    try:
        text = body.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_float,
            parse_int=_integer,
            parse_constant=_no_constant,
        )
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None
    except UnicodeEncodeError:
        raise Malformed("The body has half of a surrogate pair in a string, which is no character.") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Malformed(f"The body is not JSON: {error.msg} ({place}).") from None
    except RecursionError:
        raise Malformed(_TOO_DEEP) from None
    if not isinstance(value, dict):
        raise Malformed("The body must be a JSON object.")
    if is_deeper_than(value, MAX_DEPTH):
        raise Malformed(_TOO_DEEP)
    return value


def is_yaml(content_type: str | None) -> bool:
    """Whether the body says that it is YAML."""
    return (content_type or "").partition(";")[0].strip().lower() == YAML


def decode_yaml(body: bytes) -> dict[str, Any]:
    """The object in the body, which is YAML. PayloadTooLarge, Malformed as for JSON: see `features/yaml_text.py`."""
    from chalicelib.features.yaml_text import parse

    value = parse(decode_text(body))
    if not isinstance(value, dict):
        raise Malformed("The body must be an object.")
    return value


def decode_text(body: bytes) -> str:
    """The text in the body. PayloadTooLarge over 256 KiB, Malformed if it is not UTF-8."""
    _check_size(body)
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None


def _check_size(body: bytes) -> None:
    if len(body) > MAX_BODY_BYTES:
        raise PayloadTooLarge(f"The body has {len(body)} bytes; at most {MAX_BODY_BYTES} are accepted.")


_TOO_DEEP = f"The body is nested over {MAX_DEPTH} levels deep."


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed(f"The body has an object with {json.dumps(twice[:64])} twice.")
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise Malformed(f"The number {digits[:32]} is too large.")
    return value


def _integer(digits: str) -> int:
    if len(digits) > 20 or abs(value := int(digits)) >= _MAX_INTEGER:
        raise Malformed(f"The number {digits[:32]} is too large; integers have at most 64 bits.")
    return value


def _no_constant(name: str) -> float:
    raise Malformed(f"The body is not JSON: {name} is no JSON value.")
