"""Each call of AWS in each flow fails once, in each way: afterwards all is done, once, and nothing is left behind."""

import pytest

from tests.faults.flow import flows
from tests.faults.kinds import READS, Kind, kinds_of
from tests.faults.scenario import Prepared, carried_out, check, ready
from tests.faults.wire import Call


@pytest.mark.parametrize("name", flows())
def test_after_a_fault_at_any_call_all_is_done_once(name: str) -> None:
    flow = ready(name)
    assert flow.calls, "the flow uses AWS"
    for number, call in flow.sites():
        for kind in kinds_of(call.operation, number):
            fail_once(flow, number, call, kind)


def fail_once(flow: Prepared, number: int, call: Call, kind: Kind) -> None:
    """A client who got no success gives up, and another time asks again; after a mere read it asks again."""
    patience = [True] if call.operation in READS else [False, True]
    for repeats in patience if flow.flow.is_request else [False]:
        after = carried_out(flow, {number: kind}, repeats=repeats)
        try:
            assert after.struck, "the fault strikes"
            check(flow, {number: kind}, after)
        except AssertionError as error:
            error.add_note(
                f"{flow.flow.name}: call {number} of {len(flow.calls)}, {call}: {kind.name}: {kind.value}"
            )
            raise
        if after.answers and len(after.answers) == 1 and after.is_done_for_sure:
            break


def test_there_are_thousands_of_scenarios_and_every_kind_of_fault_in_them() -> None:
    sites = [(name, number, call) for name in flows() for number, call in ready(name).sites()]
    scenarios = [(*site, kind) for site in sites for kind in kinds_of(site[2].operation, site[1])]
    assert len(scenarios) > 2_000
    assert {kind for *_, kind in scenarios} == set(Kind)
