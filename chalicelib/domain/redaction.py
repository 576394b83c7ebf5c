"""What of a document may be kept for good: secrets masked, what is alike left out, what is large cut. Pure.

It goes by names, since a config does not say which of its values are secret. A reference to a secret is none.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

MASK = "***"
MAX_FIELD = 4_096
"""Bytes of JSON: a larger field is kept as its length and digest."""
_NAMES = re.compile(
    r"passw|pwd|passphrase|secret|token|authori[sz]ation|cookie|api-?key|access-?key|private-?key|signing-?key"
    r"|credential|signature|connection-?string"
)
_REFERENCES = re.compile(r"\$\{\{.*?\}\}")
_SCHEMES = frozenset({"", "basic", "bearer", "token", "apikey"})
_USERINFO = re.compile(r"(?<=://)[^/?#\s@]*@")
_PARAMETER = re.compile(r"(?<=[?&;])([^=&;#\s]{1,100})=([^&;#\s]+)")


def masked(value: Any) -> Any:
    """A JSON value without what is secret by its name, nor the names and passwords in its URLs."""
    if isinstance(value, Mapping):
        is_pair = isinstance(value.get("name"), str) and _is_secret(str(value["name"]))
        return {
            name: _blackened(each) if _is_secret(str(name)) or (is_pair and name == "value") else masked(each)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(each) for each in value]
    return _without_userinfo(value) if isinstance(value, str) else value


def differing(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Of both what is not alike, name by name; all of the one if there is no other."""
    if before is None or after is None:
        return _copy(before), _copy(after)
    names = [name for name in sorted(before.keys() | after.keys()) if _other(before, after, name)]
    return {n: before[n] for n in names if n in before}, {n: after[n] for n in names if n in after}


def cut(document: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The document with the digests of its large fields in their places."""
    return None if document is None else {name: _cut(value) for name, value in document.items()}


def _cut(value: Any) -> Any:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )
    if len(text) <= MAX_FIELD:
        return value
    return {"cut_bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}


def _is_secret(name: str) -> bool:
    return _NAMES.search(name.lower().replace("_", "-").replace(" ", "-")) is not None


def _blackened(value: Any) -> Any:
    """All that is in it, but for references and what is no text or number."""
    if isinstance(value, Mapping):
        return {name: _blackened(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_blackened(each) for each in value]
    if value is None or isinstance(value, bool):
        return value
    return value if isinstance(value, str) and _is_reference(value) else MASK


def _is_reference(text: str) -> bool:
    """Whether nothing but references, and the name of a scheme before them, is in it."""
    rest, number = _REFERENCES.subn("", text)
    return number > 0 and rest.strip().lower() in _SCHEMES


def _without_userinfo(text: str) -> str:
    if "://" in text:
        text = _USERINFO.sub(f"{MASK}@", text)
    return _PARAMETER.sub(_parameter, text) if "=" in text else text


def _parameter(found: re.Match[str]) -> str:
    name, value = found[1], found[2]
    return f"{name}={MASK}" if _is_secret(name) and not _is_reference(value) else found[0]


def _other(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> bool:
    return (name in before) != (name in after) or before.get(name) != after.get(name)


def _copy(document: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if document is None else dict(document)
