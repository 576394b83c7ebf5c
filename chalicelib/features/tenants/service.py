"""Tenants in the catalog: read, renamed, founded by users."""

from chalicelib.domain.errors import Conflict, NotFound, RegistrationClosed
from chalicelib.engine.core import Engine
from chalicelib.engine.plans import tenant_key
from chalicelib.features.conditional import require_match
from chalicelib.features.idempotency import IdempotencyKey, Note, once
from chalicelib.identity.members import Member, decode_member, member_puts, membership_key, memberships
from chalicelib.identity.principal import Principal
from chalicelib.identity.tenants import (
    Tenant,
    check_open,
    decode_tenant,
    encode_tenant,
    read_tenant,
    renaming,
    tenant_id,
)
from chalicelib.ports.table import Absent, ConditionFailed, Is, Key, Put, Update

TRIES = 5
MAX_OWNED = 10
"""Tenants that one user may own and still found another."""


def read(engine: Engine, tenant: str) -> Tenant:
    """NotFound if it is gone by now."""
    found = read_tenant(engine, tenant)
    if found is None:
        raise NotFound("There is no such tenant any more.")
    return found


def rename(engine: Engine, tenant: str, name: str, if_match: str | None) -> Tenant:
    for _ in range(TRIES):
        before = read(engine, tenant)
        require_match(if_match, before.revision)
        check_open(engine, tenant)
        if name == before.name:
            return before
        try:
            engine.db.transact(("catalog", renaming(before, name)))
        except ConditionFailed:
            continue
        engine.witness.changed("tenant", tenant, {"name": before.name}, {"name": name})
        return read(engine, tenant)
    raise Conflict("Others keep changing this tenant; try again.")


def found(engine: Engine, principal: Principal, name: str, key: IdempotencyKey | None) -> Tenant:
    """A new tenant with this user as owner, or the one that this key has made before. Conflict if they have many.

    RegistrationClosed where strangers cannot come in by themselves, and the user owns nothing.
    """
    tenant, user_id = principal.tenant, principal.actor
    if not engine.settings.open_to_all and principal.role != "owner":
        raise RegistrationClosed("Only who owns this tenant can found another: registering is closed here.")

    def make(note: Note) -> Tenant:
        now_ms = engine.clock.now_ms()
        new = Tenant(tenant_id(now_ms, engine.ids.random_bytes(10)), name, "free", now_ms)
        owner = Member(new.id, user_id, "owner", now_ms)
        engine.witness.acting(new.id, user_id, "owner")
        engine.db.transact(
            ("catalog", _one_at_a_time(engine, user_id)),
            ("catalog", Put(encode_tenant(new), Absent())),
            *(("catalog", put) for put in member_puts(owner)),
            *note(new.id),
        )
        engine.witness.changed("tenant", new.id, None, {"name": name, "plan": new.plan, "owner": user_id})
        return new

    return once(engine, tenant, key, make, lambda made_id: _own(engine, made_id, user_id))


def listed(
    engine: Engine, user_id: str, *, limit: int, after: str | None
) -> tuple[list[tuple[Tenant, Member]], str | None]:
    """Those that the user belongs to, by their ids; the last id if more may follow."""
    pk, low = membership_key("", user_id)
    start = membership_key(after, user_id)[1] if after else None
    page = engine.db.catalog.query(pk, low=low, high=low + "\U0010ffff", limit=limit, after=start)
    joined = [decode_member(item) for item in page.items]
    places = {member.tenant: tenant_key(member.tenant) for member in joined}
    known = engine.db.catalog.get_many(places.values())
    rows = [(member, known.get(places[member.tenant])) for member in joined]
    shown = [(decode_tenant(item), member) for member, item in rows if item]
    return shown, joined[-1].tenant if page.next else None


def _own(engine: Engine, made_id: str, user_id: str) -> Tenant:
    """NotFound unless it is one of this user's: another may have sent the same Idempotency-Key."""
    if made_id not in {member.tenant for member in memberships(engine, user_id)}:
        raise NotFound("There is no such tenant.")
    return read(engine, made_id)


def _one_at_a_time(engine: Engine, user_id: str) -> Update:
    """Who founds two at the same moment founds one of them: so their number is exact. Conflict if there are many."""
    place: Key = (f"user#{user_id}", "founding")
    before = engine.db.catalog.get(place)
    owned = sum(member.role == "owner" for member in memberships(engine, user_id))
    if owned >= MAX_OWNED:
        raise Conflict(f"You own {MAX_OWNED} tenants already: delete one, or have somebody else found it.")
    unchanged = Is("count", int(before["count"])) if before else Absent()
    return Update(place, add={"count": 1}, when=unchanged)
