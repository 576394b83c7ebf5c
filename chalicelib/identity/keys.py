"""API keys: shown once, stored as a digest. A key's text names its record: `chronos_key_<ULID>_<secret>`.

The beginning is the same for all keys, so that scanners find a leaked one. The secret has 256 random bits, for which
one SHA-256 is as good as a slow hash (nobody can try them all).
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass

from chalicelib.domain.ids import ulid
from chalicelib.domain.permissions import Role, permissions_of
from chalicelib.engine.core import Engine
from chalicelib.ports.table import Item, Key

PREFIX = "chronos_key_"
SECRET_BYTES, ID_BYTES = 32, 10
_TEXT = re.compile(PREFIX + r"([0-9A-HJKMNP-TV-Z]{26})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`scopes` narrow the role's permissions; None: it has all of them. Moments are epoch milliseconds."""

    id: str
    tenant: str
    name: str
    role: Role
    digest: str
    created_ms: int
    created_by: str
    scopes: frozenset[str] | None = None
    expires_ms: int | None = None
    used_ms: int | None = None

    @property
    def permissions(self) -> frozenset[str]:
        return permissions_of(self.role, self.scopes)

    def is_expired(self, now_ms: int) -> bool:
        return self.expires_ms is not None and self.expires_ms <= now_ms


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a new key is to be. `created_by`: the id of a user, or of another key."""

    tenant: str
    name: str
    role: Role
    created_by: str
    scopes: frozenset[str] | None = None
    expires_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A key's text, taken apart."""

    id: str
    digest: str


def text_of(key_ulid: str, secret: bytes) -> str:
    """What the key's owner is shown, once."""
    return f"{PREFIX}{key_ulid}_{urlsafe_b64encode(secret).decode().rstrip('=')}"


def parsed(text: str) -> Shown | None:
    """None if this can be no key."""
    found = _TEXT.fullmatch(text)
    return Shown("key_" + found[1], digest_of(text)) if found else None


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def is_of(key: ApiKey, shown: Shown) -> bool:
    """Whether this text is that key's; it takes as long whatever the answer."""
    return hmac.compare_digest(key.digest, shown.digest)


def minted(wanted: Wanted, now_ms: int, randomness: bytes) -> tuple[ApiKey, str]:
    """A new key and its text. `randomness` has ID_BYTES and SECRET_BYTES bytes."""
    key_ulid, secret = ulid(now_ms, randomness[:ID_BYTES]), randomness[ID_BYTES:]
    text = text_of(key_ulid, secret)
    key = ApiKey(
        id="key_" + key_ulid,
        tenant=wanted.tenant,
        name=wanted.name,
        role=wanted.role,
        digest=digest_of(text),
        created_ms=now_ms,
        created_by=wanted.created_by,
        scopes=wanted.scopes,
        expires_ms=wanted.expires_ms,
    )
    return key, text


def key_key(key_id: str) -> Key:
    """Its tenant is not part of it: it is the key that tells the tenant."""
    return f"key#{key_id}", "key"


def keys_list(tenant: str) -> str:
    """The partition of the index `lists` that names a tenant's keys."""
    return f"{tenant}#keys"


def encode_key(key: ApiKey) -> Item:
    pk, sk = key_key(key.id)
    item: Item = {
        "pk": pk,
        "sk": sk,
        "lpk": keys_list(key.tenant),
        "lsk": key.id,
        "tenant": key.tenant,
        "name": key.name,
        "role": key.role,
        "digest": key.digest,
        "created_ms": key.created_ms,
        "created_by": key.created_by,
    }
    if key.scopes is not None:
        item["scopes"] = " ".join(sorted(key.scopes))
    for name in ("expires_ms", "used_ms"):
        if (value := getattr(key, name)) is not None:
            item[name] = value
    return item


def decode_key(item: Item) -> ApiKey:
    role: Role = item["role"]  # type: ignore[assignment]
    return ApiKey(
        id=str(item["lsk"]),
        tenant=str(item["tenant"]),
        name=str(item["name"]),
        role=role,
        digest=str(item["digest"]),
        created_ms=int(item["created_ms"]),
        created_by=str(item["created_by"]),
        scopes=frozenset(str(item["scopes"]).split()) if "scopes" in item else None,
        expires_ms=int(item["expires_ms"]) if "expires_ms" in item else None,
        used_ms=int(item["used_ms"]) if "used_ms" in item else None,
    )


def read_key(engine: Engine, key_id: str) -> ApiKey | None:
    item = engine.db.catalog.get(key_key(key_id))
    return decode_key(item) if item else None
