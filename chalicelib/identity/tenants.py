"""Tenants: whose everything is. Each key of each table begins with the tenant's id."""

from dataclasses import dataclass

from chalicelib.domain.retention import Plan
from chalicelib.engine.core import Engine
from chalicelib.ports.table import Item, Key


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organisation with its plan. `created_ms`: epoch milliseconds."""

    id: str
    name: str
    plan: Plan
    created_ms: int
    revision: int = 1


def tenant_key(tenant: str) -> Key:
    return f"{tenant}#tenant", "tenant"


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
    )


def read_tenant(engine: Engine, tenant: str) -> Tenant | None:
    item = engine.db.catalog.get(tenant_key(tenant))
    return decode_tenant(item) if item else None
