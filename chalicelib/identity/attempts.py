"""How often something may be tried: by account and by address, with delays that double. Guessing becomes hopeless.

An attempt is counted before it is judged, so that many at the same moment are counted too; one that succeeds is
forgiven. What is counted is known by a digest, and is the same for accounts that do not exist.
"""

import hashlib
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Literal

from chalicelib.domain.errors import TooManyAttempts
from chalicelib.engine.core import Engine
from chalicelib.ports.table import PRESENT, Absent, ConditionFailed, Delete, Is, Item, Key, Put, Update

TRIES = 4
"""Of writing down an attempt while others do the same."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many tries are free; after each further one the wait doubles. `forget_ms` after the last all is forgotten."""

    name: Literal["account", "address", "register", "mail"]
    free: int
    first_ms: int
    longest_ms: int
    forget_ms: int


ACCOUNT = Limit("account", free=5, first_ms=2_000, longest_ms=900_000, forget_ms=3_600_000)
"""Passwords of one account, whoever tries."""
ADDRESS = Limit("address", free=100, first_ms=1_000, longest_ms=60_000, forget_ms=3_600_000)
"""Passwords from one address, whosever they are: many people may share it."""
ASKING = Limit("register", free=20, first_ms=10_000, longest_ms=900_000, forget_ms=3_600_000)
"""Mails that are asked for from one address."""
MAIL = Limit("mail", free=3, first_ms=60_000, longest_ms=3_600_000, forget_ms=86_400_000)
"""Mails to one address."""


@dataclass(frozen=True, slots=True)
class Tried:
    """So many times; the last time then; not again before `until_ms`."""

    count: int
    seen_ms: int
    until_ms: int


def next_try(limit: Limit, before: Tried | None, now_ms: int) -> Tried | int:
    """What is known after one more attempt, or in how many milliseconds it may be made. Pure."""
    if before is None or now_ms - before.seen_ms >= limit.forget_ms:
        return Tried(1, now_ms, now_ms)
    if before.until_ms > now_ms:
        return before.until_ms - now_ms
    count = before.count + 1
    doublings = min(count - limit.free, 32)
    wait_ms = min(limit.longest_ms, limit.first_ms << doublings) if doublings >= 0 else 0
    return Tried(count, now_ms, now_ms + wait_ms)


def take(engine: Engine, limit: Limit, subject: str) -> None:
    """Count an attempt. TooManyAttempts if it must not be made yet; then nothing is counted."""
    wait_ms = counted(engine, limit, subject)
    if wait_ms:
        raise TooManyAttempts("Too many attempts: Retry-After says when to go on.", -(-wait_ms // 1000))


def counted(engine: Engine, limit: Limit, subject: str) -> int:
    """Count an attempt: 0, or the milliseconds for which it must wait."""
    if not subject:
        return 0
    key, now_ms = _key(limit, subject), engine.clock.now_ms()
    for _ in range(TRIES):
        item = engine.db.catalog.get(key)
        found = next_try(limit, _decoded(item) if item else None, now_ms)
        if isinstance(found, int):
            return found
        unchanged = Is("count", int(item["count"])) if item else Absent()
        try:
            engine.db.catalog.write(Put(_encoded(key, found, limit), unchanged))
        except ConditionFailed:
            continue
        return 0
    return limit.first_ms


def forgive(engine: Engine, limit: Limit, subject: str) -> None:
    """The last attempt was right. An account's are all forgotten; an address has others, which go on counting."""
    if limit is ACCOUNT:
        engine.db.catalog.write(Delete(_key(limit, subject)))
    elif subject:
        try:
            engine.db.catalog.write(
                Update(_key(limit, subject), add={"count": -1}, remove=("until_ms",), when=PRESENT)
            )
        except ConditionFailed:
            return


def network_of(address: str) -> str:
    """What is counted of an address: all of IPv4's, of IPv6's the half that names a network."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return parsed.exploded[:19] if isinstance(parsed, IPv6Address) else str(parsed)


def _key(limit: Limit, subject: str) -> Key:
    digest = hashlib.sha256(f"{limit.name}|{subject}".encode()).hexdigest()
    return f"attempts#{digest}", "attempts"


def _encoded(key: Key, tried: Tried, limit: Limit) -> Item:
    return {
        "pk": key[0],
        "sk": key[1],
        "count": tried.count,
        "seen_ms": tried.seen_ms,
        "until_ms": tried.until_ms,
        "expires_at": (tried.seen_ms + limit.forget_ms) // 1000 + 1,
    }


def _decoded(item: Item) -> Tried:
    return Tried(int(item["count"]), int(item["seen_ms"]), int(item.get("until_ms", 0)))
