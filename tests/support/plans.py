"""Tenants with plans."""

from typing import Any

from chalicelib.domain.plans import PLANS, Plan, month_of
from chalicelib.engine.flow.usage import USED, executions_key, jobs_key
from chalicelib.identity.tenants import Tenant, encode_tenant
from chalicelib.ports.table import Put
from tests.support.world import NOON, TENANT


def subscribe(db: Any, plan: Plan, tenant: str = TENANT) -> None:
    """The tenant has this plan from now on."""
    db.catalog.write(Put(encode_tenant(Tenant(tenant, tenant.capitalize(), plan, NOON))))


def spend(db: Any, plan: Plan, *, left: int, at_ms: int = NOON, tenant: str = TENANT) -> None:
    """The tenant has the plan, and has used all of its executions in the month but so many."""
    subscribe(db, plan, tenant)
    limit = PLANS[plan].executions
    assert limit is not None
    pk, sk = executions_key(tenant, month_of(at_ms))
    db.catalog.write(Put({"pk": pk, "sk": sk, USED: limit - left}))


def counted_jobs(db: Any, tenant: str = TENANT) -> int:
    """How many jobs the tenant's counter says that there are."""
    item = db.catalog.get(jobs_key(tenant))
    return int(item[USED]) if item else 0


def counted_executions(db: Any, at_ms: int = NOON, tenant: str = TENANT) -> int:
    """How many executions the counter of that month says that there were."""
    item = db.catalog.get(executions_key(tenant, month_of(at_ms)))
    return int(item[USED]) if item else 0
