"""How deep a JSON value is nested."""

from typing import Any


def is_deeper_than(value: Any, levels: int) -> bool:
    """Whether there is something inside so many levels of arrays and objects. No nesting can exhaust the stack."""
    row = [value]
    for _ in range(levels):
        row = [child for parent in row for child in _children(parent)]
        if not row:
            return False
    return True


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
