"""Members: which users belong to a tenant, and as what. Each membership is kept twice, to be found from both sides."""

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.domain.errors import LastOwner
from chalicelib.domain.permissions import Role
from chalicelib.engine.core import Engine
from chalicelib.ports.table import Absent, Check, Delete, Is, Item, Key, Put, TableName, Update

_OF_USER = "member#"
Writes = tuple[tuple[TableName, Put | Update | Delete], ...]


@dataclass(frozen=True, slots=True)
class Member:
    """A user in a tenant. `joined_ms`: epoch milliseconds."""

    tenant: str
    user: str
    role: Role
    joined_ms: int
    revision: int = 1


def member_key(tenant: str, user_id: str) -> Key:
    return f"{tenant}#members", user_id


def membership_key(tenant: str, user_id: str) -> Key:
    """The same from the user's side."""
    return f"user#{user_id}", f"{_OF_USER}{tenant}"


def member_puts(member: Member) -> Iterator[Put]:
    """Both records of a new membership. Refused if there is one."""
    for pk, sk in _sides(member):
        yield Put(
            {
                "pk": pk,
                "sk": sk,
                "tenant": member.tenant,
                "user": member.user,
                "role": member.role,
                "joined_ms": member.joined_ms,
                "revision": member.revision,
            },
            Absent(),
        )


def decode_member(item: Item) -> Member:
    role: Role = item["role"]  # type: ignore[assignment]
    return Member(
        tenant=str(item["tenant"]),
        user=str(item["user"]),
        role=role,
        joined_ms=int(item["joined_ms"]),
        revision=int(item["revision"]),
    )


def read_member(engine: Engine, tenant: str, user_id: str) -> Member | None:
    item = engine.db.catalog.get(member_key(tenant, user_id))
    return decode_member(item) if item else None


def memberships(engine: Engine, user_id: str) -> list[Member]:
    """Where a user belongs: at most a thousand tenants."""
    pk, low = membership_key("", user_id)
    page = engine.db.catalog.query(pk, low=low, high=low + "\U0010ffff")
    return [decode_member(item) for item in page.items]


def role_writes(member: Member, role: Role) -> Writes:
    """Another role for a member, on both sides. Refused if the membership has changed since."""
    unchanged, changed = Is("revision", member.revision), {"role": role, "revision": member.revision + 1}
    return tuple(("catalog", Update(key, set=dict(changed), when=unchanged)) for key in _sides(member))


def removal_writes(member: Member) -> Writes:
    """The end of a membership, on both sides. Refused if it has changed since."""
    return tuple(("catalog", Delete(key, Is("revision", member.revision))) for key in _sides(member))


def owner_kept(engine: Engine, member: Member) -> tuple[tuple[TableName, Check], ...]:
    """What belongs into a transaction that takes an owner away: another one stays. LastOwner if there is none.

    Of two transactions which lean on each other's owner, DynamoDB carries out one.
    """
    if member.role != "owner":
        return ()
    for other in members_of(engine, member.tenant):
        if other.role == "owner" and other.user != member.user:
            return (("catalog", Check(member_key(other.tenant, other.user), Is("role", "owner"))),)
    raise LastOwner("A tenant keeps an owner: make somebody else one first, or delete the tenant.")


def members_of(engine: Engine, tenant: str) -> Iterator[Member]:
    """All of them, as they are asked for."""
    after: str | None = None
    while True:
        page = engine.db.catalog.query(member_key(tenant, "")[0], after=after)
        yield from map(decode_member, page.items)
        after = page.next
        if after is None:
            return


def _sides(member: Member) -> tuple[Key, Key]:
    return member_key(member.tenant, member.user), membership_key(member.tenant, member.user)
