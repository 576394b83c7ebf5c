"""`make plan`: what plan a tenant has. Its users cannot change that: it is the operator's to say."""

from typing import get_args

from chalicelib.aws.clock import SystemClock
from chalicelib.domain.plans import Plan
from chalicelib.engine.plans import KEEP_SECONDS, tenant_key
from chalicelib.identity.tenants import decode_tenant, subscribing
from chalicelib.ports.table import ConditionFailed, Database
from infra import account, refusals, stacks
from infra.errors import Stop
from infra.first import database
from infra.stacks import name_of


def change(stage: str, tenant: str, plan: str) -> None:
    """Give the tenant of the stage another plan."""
    refusals.check_name(stage)
    with account.plainly():
        session = account.session()
        stack = stacks.find(session.client("cloudformation"), name_of(stage))
        if not (stack and stack.outputs):
            raise Stop(f"There is no {stage} here.")
        print(changed(database(session.client("dynamodb"), stack.outputs, SystemClock()), tenant, plan))


def changed(db: Database, tenant: str, wanted: str) -> str:
    """What was done, in words. Stop if there is no such plan or tenant, or somebody changes it just now."""
    plan: Plan | None = next((each for each in get_args(Plan) if each == wanted), None)
    if plan is None:
        raise Stop(f"PLAN must be one of {', '.join(get_args(Plan))}, not {wanted!r}.")
    item = db.catalog.get(tenant_key(tenant))
    if item is None:
        raise Stop(f"There is no tenant {tenant!r} here: TENANT is its id.")
    before = decode_tenant(item)
    if before.plan == plan:
        return f"{tenant} has the plan {plan} already."
    try:
        db.catalog.write(subscribing(before, plan))
    except ConditionFailed:
        raise Stop(f"{tenant} was changed just now, or is being deleted: look, and try again.") from None
    return f"{tenant} has the plan {plan} instead of {before.plan}, everywhere within {KEEP_SECONDS} seconds."
