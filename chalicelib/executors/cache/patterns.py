"""Operations on keys that match a pattern: by SCAN, batch by batch, so that the server is never blocked."""

import re
from collections.abc import Iterator
from typing import Any

from chalicelib.executors.base import Call
from chalicelib.executors.cache.operations import as_text
from chalicelib.executors.cache.redis_connection import Redis
from chalicelib.executors.cache.spec import DeleteMatching, FlushPrefix, Scan
from chalicelib.executors.json_values import encoded

STEP = 1000
"""Keys that the server looks at in one step: about a millisecond."""


def scan(call: Call, redis: Redis, wanted: Scan) -> dict[str, Any]:
    """Keys in order; those that are found twice, as SCAN may, are listed once."""
    found: set[bytes] = set()
    is_complete = True
    for batch in _batches(redis, wanted.pattern):
        found.update(batch)
        if len(found) > wanted.max_keys:
            is_complete = False
            break
    keys, left = [], call.settings.max_result_bytes
    for key in sorted(found)[: wanted.max_keys]:
        left -= len(encoded(as_text(key))) + 1
        if left >= 0:
            keys.append(as_text(key))
    count = min(len(found), wanted.max_keys)
    return {"keys": keys, "count": count, "complete": is_complete, "truncated": len(keys) < count}


def delete_matching(call: Call, redis: Redis, wanted: DeleteMatching) -> dict[str, Any]:
    return _delete(call, redis, wanted.pattern, wanted)


def flush_prefix(call: Call, redis: Redis, wanted: FlushPrefix) -> dict[str, Any]:
    literal = re.sub(r"([*?\[\]\\^-])", r"\\\1", wanted.prefix)
    return _delete(call, redis, literal + "*", wanted)


def _delete(call: Call, redis: Redis, pattern: str, wanted: DeleteMatching | FlushPrefix) -> dict[str, Any]:
    count = 0
    for batch in _batches(redis, pattern):
        keys = batch[: wanted.max_keys - count]
        if keys:
            count += len(keys) if wanted.dry_run else redis.ask("UNLINK", *keys)
            call.progress(0, f"{count} keys so far.")
        if count >= wanted.max_keys:
            return {"matching" if wanted.dry_run else "deleted": count, "complete": False}
    return {"matching" if wanted.dry_run else "deleted": count, "complete": True}


def _batches(redis: Redis, pattern: str) -> Iterator[list[bytes]]:
    cursor: bytes | str = "0"
    while True:
        cursor, keys = redis.ask("SCAN", cursor, "MATCH", pattern, "COUNT", STEP)
        yield keys
        if cursor in (b"0", "0"):
            return
