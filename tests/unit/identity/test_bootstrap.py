"""The first tenant of a deployment."""

from chalicelib.identity import bootstrap
from chalicelib.identity.access import authenticate
from chalicelib.identity.members import memberships, read_member
from chalicelib.identity.passwords import Cost, matches
from chalicelib.identity.tenants import read_tenant
from chalicelib.identity.users import user_of
from tests.support.world import NOON, World

CHEAP = Cost(memory=8, passes=1)
FIRST = bootstrap.First("main", "Main", "pro", "Ada@Example.com", "a long password")


def begun(world: World, first: bootstrap.First = FIRST) -> bool:
    return bootstrap.begin(world.db, world.clock, world.engine.ids, first, cost=CHEAP)


def test_a_deployment_begins_with_a_tenant_and_its_owner() -> None:
    world = World()
    assert begun(world)
    tenant, owner = read_tenant(world.engine, "main"), user_of(world.engine, "ada@example.COM")
    assert tenant is not None
    assert owner is not None
    assert (tenant.name, tenant.plan, tenant.created_ms) == ("Main", "pro", NOON)
    assert matches("a long password", str(owner.password))
    member = read_member(world.engine, "main", owner.id)
    assert member is not None
    assert (member.role, memberships(world.engine, owner.id)) == ("owner", [member])


def test_what_is_there_is_left_as_it_is() -> None:
    world = World()
    begun(world)
    before = dict(world.db.catalog.items)
    assert not begun(world, bootstrap.First("main", "Other", "free", "eve@example.com", "another"))
    assert world.db.catalog.items == before


def test_its_key_may_do_what_an_admin_may() -> None:
    world = World()
    begun(world)
    text = bootstrap.add_key(world.db, world.clock, world.engine.ids, "main")
    found = authenticate(world.engine, f"Bearer {text}")
    assert (found.tenant, found.role) == ("main", "admin")
