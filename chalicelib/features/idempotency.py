"""Idempotency keys: what a POST has made is made once, however often its client sends it within a day.

The transaction that creates the thing also notes the key with the thing's id. Whoever comes second, at the same moment
or after a lost answer, finds the note and is answered with the thing as it is by then.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from chalicelib.domain.errors import Conflict, IdempotencyKeyReused, NotFound, QuotaExceeded, Unavailable
from chalicelib.engine.core import Engine
from chalicelib.ports.table import Absent, Below, ConditionFailed, Item, Key, Put, TableName, Write, any_of

KEEP_SECONDS = 86_400
_BETWEEN = "Somebody else came between; try again."
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's key for one operation. `fingerprint` is a hash of what is asked: the path and the payload."""

    operation: str
    key: str
    fingerprint: str


Note = Callable[[str], tuple[tuple[TableName, Write], ...]]
"""The id of the thing to the writes that belong into the transaction which creates it."""


def once(
    engine: Engine,
    tenant: str,
    key: IdempotencyKey | None,
    make: Callable[[Note], T],
    again: Callable[[str], T],
) -> T:
    """What `make` creates, or `again` reads by its id if this key has created it before.

    IdempotencyKeyReused if the key came with another payload, Conflict if the thing is gone by now.
    """
    if key is None:
        return _made(make)
    found = known(engine, tenant, key)
    if found is None:
        now_s = engine.clock.now_ms() // 1000
        try:
            return make(lambda made_id: (("catalog", noted(tenant, key, made_id, now_s)),))
        except (ConditionFailed, Conflict, NotFound, QuotaExceeded, Unavailable) as refused:
            found = known(engine, tenant, key)
            if found is None and isinstance(refused, ConditionFailed):
                raise Conflict(_BETWEEN) from None
            if found is None:
                raise
            if isinstance(refused, Unavailable):  # it was this request, and only the answer was lost
                engine.witness.changed("made", found, None, {})
    engine.witness.repeated()
    try:
        return again(found)
    except NotFound:
        raise Conflict("What this Idempotency-Key made is gone; use a new key.") from None


def _made(make: Callable[[Note], T]) -> T:
    try:
        return make(lambda _id: ())
    except ConditionFailed:
        raise Conflict(_BETWEEN) from None


def _place(tenant: str, key: IdempotencyKey) -> Key:
    return f"{tenant}#idempotency", f"{key.operation}#{key.key}"


def noted(tenant: str, key: IdempotencyKey, made_id: str, now_s: int) -> Put:
    """The note, unless there is one that is still good: DynamoDB may be days late with removing what has expired."""
    pk, sk = _place(tenant, key)
    item: Item = {
        "pk": pk,
        "sk": sk,
        "made": made_id,
        "fingerprint": key.fingerprint,
        "expires_at": now_s + KEEP_SECONDS,
    }
    return Put(item, any_of(Absent(), Below("expires_at", now_s + 1)))


def known(engine: Engine, tenant: str, key: IdempotencyKey) -> str | None:
    """What was noted for the key, None if nothing is. IdempotencyKeyReused if it came with another payload."""
    item = engine.db.catalog.get(_place(tenant, key))
    if item is None or int(item["expires_at"]) <= engine.clock.now_ms() // 1000:
        return None
    if item["fingerprint"] != key.fingerprint:
        raise IdempotencyKeyReused("This Idempotency-Key came with another request before; use a new one.")
    return str(item["made"])
