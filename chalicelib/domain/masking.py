"""Secrets are blacked out of what a run leaves behind, in every spelling in which they usually come back. Pure.

A text is looked at as it is, and as it reads when its JSON escapes, percent signs or HTML entities are resolved, up to
two layers of them; and for the middle of what base64 makes of a secret. What is found is masked where it stands.
"""

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from typing import Any

MIN_LENGTH = 4
"""Shorter values are not masked: they are in every text."""
_MIN_LINE = 16
_LAYERS = 2
_JSON = re.compile(
    r"(?i:\\u(?P<high>d[89ab][0-9a-f]{2})\\u(?P<low>d[c-f][0-9a-f]{2})|\\u(?P<one>[0-9a-f]{4}))"
    r'|\\(?P<short>["\\/bfnrt])'
)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_FORM = re.compile(r"(?:%[0-9a-fA-F]{2})+|\+")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos);")

Letters = Iterable[tuple[str, int]]
"""Characters, each with how many of the text it is spelled by."""
_View = tuple[str, list[int]]
"""A text, and for each of its characters, and its end, where that begins in the original."""


class Masks:
    """Blacks out some values. Those under MIN_LENGTH characters are left."""

    def __init__(self, values: Iterable[str] = (), shown: str = "***") -> None:
        given = [each for value in values for each in _pieces(value)]
        self._needles = sorted({each for each in given if len(each) >= MIN_LENGTH}, key=len, reverse=True)
        self._coded = sorted({each for needle in self._needles for each in _base64(needle)})
        self._shown = shown

    def __bool__(self) -> bool:
        return bool(self._needles)

    def text(self, text: str) -> str:
        """The text without them, also where it was cut off in the midst of one."""
        spans = sorted(self._spans(text)) if self._needles else []
        written, position = [], 0
        for start, end in spans:
            if end <= position:
                continue
            if start >= position:
                written += [text[position:start], self._shown]
            position = end
        return "".join([*written, text[position:]])

    def value(self, value: Any) -> Any:
        """As `text`, of all texts in a JSON value, the names in objects too."""
        if not self._needles:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(name)): self.value(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(each) for each in value]
        return value

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        for seen, starts in _views(text):
            for needle in (*self._needles, *self._coded):
                at = seen.find(needle)
                while at >= 0:
                    yield starts[at], starts[at + len(needle)]
                    at = seen.find(needle, at + 1)
            for needle in self._needles:
                if (cut := _cut_off(seen, needle)) is not None:
                    yield starts[cut], len(text)


def _pieces(value: str) -> Iterator[str]:
    """The value; of several lines, each long one too; of JSON, what is in it."""
    yield value
    yield value.strip()
    if "\n" in value:
        yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= _MIN_LINE)
    if value.lstrip()[:1] in ("{", "["):
        try:
            yield from _leaves(json.loads(value))
        except (ValueError, RecursionError):
            return


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _leaves(each)


def _base64(needle: str) -> Iterator[str]:
    """What base64 makes of it wherever it stands, without the ends, which depend on what is around it."""
    content = needle.encode("utf-8", "surrogatepass")
    for before, skipped in ((0, 0), (1, 2), (2, 3)):
        whole = (before + len(content)) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            coded = encode(b"\0" * before + content).decode()[skipped:whole]
            if len(coded) >= MIN_LENGTH:
                yield coded


def _cut_off(text: str, needle: str) -> int | None:
    """Where the needle's beginning stands, if the text ends with at least MIN_LENGTH characters of it."""
    tail = max(0, len(text) - len(needle) + 1)
    at = text.find(needle[:MIN_LENGTH], tail)
    while at >= 0:
        if needle.startswith(text[at:]):
            return at
        at = text.find(needle[:MIN_LENGTH], at + 1)
    return None


def _views(text: str) -> Iterator[_View]:
    known = {text}
    row: list[_View] = [(text, list(range(len(text) + 1)))]
    for layer in range(_LAYERS + 1):
        yield from row
        if layer < _LAYERS:
            made = [
                _resolved(view, pattern, letters)
                for view in row
                for signs, pattern, letters in _DECODERS
                if any(sign in view[0] for sign in signs)
            ]
            row = [view for view in made if view[0] not in known and not known.add(view[0])]  # type: ignore[func-returns-value]


def _resolved(view: _View, pattern: re.Pattern[str], letters: Callable[[re.Match[str]], Letters]) -> _View:
    text, starts = view
    written: list[str] = []
    places: list[int] = []
    position = 0
    for found in pattern.finditer(text):
        written.append(text[position : found.start()])
        places += starts[position : found.start()]
        at = found.start()
        for letter, length in letters(found):
            written.append(letter)
            places.append(starts[at])
            at += length
        position = found.end()
    return "".join([*written, text[position:]]), [*places, *starts[position:]]


def _json_letters(found: re.Match[str]) -> Letters:
    if found["short"]:
        return [(_SHORT.get(found["short"], found["short"]), 2)]
    if found["one"]:
        return [(chr(int(found["one"], 16)), 6)]
    pair = 0x10000 + ((int(found["high"], 16) - 0xD800) << 10) + (int(found["low"], 16) - 0xDC00)
    return [(chr(pair), 12)]


def _percent_letters(found: re.Match[str]) -> Letters:
    if found[0] == "+":
        return [(" ", 1)]
    content = bytes.fromhex(found[0].replace("%", ""))
    decoded = content.decode("utf-8", "surrogateescape")
    return [(letter, 3 * len(letter.encode("utf-8", "surrogateescape"))) for letter in decoded]


def _entity_letters(found: re.Match[str]) -> Letters:
    resolved = html.unescape(found[0])
    return [(resolved, len(found[0]))] if len(resolved) == 1 else [(each, 1) for each in found[0]]


_DECODERS: tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str]], Letters]], ...] = (
    ("\\", _JSON, _json_letters),
    ("%", _PERCENT, _percent_letters),
    ("+", _FORM, _percent_letters),
    ("&", _ENTITY, _entity_letters),
)
"""Each with a sign without which there is nothing to resolve."""
