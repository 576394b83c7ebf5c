"""API keys: shown once, stored as a digest. A key's text names its record: `chronos_key_<ULID>_<secret>`.

The beginning is the same for all keys, so that scanners find a leaked one. A key that a member made is theirs: it never
may more than they may by then, and stops with their membership. One of the role `service` is the tenant's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.permissions import ROLES, Role, permissions_of
from chalicelib.engine.core import Engine
from chalicelib.identity import bearer
from chalicelib.identity.bearer import Shown
from chalicelib.identity.members import Member
from chalicelib.ports.table import Absent, Below, Delete, Is, Item, Key, Lacks, Put, TableName, Update, any_of

PREFIX = "chronos_key_"
MAX_KEYS = 100
"""Of a tenant."""
Writes = tuple[tuple[TableName, Put | Update | Delete], ...]


@dataclass(frozen=True, slots=True)
class Former:
    """The digest of the text before, and until when that is still good."""

    digest: str
    until_ms: int


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`scopes` narrow the role's permissions; None: it has all of them. Moments are epoch milliseconds.

    `member`: the user whose key it is; None: it is the tenant's own.
    """

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
    member: str | None = None
    former: Former | None = None
    revision: int = 1

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
    member: str | None = None


def parsed(text: str) -> Shown | None:
    """None if this can be no key."""
    return bearer.parsed(PREFIX, text)


def is_of(key: ApiKey, shown: Shown, now_ms: int) -> bool:
    """Whether this text is that key's, or was until it was replaced a while ago."""
    is_now = bearer.same(key.digest, shown)
    return is_now or (
        key.former is not None and now_ms < key.former.until_ms and bearer.same(key.former.digest, shown)
    )


def bounded(key: ApiKey, member: Member | None) -> ApiKey | None:
    """A member's key as their membership lets it be; None if they left since it was made."""
    if member is None or member.joined_ms > key.created_ms:
        return None
    if ROLES[key.role] <= ROLES[member.role]:
        return key
    return replace(key, role=member.role, scopes=key.permissions)


def minted(wanted: Wanted, now_ms: int, randomness: bytes) -> tuple[ApiKey, str]:
    """A new key and its text. `randomness` as of bearer.drawn."""
    shown, text = bearer.made(PREFIX, now_ms, randomness)
    key = ApiKey(
        id="key_" + shown.ulid,
        tenant=wanted.tenant,
        name=wanted.name,
        role=wanted.role,
        digest=shown.digest,
        created_ms=now_ms,
        created_by=wanted.created_by,
        scopes=wanted.scopes,
        expires_ms=wanted.expires_ms,
        member=wanted.member,
    )
    return key, text


def rotated(key: ApiKey, now_ms: int, overlap_ms: int, secret: bytes) -> tuple[ApiKey, str]:
    """The key with another secret, and its text. The one before is good for `overlap_ms` more."""
    text = bearer.text_of(PREFIX, key.id.removeprefix("key_"), secret)
    former = Former(key.digest, now_ms + overlap_ms) if overlap_ms else None
    return replace(key, digest=bearer.digest_of(text), former=former, revision=key.revision + 1), text


def key_key(key_id: str) -> Key:
    """Its tenant is not part of it: it is the key that tells the tenant."""
    return f"key#{key_id}", "key"


def listed_key(tenant: str, key_id: str) -> Key:
    """Where a tenant's keys are named, so that all of them can be found for certain."""
    return f"{tenant}#keys", key_id


def count_key(tenant: str) -> Key:
    """Where a tenant's keys are counted."""
    return f"{tenant}#tenant", "keys"


def creation_writes(key: ApiKey) -> Writes:
    """What belongs into the transaction that makes it. Refused if the tenant has too many."""
    pk, sk = listed_key(key.tenant, key.id)
    room = any_of(Lacks("count"), Below("count", MAX_KEYS))
    return (
        ("catalog", Put(encode_key(key), Absent())),
        ("catalog", Put({"pk": pk, "sk": sk}, Absent())),
        ("catalog", Update(count_key(key.tenant), add={"count": 1}, when=room)),
    )


def deletion_writes(key: ApiKey) -> Writes:
    """Refused if it has changed since."""
    return (
        ("catalog", Delete(key_key(key.id), Is("revision", key.revision))),
        ("catalog", Delete(listed_key(key.tenant, key.id))),
        ("catalog", Update(count_key(key.tenant), add={"count": -1})),
    )


def change_write(before: ApiKey, after: ApiKey) -> Update:
    """What a change of name or secret is; when it was used is noted beside it. Refused if it has changed since."""
    gone = ("former", "former_ms") if before.former and not after.former else ()
    former: Item = {"former": after.former.digest, "former_ms": after.former.until_ms} if after.former else {}
    changed: Item = {"name": after.name, "digest": after.digest, "revision": after.revision, **former}
    return Update(key_key(before.id), set=changed, remove=gone, when=Is("revision", before.revision))


def encode_key(key: ApiKey) -> Item:
    pk, sk = key_key(key.id)
    item: Item = {
        "pk": pk,
        "sk": sk,
        "id": key.id,
        "tenant": key.tenant,
        "name": key.name,
        "role": key.role,
        "digest": key.digest,
        "created_ms": key.created_ms,
        "created_by": key.created_by,
        "revision": key.revision,
    }
    if key.scopes is not None:
        item["scopes"] = " ".join(sorted(key.scopes))
    if key.former is not None:
        item |= {"former": key.former.digest, "former_ms": key.former.until_ms}
    for name in ("expires_ms", "used_ms", "member"):
        if (value := getattr(key, name)) is not None:
            item[name] = value
    return item


def decode_key(item: Item) -> ApiKey:
    role: Role = item["role"]  # type: ignore[assignment]
    return ApiKey(
        id=str(item["id"]),
        tenant=str(item["tenant"]),
        name=str(item["name"]),
        role=role,
        digest=str(item["digest"]),
        created_ms=int(item["created_ms"]),
        created_by=str(item["created_by"]),
        scopes=frozenset(str(item["scopes"]).split()) if "scopes" in item else None,
        expires_ms=int(item["expires_ms"]) if "expires_ms" in item else None,
        used_ms=int(item["used_ms"]) if "used_ms" in item else None,
        member=str(item["member"]) if "member" in item else None,
        former=Former(str(item["former"]), int(item["former_ms"])) if "former" in item else None,
        revision=int(item["revision"]),
    )


def read_key(engine: Engine, key_id: str) -> ApiKey | None:
    item = engine.db.catalog.get(key_key(key_id))
    return decode_key(item) if item else None


def keys_of(
    engine: Engine, tenant: str, *, limit: int = 1000, after: str | None = None
) -> tuple[list[ApiKey], str | None]:
    """A tenant's keys, the oldest first, and where to go on if more follow."""
    page = engine.db.catalog.query(listed_key(tenant, "")[0], limit=limit, after=after)
    places = [key_key(str(item["sk"])) for item in page.items]
    found = engine.db.catalog.get_many(places)
    return [decode_key(found[place]) for place in places if place in found], page.next


def personal_keys(engine: Engine, member: Member) -> Iterator[ApiKey]:
    """The keys that a member made for themself."""
    return (key for key in keys_of(engine, member.tenant)[0] if key.member == member.user)


def shown(key: ApiKey) -> dict[str, Any]:
    """What the audit trail keeps of it: each rotation is a revision."""
    return {
        "name": key.name,
        "role": key.role,
        "scopes": sorted(key.scopes) if key.scopes is not None else None,
        "expires_at": rfc3339(key.expires_ms) if key.expires_ms is not None else None,
        "member": key.member,
        "revision": key.revision,
    }
