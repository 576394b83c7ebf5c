"""Two to four faults in one scenario, drawn by a seed, also while Chronos recovers from the first of them."""

import random

import pytest

from tests.faults.flow import flows
from tests.faults.kinds import Kind, all_kinds_of
from tests.faults.scenario import Plan, Prepared, carried_out, check_leniently, ready

SEEDS = 300
GROUPS = 12
FARTHEST = 40
"""Calls after the first fault among which the others are."""


def drawn(seed: int) -> tuple[Prepared, Plan, int, bool]:
    """The flow of a seed, the kinds by the numbers of calls, how long outages last, and whether a client asks again."""
    chance = random.Random(seed)
    flow = ready(chance.choice(sorted(flows())))
    first, call = chance.choice(flow.sites())
    later = (first + chance.randint(1, FARTHEST) for _ in range(chance.randint(1, 3)))
    plan = {number: chance.choice(list(Kind)) for number in sorted(later)}
    plan = {first: chance.choice(all_kinds_of(call.operation)), **plan}
    return flow, plan, chance.randint(5, 150) * 1000, chance.random() < 0.5


@pytest.mark.parametrize("group", range(GROUPS))
def test_after_a_plan_of_several_faults_all_is_done_once(group: int) -> None:
    for seed in range(group, SEEDS, GROUPS):
        flow, plan, outage_ms, repeats = drawn(seed)
        after = carried_out(flow, plan, repeats=repeats, outage_ms=outage_ms)
        try:
            assert after.struck, "a fault strikes"
            check_leniently(flow, after)
        except AssertionError as error:
            told = ", ".join(f"call {number}: {kind.name}" for number, kind in plan.items())
            error.add_note(f"seed {seed}: {flow.flow.name}: {told}; outages of {outage_ms} ms")
            raise


def test_the_plans_are_the_same_for_the_same_seed() -> None:
    assert [drawn(seed)[1:] for seed in range(5)] == [drawn(seed)[1:] for seed in range(5)]
    assert len({str(drawn(seed)[1]) for seed in range(20)}) > 10, "and differ for others"
