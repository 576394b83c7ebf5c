"""JSON values inside a job's config: bounded in size and depth, and nothing that JSON cannot carry."""

import json
from typing import Any

from chalicelib.domain.nesting import is_deeper_than

MAX_DEPTH = 32


def encoded(value: Any) -> bytes:
    """Compact JSON in UTF-8. ValueError for NaN, infinities and lone surrogates."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def bounded(value: Any, max_bytes: int) -> Any:
    """The value itself. ValueError if it is nested over 32 levels, or longer than `max_bytes` as JSON."""
    if is_deeper_than(value, MAX_DEPTH + 1):
        raise ValueError(f"must not be nested more than {MAX_DEPTH} levels deep")
    if len(encoded(value)) > max_bytes:
        raise ValueError(f"must not be longer than {max_bytes} bytes as JSON")
    return value
