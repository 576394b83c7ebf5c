"""The first tenant of a deployment, with an owner and a key: without them nobody could be let in."""

from dataclasses import dataclass

from chalicelib.domain.ids import ulid
from chalicelib.domain.plans import Plan
from chalicelib.identity.bearer import drawn
from chalicelib.identity.keys import Wanted, creation_writes, minted
from chalicelib.identity.members import Member, member_puts
from chalicelib.identity.passwords import OWASP, Cost, hashed
from chalicelib.identity.tenants import Tenant, encode_tenant
from chalicelib.identity.users import User, encode_email, encode_user
from chalicelib.ports.clock import Clock
from chalicelib.ports.ids import Ids
from chalicelib.ports.table import Absent, ConditionFailed, Database, Put, TableName

KEY_NAME = "first key"


@dataclass(frozen=True, slots=True)
class First:
    """What to begin with. The user becomes the tenant's owner; their address counts as verified."""

    tenant: str
    name: str
    plan: Plan
    email: str
    password: str


def begin(db: Database, clock: Clock, ids: Ids, first: First, *, cost: Cost = OWASP) -> bool:
    """Make the tenant and its owner; False if the tenant is there already, and nothing is changed."""
    now_ms = clock.now_ms()
    user = User(
        id="user_" + ulid(now_ms, ids.random_bytes(10)),
        email=first.email,
        name="Owner",
        created_ms=now_ms,
        password=hashed(first.password, ids.random_bytes(16), cost),
        verified=True,
    )
    tenant = Tenant(first.tenant, first.name, first.plan, now_ms)
    writes: list[tuple[TableName, Put]] = [
        ("catalog", Put(encode_tenant(tenant), Absent())),
        ("catalog", Put(encode_user(user))),
        ("catalog", Put(encode_email(user), Absent())),
        *(("catalog", put) for put in member_puts(Member(tenant.id, user.id, "owner", now_ms))),
    ]
    try:
        db.transact(*writes)
    except ConditionFailed:
        return False
    return True


def add_key(db: Database, clock: Clock, ids: Ids, tenant: str) -> str:
    """The text of a new key of the tenant that may do all that an admin may."""
    wanted = Wanted(tenant, KEY_NAME, "admin", "deployment")
    key, text = minted(wanted, clock.now_ms(), drawn(ids))
    db.transact(*creation_writes(key))
    return text
