"""Finds a statement's placeholders, so that each engine gets its own spelling of them. Pure.

A list of parameters makes each `?` a placeholder, an object each `:name`. Strings, quoted names and comments are left
alone. Values are never written into the text: at worst, something is taken for a placeholder and refused.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Parameters = Sequence[Any] | Mapping[str, Any] | None
Style = Callable[[int], str]
"""How an engine writes its n-th placeholder, counted from 1."""

_MARK = r"\?|::|(?<!\w):(?P<name>[A-Za-z_]\w*)"
_OPENERS = {
    "postgresql": re.compile(
        rf"(?<!\w)[eE]'|'|\"|--|/\*|(?<![\w$])\$(?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?\$|{_MARK}"
    ),
    "mysql": re.compile(rf"'|\"|`|\#|--(?=\s|$)|/\*|{_MARK}"),
    "sqlite": re.compile(rf"'|\"|`|\[|--|/\*|{_MARK}"),
}
_ESCAPING = {
    quote: re.compile(rf"(?:[^{quote}\\]|\\.|{quote}{quote})*+{quote}", re.DOTALL) for quote in ("'", '"')
}
_ENDS = {"[": "]", "--": "\n", "#": "\n", "/*": "*/"}


def rewritten(sql: str, engine: str, parameters: Parameters, style: Style) -> tuple[str, list[Any]]:
    """The statement with the engine's placeholders, and their values in order.

    ValueError for a placeholder without a parameter, or a parameter without a placeholder.
    """
    if parameters is None:
        return sql, []
    pieces: list[str] = []
    names: list[str] = []
    end = 0
    for found in _marks(sql, engine):
        if (found.group() == "?") == isinstance(parameters, Mapping):
            continue
        names.append(found.group("name") or str(len(names)))
        pieces += [sql[end : found.start()], style(len(names))]
        end = found.end()
    return "".join([*pieces, sql[end:]]), _values(names, parameters)


def _values(names: list[str], parameters: Mapping[str, Any] | Sequence[Any]) -> list[Any]:
    if not isinstance(parameters, Mapping):
        if len(names) != len(parameters):
            raise ValueError(f"has {len(names)} placeholders `?`, but {len(parameters)} parameters")
        return list(parameters)
    for name in names:
        if name not in parameters:
            raise ValueError(f"has a placeholder :{name[:40]}, but no parameter of that name")
    for name in parameters:
        if name not in names:
            raise ValueError(f"has a parameter {name[:40]!r}, but no placeholder of that name")
    return [parameters[name] for name in names]


def words(sql: str, engine: str) -> list[str]:
    """The statement's words in lower case, without what is quoted or a comment."""
    bare: list[str] = []
    end = 0
    for start, stop in _quoted(sql, engine):
        bare.append(sql[end:start])
        end = stop
    return re.findall(r"[A-Za-z_]+", " ".join([*bare, sql[end:]]).lower())


def _marks(sql: str, engine: str) -> Iterator[re.Match[str]]:
    for found, _ in _tokens(sql, engine):
        if found.group() == "?" or found.group("name"):
            yield found


def _quoted(sql: str, engine: str) -> Iterator[tuple[int, int]]:
    for found, stop in _tokens(sql, engine):
        if stop > found.end():
            yield found.start(), stop


def _tokens(sql: str, engine: str) -> Iterator[tuple[re.Match[str], int]]:
    """What begins something, and where that ends. What is not closed goes on to the end of the text."""
    position = 0
    while found := _OPENERS[engine].search(sql, position):
        position = found.end()
        if found.group() not in ("?", "::") and not found.group("name"):
            position = _closed(sql, found, engine)
        yield found, position


def _closed(sql: str, opener: re.Match[str], engine: str) -> int:
    text = opener.group()
    if text[-1] in _ESCAPING and (engine == "mysql" or len(text) == 2):
        closing = _ESCAPING[text[-1]].match(sql, opener.end())
        return closing.end() if closing else len(sql)
    if text == "/*" and engine == "postgresql":
        return _nested(sql, opener.end())
    # A doubled quote ends one string here and begins the next at once: the same in the end.
    end = _ENDS.get(text, text)
    place = sql.find(end, opener.end())
    return len(sql) if place < 0 else place + len(end)


def _nested(sql: str, position: int) -> int:
    depth = 1
    for found in re.compile(r"/\*|\*/").finditer(sql, position):
        depth += 1 if found.group() == "/*" else -1
        if not depth:
            return found.end()
    return len(sql)
