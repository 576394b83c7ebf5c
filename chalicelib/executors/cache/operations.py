"""Operations on keys by their names, and what a server tells about itself."""

from base64 import b64encode
from typing import Any

from chalicelib.executors.base import Call
from chalicelib.executors.cache.redis_connection import Part, Redis
from chalicelib.executors.cache.spec import Delete, Expire, Get, Increment, Set, Stats
from chalicelib.executors.json_values import encoded

_WHEN = {"always": (), "absent": ("NX",), "present": ("XX",)}


def get(call: Call, redis: Redis, wanted: Get) -> dict[str, Any]:
    """Values as far as the result has room; of one that is longer nothing is read beyond that."""
    left = call.settings.max_result_bytes
    commands: list[tuple[Part, ...]] = []
    for key in wanted.keys:
        commands += [("EXISTS", key), ("GETRANGE", key, 0, left)]
    answers = redis.ask_all(commands)
    values: dict[str, Any] = {}
    for key, is_there, value in zip(wanted.keys, answers[::2], answers[1::2], strict=True):
        shown = as_text(value) if is_there else None
        left -= len(encoded({key: shown}))
        if left >= 0:
            values[key] = shown
    return {"values": values, "truncated": len(values) < len(set(wanted.keys))}


def as_text(value: bytes) -> Any:
    """Text, or `{"base64": ...}` where it is none."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(value).decode()}


def as_bytes(value: Any) -> bytes:
    """Text as it is, anything else as JSON."""
    return value.encode() if isinstance(value, str) else encoded(value)


def store(_call: Call, redis: Redis, wanted: Set) -> dict[str, Any]:
    expiry: tuple[Part, ...] = ("EX", wanted.ttl_seconds) if wanted.ttl_seconds else ()
    answer = redis.ask("SET", wanted.key, as_bytes(wanted.value), *expiry, *_WHEN[wanted.when])
    return {"stored": answer is not None}


def delete(_call: Call, redis: Redis, wanted: Delete) -> dict[str, Any]:
    return {"deleted": redis.ask("UNLINK", *wanted.keys)}


def expire(_call: Call, redis: Redis, wanted: Expire) -> dict[str, Any]:
    answers = redis.ask_all([("EXPIRE", key, wanted.ttl_seconds) for key in wanted.keys])
    return {"expiring": sum(answers)}


def increment(_call: Call, redis: Redis, wanted: Increment) -> dict[str, Any]:
    """Both together or none, so that no counter is left that never expires."""
    if wanted.ttl_seconds is None:
        return {"value": redis.ask("INCRBY", wanted.key, wanted.by)}
    commands: list[tuple[Part, ...]] = [
        ("MULTI",),
        ("INCRBY", wanted.key, wanted.by),
        ("EXPIRE", wanted.key, wanted.ttl_seconds, "NX"),
        ("EXEC",),
    ]
    value, expiry = redis.ask_all(commands)[-1]
    for answer in (value, expiry):
        redis.check(answer)
    return {"value": value}


def stats(call: Call, redis: Redis, wanted: Stats) -> dict[str, Any]:
    info, keys = redis.ask_all([("INFO",), ("DBSIZE",)])
    told = dict(line.split(":", 1) for line in info.decode().splitlines() if ":" in line)
    fields = {name: _number(told[name]) for name in wanted.fields if name in told}
    return {"fields": fields if len(encoded(fields)) <= call.settings.max_result_bytes else {}, "keys": keys}


def _number(text: str) -> Any:
    return int(text) if text.lstrip("-").isdecimal() and text.isascii() else text
