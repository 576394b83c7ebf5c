"""What `make verify-audit` tells of a trail that the API has written."""

import pytest

from chalicelib.identity.trail.entries import entry_key, partition
from infra.errors import Stop
from infra.trail import told
from tests.support.api import ApiClient
from tests.support.principals import TENANT
from tests.support.world import NOON, SIGNING_KEYS, World


@pytest.fixture
def world() -> World:
    world = World()
    api = ApiClient(world.engine)
    for number in range(5):
        api.post("/calendars", {"name": f"c{number}"})
    return world


def verdict(world: World, anchor: str = "", tenant: str = TENANT, part: int = 2) -> str:
    return told(world.db, SIGNING_KEYS, tenant, anchor, now_s=NOON // 1000, part=part)


def test_a_good_trail_is_named_with_an_anchor_to_keep(world: World) -> None:
    said = verdict(world)
    assert "as it was written, from entry 1 to 5, signed to 5." in said
    anchor = said.rpartition("ANCHOR=")[2]
    assert "from entry 5 to 5" in verdict(world, anchor)


def test_a_tenant_without_a_trail_has_no_entries(world: World) -> None:
    assert verdict(world, tenant="nobody") == "The audit trail of nobody has no entries."


def test_the_first_bad_entry_is_named(world: World) -> None:
    world.db.audit.items[entry_key(TENANT, 4)]["doc"] = "{}"
    with pytest.raises(Stop, match="Entry 4 is not what its hash was made of"):
        verdict(world)


def test_an_anchor_shows_that_the_end_was_cut_off_with_its_head(world: World) -> None:
    anchor = verdict(world).rpartition("ANCHOR=")[2]
    for seq in (4, 5):
        del world.db.audit.items[entry_key(TENANT, seq)]
    del world.db.catalog.items[partition(TENANT), "head"]
    with pytest.raises(Stop, match="is not as it was written"):
        verdict(world, anchor)


def test_what_is_no_anchor_is_refused(world: World) -> None:
    with pytest.raises(Stop, match="64 hexadecimal digits"):
        verdict(world, "5")
