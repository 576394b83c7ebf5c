"""The Idempotency-Key header: what it may look like, and what it stands for."""

import json
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from chalicelib.domain.errors import MalformedHeader
from chalicelib.features.idempotency import IdempotencyKey

MAX_KEY = 255
KEY_PATTERN = "^[ -~]+$"
_KEY = re.compile(f"[ -~]{{1,{MAX_KEY}}}")


def checked_key(value: str | None) -> str | None:
    """The header's value. MalformedHeader unless it has 1 to 255 printable ASCII characters."""
    if value is not None and not _KEY.fullmatch(value):
        raise MalformedHeader(f"Idempotency-Key must have 1 to {MAX_KEY} printable ASCII characters.")
    return value


def idempotency_key(
    operation: str, path: Mapping[str, str], query: Mapping[str, Any], payload: Any, key: str
) -> IdempotencyKey:
    """The key with a fingerprint of the request: the order of names and white space play no part in it."""
    asked = json.dumps(
        [operation, dict(path), payload or {}, *([dict(query)] if query else [])],
        sort_keys=True,
        separators=(",", ":"),
    )
    fingerprint = blake2b(asked.encode(), digest_size=16).hexdigest()
    return IdempotencyKey(operation, key, fingerprint)
