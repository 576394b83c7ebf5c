"""How two JSON documents differ, in terms of JSON pointers (RFC 6901). Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Difference:
    """One place. `before` is None where something was added, `after` where it was removed; `change` tells which."""

    pointer: str
    change: Literal["added", "removed", "replaced"]
    before: Any
    after: Any


def pointer(parts: Iterable[str | int]) -> str:
    """Each part after a slash, with `~` and `/` escaped."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def differences(before: Any, after: Any) -> list[Difference]:
    """What has to change to make the one of the other, in the order of the names; arrays place by place."""
    return list(_walk(before, after, ()))


def _walk(before: Any, after: Any, path: tuple[str | int, ...]) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            yield from _member(before, after, name, name in before, name in after, path)
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            yield from _member(before, after, place, place < len(before), place < len(after), path)
    elif not _same(before, after):
        yield Difference(pointer(path), "replaced", before, after)


def _member(
    before: Any, after: Any, part: Any, in_before: bool, in_after: bool, path: tuple[str | int, ...]
) -> Iterator[Difference]:
    if in_before and in_after:
        yield from _walk(before[part], after[part], (*path, part))
    elif in_after:
        yield Difference(pointer((*path, part)), "added", None, after[part])
    else:
        yield Difference(pointer((*path, part)), "removed", before[part], None)


def _same(before: Any, after: Any) -> bool:
    """Equal as JSON values: true is not 1, but 1 is 1.0."""
    return isinstance(before, bool) == isinstance(after, bool) and bool(before == after)
