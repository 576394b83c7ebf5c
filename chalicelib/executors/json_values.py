"""JSON values inside a job's config: bounded in size and depth, and nothing that JSON cannot carry."""

import json
from typing import Any

MAX_DEPTH = 32


def encoded(value: Any) -> bytes:
    """Compact JSON in UTF-8. ValueError for NaN, infinities and lone surrogates."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def bounded(value: Any, max_bytes: int) -> Any:
    """The value itself. ValueError if it is nested over 32 levels, or longer than `max_bytes` as JSON."""
    if _is_deeper_than(value, MAX_DEPTH):
        raise ValueError(f"must not be nested more than {MAX_DEPTH} levels deep")
    if len(encoded(value)) > max_bytes:
        raise ValueError(f"must not be longer than {max_bytes} bytes as JSON")
    return value


def _is_deeper_than(value: Any, levels: int) -> bool:
    """Level by level, so that no nesting can exhaust the stack."""
    row = [value]
    for _ in range(levels + 1):
        row = [child for parent in row for child in _children(parent)]
        if not row:
            return False
    return True


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
