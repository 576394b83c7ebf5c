"""Tenants: whose everything is. Each key of each table begins with the tenant's id."""

from dataclasses import dataclass

from chalicelib.domain.errors import Conflict
from chalicelib.domain.ids import ulid
from chalicelib.domain.plans import Plan
from chalicelib.engine.core import Engine
from chalicelib.engine.plans import tenant_key
from chalicelib.ports.table import Check, Is, Item, Lacks, TableName, Update, all_of

_ENDING = "ending_ms"


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organisation with its plan. Moments are epoch milliseconds; since `ending_ms` it takes in nobody any more."""

    id: str
    name: str
    plan: Plan
    created_ms: int
    revision: int = 1
    ending_ms: int | None = None


def encode_tenant(tenant: Tenant) -> Item:
    pk, sk = tenant_key(tenant.id)
    return {
        "pk": pk,
        "sk": sk,
        "id": tenant.id,
        "name": tenant.name,
        "plan": tenant.plan,
        "created_ms": tenant.created_ms,
        "revision": tenant.revision,
    }


def decode_tenant(item: Item) -> Tenant:
    plan: Plan = item["plan"]  # type: ignore[assignment]
    return Tenant(
        id=str(item["id"]),
        name=str(item["name"]),
        plan=plan,
        created_ms=int(item["created_ms"]),
        revision=int(item["revision"]),
        ending_ms=int(item[_ENDING]) if _ENDING in item else None,
    )


def read_tenant(engine: Engine, tenant: str) -> Tenant | None:
    item = engine.db.catalog.get(tenant_key(tenant))
    return decode_tenant(item) if item else None


def tenant_id(at_ms: int, randomness: bytes) -> str:
    """A new tenant's id."""
    return "tenant_" + ulid(at_ms, randomness)


def still_open(tenant: str) -> tuple[TableName, Check]:
    """What belongs into each transaction that lets somebody in: the tenant is not being deleted."""
    return "catalog", Check(tenant_key(tenant), Lacks(_ENDING))


def check_open(engine: Engine, tenant: str) -> None:
    """Conflict if it is being deleted."""
    found = read_tenant(engine, tenant)
    if found is not None and found.ending_ms is not None:
        raise Conflict("This tenant is being deleted.")


def renaming(tenant: Tenant, name: str) -> Update:
    """Refused if it has changed since."""
    return _changing(tenant, {"name": name})


def subscribing(tenant: Tenant, plan: Plan) -> Update:
    """Another plan. Refused if it has changed since."""
    return _changing(tenant, {"plan": plan})


def ending(tenant: Tenant, now_ms: int) -> Update:
    """The beginning of its end. Refused if it has changed since."""
    return _changing(tenant, {_ENDING: now_ms})


def _changing(tenant: Tenant, changed: Item) -> Update:
    unchanged = all_of(Is("revision", tenant.revision), Lacks(_ENDING))
    return Update(tenant_key(tenant.id), set={**changed, "revision": tenant.revision + 1}, when=unchanged)
