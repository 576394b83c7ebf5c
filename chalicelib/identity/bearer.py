"""Texts that open something for whoever has them: `<prefix><ULID>_<secret>`. Shown once, stored as a digest.

The ULID names the record. The secret has 256 random bits, for which one SHA-256 is as good as a slow hash: nobody can
try them all.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass

from chalicelib.domain.ids import ulid
from chalicelib.ports.ids import Ids

ID_BYTES, SECRET_BYTES = 10, 32
_REST = re.compile(r"([0-9A-HJKMNP-TV-Z]{26})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class Shown:
    """A text, taken apart: the ULID of its record, and the digest of all of it."""

    ulid: str
    digest: str


def drawn(ids: Ids) -> bytes:
    """The randomness of a new one."""
    return ids.random_bytes(ID_BYTES) + ids.random_bytes(SECRET_BYTES)


def made(prefix: str, now_ms: int, randomness: bytes) -> tuple[Shown, str]:
    """A new one and its text. `randomness` as `drawn`."""
    name = ulid(now_ms, randomness[:ID_BYTES])
    text = text_of(prefix, name, randomness[ID_BYTES:])
    return Shown(name, digest_of(text)), text


def text_of(prefix: str, name: str, secret: bytes) -> str:
    """What its owner is shown, once."""
    return f"{prefix}{name}_{urlsafe_b64encode(secret).decode().rstrip('=')}"


def parsed(prefix: str, text: str) -> Shown | None:
    """None if this can be none of the kind."""
    found = _REST.fullmatch(text[len(prefix) :]) if text.startswith(prefix) else None
    return Shown(found[1], digest_of(text)) if found else None


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def same(stored: str, shown: Shown) -> bool:
    """Whether this text's digest is stored; it takes as long whatever the answer."""
    return hmac.compare_digest(stored, shown.digest)
