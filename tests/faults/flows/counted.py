"""What becomes of runs whose tenant has a plan: they are counted."""

from chalicelib.domain.plans import Plan
from chalicelib.identity.tenants import Tenant, encode_tenant
from chalicelib.ports.table import Put
from tests.faults.flow import OK, Act, event
from tests.faults.flows.steps import at, ring
from tests.faults.system import System
from tests.support.world import TENANT


def with_plan(system: System, plan: Plan) -> Act:
    system.engine.db.catalog.write(Put(encode_tenant(Tenant(TENANT, "Acme", plan, system.clock.now_ms()))))
    for name in ("one", "another"):
        system.job(name, at(2))
    ring(system, 2)
    return system.deliver


@event({"one": [(2, OK)], "another": [(2, OK)]})
def runs_of_a_plan_with_an_end(system: System) -> Act:
    return with_plan(system, "free")


@event({"one": [(2, OK)], "another": [(2, OK)]})
def runs_of_a_plan_without_an_end(system: System) -> Act:
    return with_plan(system, "enterprise")
