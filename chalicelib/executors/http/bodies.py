"""What an http job sends: the kinds of bodies, and the bytes that they become. Pure."""

from base64 import b64decode
from typing import Any, Literal
from urllib.parse import urlencode

from chalicelib.executors.json_values import bounded, encoded

MAX_BODY_BYTES = 131_072
BodyKind = Literal["auto", "json", "form", "text", "base64"]
KINDS_DESCRIBED = (
    "`auto`: a text as it is, anything else as JSON. `json`: as JSON, texts too. `form`: the fields of an object as "
    "an HTML form sends them, a list repeats its name. `text`: a text. `base64`: the bytes that a text stands for."
)
_MEDIA_TYPES: dict[str, str] = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "text": "text/plain; charset=utf-8",
    "base64": "application/octet-stream",
}
Scalar = str | bool | int | float


def checked_body(body: Any, kind: BodyKind) -> Any:
    """The body itself. ValueError if it is too large, or not what its kind needs."""
    bounded(body, MAX_BODY_BYTES)
    if body is not None:
        content(body, kind)
    return body


def content(body: Any, kind: BodyKind) -> tuple[bytes | None, str | None]:
    """The body's bytes and their media type, both None where there is none. ValueError if it does not fit its kind."""
    if body is None:
        return None, None
    kind = ("text" if isinstance(body, str) else "json") if kind == "auto" else kind
    return _written(body, kind), _MEDIA_TYPES[kind]


def _written(body: Any, kind: BodyKind) -> bytes:
    if kind == "json":
        return encoded(body)
    if kind == "form":
        return _form(body)
    if not isinstance(body, str):
        raise ValueError(f"must be a text, since body_kind is {kind}")
    return body.encode() if kind == "text" else _bytes(body)


def _form(body: Any) -> bytes:
    if not isinstance(body, dict):
        raise ValueError("must be an object, since body_kind is form")
    return urlencode(pairs_of(body)).encode()


def _bytes(body: str) -> bytes:
    try:
        return b64decode(body, validate=True)
    except ValueError as error:
        raise ValueError("must be base64 with its padding, since body_kind is base64") from error


def pairs_of(fields: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values as texts; a list repeats its name. ValueError for what is neither."""
    return [
        (name, scalar_text(each))
        for name, value in fields.items()
        for each in (value if isinstance(value, list) else [value])
    ]


def scalar_text(value: Any) -> str:
    """As it stands in a query or a form."""
    if not isinstance(value, Scalar):
        raise ValueError("must have texts, numbers, booleans or lists of these as its fields")
    return str(value).lower() if isinstance(value, bool) else str(value)
