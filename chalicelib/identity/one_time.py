"""Tokens that are good for one use: sent by mail, stored as a digest, which is also where they are found."""

import hashlib
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Literal

from chalicelib.domain.errors import Invalid
from chalicelib.engine.core import Engine
from chalicelib.identity.users import User
from chalicelib.ports.table import PRESENT, Absent, Delete, Item, Key, Put

PREFIX = "chronos_once_"
BYTES = 32
Purpose = Literal["verify", "reset", "email"]
LIFE_MS: dict[Purpose, int] = {"verify": 86_400_000, "reset": 3_600_000, "email": 86_400_000}
_TEXT = re.compile(PREFIX + "[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class OneTime:
    """What the token is for. `before` ties it to the password that there was: another one ends it."""

    digest: str
    purpose: Purpose
    user: str
    email: str
    before: str
    expires_ms: int


def minted(purpose: Purpose, user: User, now_ms: int, secret: bytes, email: str = "") -> tuple[OneTime, str]:
    """A new token for the user's address, or for another `email`, and its text. `secret` has BYTES bytes."""
    text = PREFIX + urlsafe_b64encode(secret).decode().rstrip("=")
    made = OneTime(
        _digest(text), purpose, user.id, email or user.email, before_of(user), now_ms + LIFE_MS[purpose]
    )
    return made, text


def before_of(user: User) -> str:
    """The password that there is, told by a digest of its hash."""
    return _digest(user.password or "")


def read(engine: Engine, text: str, *purposes: Purpose) -> OneTime:
    """What a text that somebody shows is for. Invalid (at /token) unless it is for one of these, and not over."""
    found = _TEXT.fullmatch(text) and engine.db.catalog.get(_key(_digest(text)))
    if not found or found["purpose"] not in purposes or int(found["expires_ms"]) <= engine.clock.now_ms():
        raise unknown()
    return _decoded(found)


def unknown() -> Invalid:
    return Invalid.field("/token", "This token is not known, was used, or is over: ask for another.", "token")


def put_of(made: OneTime) -> Put:
    pk, sk = _key(made.digest)
    item: Item = {
        "pk": pk,
        "sk": sk,
        "digest": made.digest,
        "purpose": made.purpose,
        "user": made.user,
        "email": made.email,
        "before": made.before,
        "expires_ms": made.expires_ms,
        "expires_at": made.expires_ms // 1000 + 1,
    }
    return Put(item, Absent())


def use_of(token: OneTime) -> Delete:
    """Belongs into the transaction that does what the token is for: of two who use it one wins."""
    return Delete(_key(token.digest), PRESENT)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _key(digest: str) -> Key:
    return f"once#{digest}", "once"


def _decoded(item: Item) -> OneTime:
    purpose: Purpose = item["purpose"]  # type: ignore[assignment]
    return OneTime(
        digest=str(item["digest"]),
        purpose=purpose,
        user=str(item["user"]),
        email=str(item["email"]),
        before=str(item["before"]),
        expires_ms=int(item["expires_ms"]),
    )
