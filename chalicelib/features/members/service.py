"""Members in the catalog. Both records of a membership change together, and a tenant keeps an owner."""

from chalicelib.domain.errors import Conflict, NotFound, Unavailable
from chalicelib.domain.ids import is_id
from chalicelib.domain.permissions import Role
from chalicelib.engine.core import Engine
from chalicelib.features.conditional import require_match
from chalicelib.features.own_powers import check_gives, check_over
from chalicelib.identity.keys import deletion_writes, personal_keys
from chalicelib.identity.members import (
    Member,
    decode_member,
    member_key,
    owner_kept,
    read_member,
    removal_writes,
    role_writes,
)
from chalicelib.identity.principal import Principal
from chalicelib.identity.users import User, decode_user, user_key
from chalicelib.ports.table import ConditionFailed

TRIES = 5


def read(engine: Engine, tenant: str, user_id: str) -> Member:
    """NotFound if the tenant has no such member."""
    found = read_member(engine, tenant, user_id) if is_id(user_id, "user") else None
    if found is None:
        raise NotFound("There is no such member.")
    return found


def listed(engine: Engine, tenant: str, *, limit: int, after: str | None) -> tuple[list[Member], str | None]:
    """By their ids; the last one if more may follow."""
    page = engine.db.catalog.query(member_key(tenant, "")[0], limit=limit, after=after)
    return [decode_member(item) for item in page.items], page.next


def users_of(engine: Engine, members: list[Member]) -> dict[str, User]:
    """Those who still have an account, by id."""
    found = engine.db.catalog.get_many(user_key(member.user) for member in members)
    return {user.id: user for user in map(decode_user, found.values())}


def change_role(
    engine: Engine, principal: Principal, user_id: str, role: Role, if_match: str | None
) -> Member:
    """The member with another role, from the next request on. Invalid, Forbidden, LastOwner."""
    for _ in range(TRIES):
        before = read(engine, principal.tenant, user_id)
        require_match(if_match, before.revision)
        check_over(principal, before.role)
        check_gives(principal, role)
        if role == before.role:
            return before
        try:
            engine.db.transact(*role_writes(before, role), *owner_kept(engine, before))
        except ConditionFailed:
            continue
        engine.witness.changed("member", user_id, {"role": before.role}, {"role": role})
        return read(engine, principal.tenant, user_id)
    raise Conflict("Others keep changing the members; try again.")


def remove(engine: Engine, principal: Principal, user_id: str, if_match: str | None) -> None:
    """Their tokens and keys open nothing of this tenant from now on. Forbidden, LastOwner."""
    for _ in range(TRIES):
        before = read(engine, principal.tenant, user_id)
        require_match(if_match, before.revision)
        if user_id != principal.actor:
            check_over(principal, before.role)
        try:
            engine.db.transact(*removal_writes(before), *owner_kept(engine, before))
        except ConditionFailed:
            continue
        engine.witness.changed("member", user_id, {"role": before.role}, None)
        _drop_keys(engine, before)
        return
    raise Conflict("Others keep changing the members; try again.")


def _drop_keys(engine: Engine, gone: Member) -> None:
    """Best effort: they open nothing without the membership, and none of another one."""
    try:
        for key in personal_keys(engine, gone):
            engine.db.transact(*deletion_writes(key))
    except (ConditionFailed, Unavailable) as error:
        engine.telemetry.warning("Keys of a former member are left, and open nothing.", error=str(error))
