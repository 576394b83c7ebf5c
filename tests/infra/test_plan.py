"""What `make plan` does to a tenant's record, and what it refuses."""

import pytest

from infra.errors import Stop
from infra.plan import changed
from tests.support.api import HTTP_JOB, ApiClient
from tests.support.plans import subscribe
from tests.support.principals import TENANT
from tests.support.world import World


@pytest.fixture
def world() -> World:
    world = World()
    subscribe(world.db, "free")
    return world


def test_a_tenant_has_another_plan_within_a_minute(world: World) -> None:
    api = ApiClient(world.engine)
    for number in range(10):
        api.create(name=f"job {number}")
    assert api.post("/jobs", HTTP_JOB).status == 403
    said = changed(world.db, TENANT, "starter")
    assert said == "local has the plan starter instead of free, everywhere within 60 seconds."
    world.clock.ms += 60_000
    assert api.post("/jobs", HTTP_JOB).status == 201
    assert changed(world.db, TENANT, "starter") == "local has the plan starter already."


@pytest.mark.parametrize(
    ("tenant", "plan", "said"),
    [
        (TENANT, "gold", "PLAN must be one of free, starter, pro, enterprise, not 'gold'"),
        (TENANT, "", "PLAN must be one of"),
        ("nobody", "pro", "There is no tenant 'nobody' here"),
    ],
)
def test_what_is_no_plan_or_no_tenant_is_refused(world: World, tenant: str, plan: str, said: str) -> None:
    with pytest.raises(Stop, match=said):
        changed(world.db, tenant, plan)


def test_a_tenant_that_is_being_deleted_keeps_its_plan(world: World) -> None:
    world.db.catalog.items[f"{TENANT}#tenant", "tenant"]["ending_ms"] = 1
    with pytest.raises(Stop, match="is being deleted"):
        changed(world.db, TENANT, "pro")
