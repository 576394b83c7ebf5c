"""Members: which users belong to a tenant, and as what. Each membership is kept twice, to be found from both sides."""

from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.domain.permissions import Role
from chalicelib.engine.core import Engine
from chalicelib.ports.table import Item, Key, Put

_OF_USER = "member#"


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
    """Both records."""
    for pk, sk in (member_key(member.tenant, member.user), membership_key(member.tenant, member.user)):
        yield Put(
            {
                "pk": pk,
                "sk": sk,
                "tenant": member.tenant,
                "user": member.user,
                "role": member.role,
                "joined_ms": member.joined_ms,
                "revision": member.revision,
            }
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
