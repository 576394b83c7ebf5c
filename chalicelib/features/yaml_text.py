"""YAML as a way to write JSON: what comes in has no aliases, tags or names given twice, and nothing that is not JSON.

Plain scalars are read by YAML 1.2's core schema: `no` and `on` are strings, so is `2027-01-01`. What goes out is quoted
wherever this or the older schema of other programs would take a string for something else. PyYAML only splits text
into events here, and writes it; no object is ever made of a document by it.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from chalicelib.domain.errors import Malformed

MAX_DEPTH, MAX_NODES = 64, 100_000
_INTEGER = re.compile(r"[-+]?[0-9]{1,19}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_OTHER_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|0[xo][0-9a-fA-F]+|[-+]?[0-9]{20,}")
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    spelled: word == "true" for word in ("true", "false") for spelled in (word, word.title(), word.upper())
}
_SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(text: str) -> Any:
    """The one document in the text, as JSON has it. Malformed for all that JSON could not say."""
    try:
        return _Reader(text).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise Malformed(f"The body is not YAML: {error.problem or 'it cannot be read'}{place}.") from None
    except (yaml.YAMLError, UnicodeError, ValueError):
        raise Malformed("The body is not YAML: it has a character that may not be there.") from None


class _Reader:
    def __init__(self, text: str) -> None:
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=_SAFE_LOADER))
        self._nodes = 0

    def document(self) -> Any:
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise Malformed("The body is empty.")
        value = self._node(next(self._events), 0)
        next(self._events)
        if not isinstance(next(self._events), yaml.StreamEndEvent):
            raise Malformed("The body has several YAML documents; one is expected.")
        return value

    def _node(self, event: Any, depth: int) -> Any:
        self._nodes += 1
        if depth > MAX_DEPTH:
            raise Malformed(f"The body is nested over {MAX_DEPTH} levels deep.")
        if self._nodes > MAX_NODES:
            raise Malformed(f"The body has over {MAX_NODES} values.")
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            raise Malformed(f"Anchors and aliases are not accepted{_line(event)}: write the value out.")
        if event.tag not in (None, "!"):
            raise Malformed(f"Tags are not accepted{_line(event)}.")
        if isinstance(event, yaml.ScalarEvent):
            return event.value if event.style or event.tag == "!" else _plain(event)
        return self._list(depth) if isinstance(event, yaml.SequenceStartEvent) else self._object(depth)

    def _list(self, depth: int) -> list[Any]:
        found = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._node(event, depth + 1))
        return found

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise Malformed(f"A name must be a string{_line(event)}.")
            self._node(event, depth)
            if event.value in found:
                raise Malformed(f"A name is there twice{_line(event)}.")
            found[event.value] = self._node(next(self._events), depth + 1)
        return found


def _plain(event: Any) -> Any:
    text = event.value
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    is_other = _OTHER_NUMBER.fullmatch(text)
    if not is_other and _FLOAT.fullmatch(text) and abs(value := float(text)) != float("inf"):
        return value
    if is_other or _FLOAT.fullmatch(text):
        raise Malformed(f"A number is none that JSON has{_line(event)}; quote it if it is a string.")
    return text


def _line(event: Any) -> str:
    return f" (line {event.start_mark.line + 1})"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - yaml's words
        return True


def _string(dumper: Any, text: str) -> Any:
    is_risky = (
        text in _WORDS or _FLOAT.fullmatch(text) or _OTHER_NUMBER.fullmatch(text) or not text.isprintable()
    )
    if "\n" in text and text.replace("\n", "").isprintable() and not text.startswith((" ", "\n")):
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if is_risky else None)


_Dumper.add_representer(str, _string)


def dump(value: Any) -> str:
    """The JSON value as YAML, its names in their order."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return text
