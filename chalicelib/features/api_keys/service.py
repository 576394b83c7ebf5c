"""API keys in the catalog. Nobody makes, or gets hold of, one that may more than they may themselves."""

from dataclasses import replace

from chalicelib.domain.errors import Conflict, Forbidden, Invalid, NotFound, ShownOnce
from chalicelib.domain.ids import is_id
from chalicelib.domain.permissions import PERMISSIONS, ROLES, Role, permissions_of
from chalicelib.engine.core import Engine
from chalicelib.features.conditional import require_match
from chalicelib.features.idempotency import IdempotencyKey, Note, once
from chalicelib.identity.bearer import SECRET_BYTES, drawn
from chalicelib.identity.keys import (
    MAX_KEYS,
    ApiKey,
    Wanted,
    change_write,
    count_key,
    creation_writes,
    deletion_writes,
    keys_of,
    minted,
    read_key,
    rotated,
    shown,
)
from chalicelib.identity.principal import Principal
from chalicelib.identity.tenants import check_open, still_open
from chalicelib.ports.table import ConditionFailed

TRIES = 5
Made = tuple[ApiKey, str]
"""A key, and its text, which is told this once."""


def create(engine: Engine, principal: Principal, wanted: Wanted, key: IdempotencyKey | None = None) -> Made:
    """A new key. Invalid if it may more than who asks; ShownOnce if this Idempotency-Key has made one before."""
    _check_within(principal, wanted.role, wanted.scopes)
    own = replace(wanted, member=_member_of(engine, principal) if wanted.role != "service" else None)

    def make(note: Note) -> Made:
        made, text = minted(own, engine.clock.now_ms(), drawn(engine.ids))
        try:
            engine.db.transact(*creation_writes(made), still_open(made.tenant), *note(made.id))
        except ConditionFailed:
            check_open(engine, made.tenant)
            _check_room(engine, made.tenant)
            raise
        engine.witness.changed("api-key", made.id, None, shown(made))
        return made, text

    return once(engine, principal.tenant, key, make, lambda made_id: _not_again(made_id, "made"))


def rotate(
    engine: Engine,
    principal: Principal,
    key_id: str,
    overlap_ms: int,
    if_match: str | None,
    key: IdempotencyKey | None = None,
) -> Made:
    """The key with another secret. Forbidden unless it is one's own, or the tenant's, and may no more than who asks."""

    def make(note: Note) -> Made:
        before = read(engine, principal.tenant, key_id)
        require_match(if_match, before.revision)
        _check_own(engine, principal, before)
        secret = engine.ids.random_bytes(SECRET_BYTES)
        after, text = rotated(before, engine.clock.now_ms(), overlap_ms, secret)
        engine.db.transact(("catalog", change_write(before, after)), *note(key_id))
        engine.witness.changed("api-key", key_id, shown(before), shown(after))
        return after, text

    return once(engine, principal.tenant, key, make, lambda made_id: _not_again(made_id, "rotated"))


def read(engine: Engine, tenant: str, key_id: str) -> ApiKey:
    """NotFound if the tenant has none of this id."""
    found = read_key(engine, key_id) if is_id(key_id, "key") else None
    if found is None or found.tenant != tenant:
        raise NotFound("There is no such API key.")
    return found


def listed(engine: Engine, tenant: str, *, limit: int, after: str | None) -> tuple[list[ApiKey], str | None]:
    """The oldest first; the last id if more may follow."""
    return keys_of(engine, tenant, limit=limit, after=after)


def rename(engine: Engine, tenant: str, key_id: str, name: str, if_match: str | None) -> ApiKey:
    for _ in range(TRIES):
        before = read(engine, tenant, key_id)
        require_match(if_match, before.revision)
        if name == before.name:
            return before
        after = replace(before, name=name, revision=before.revision + 1)
        try:
            engine.db.transact(("catalog", change_write(before, after)))
        except ConditionFailed:
            continue
        engine.witness.changed("api-key", key_id, shown(before), shown(after))
        return after
    raise Conflict("Others keep changing this key; try again.")


def delete(engine: Engine, tenant: str, key_id: str, if_match: str | None) -> None:
    """It opens nothing from now on."""
    for _ in range(TRIES):
        before = read(engine, tenant, key_id)
        require_match(if_match, before.revision)
        try:
            engine.db.transact(*deletion_writes(before))
        except ConditionFailed:
            continue
        engine.witness.changed("api-key", key_id, shown(before), None)
        return
    raise Conflict("Others keep changing this key; try again.")


def _check_within(principal: Principal, role: Role, scopes: frozenset[str] | None) -> None:
    """Invalid, with a pointer, unless such a key may no more than who asks for it."""
    if role == "owner":
        raise Invalid.field("/role", "A key cannot be an owner: owners are people.", "no_owner_key")
    unknown = sorted((scopes or frozenset()) - ROLES[role])
    if unknown:
        known = "no permission at all" if unknown[0] not in PERMISSIONS else f"none that {role} has"
        raise Invalid.field("/scopes", f"{unknown[0]} is {known}.", "unknown_scope")
    beyond = sorted(permissions_of(role, scopes) - principal.permissions)
    if beyond:
        place = "/role" if scopes is None else "/scopes"
        raise Invalid.field(place, f"You lack {beyond[0]}, so no key of yours can have it.", "beyond_own")


def _check_own(engine: Engine, principal: Principal, key: ApiKey) -> None:
    """Whoever has a key's new secret acts as the key."""
    if key.member is not None and key.member != _member_of(engine, principal):
        raise Forbidden("This is another member's key: you can only take it back.")
    if not key.permissions <= principal.permissions:
        raise Forbidden("This key may more than you: you can only take it back.")


def _member_of(engine: Engine, principal: Principal) -> str | None:
    """Whose a key is that this principal makes; None: the tenant's."""
    if not principal.actor.startswith("key_"):
        return principal.actor
    own = read_key(engine, principal.actor)
    return own.member if own else None


def _check_room(engine: Engine, tenant: str) -> None:
    counted = engine.db.catalog.get(count_key(tenant))
    if counted and int(counted["count"]) >= MAX_KEYS:
        raise Conflict(f"The tenant has {MAX_KEYS} keys already: delete one that is not used any more.")


def _not_again(key_id: str, done: str) -> Made:
    raise ShownOnce(
        f"This Idempotency-Key has {done} the key {key_id} before, and a key's text is shown once. If the answer was "
        "lost, rotate that key with another Idempotency-Key, or delete it."
    )
