"""The suite proves itself: without any one of its guards the engine is caught, and with all of them it is not."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation.guard_table import GUARDS
from tests.simulation.guards import Cut, Guard, GuardMoved, without
from tests.simulation.report import run
from tests.simulation.simulation import Scenario

DOCS = Path(__file__).parents[2] / "docs" / "reliability.md"
TRIES, STEP = 6, 4
"""Seeds of the same weather that are tried."""


def scenarios(guard: Guard) -> Iterator[Scenario]:
    first = guard.scenario.seed
    return (replace(guard.scenario, seed=seed) for seed in range(first, first + TRIES * STEP, STEP))


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_an_engine_without_this_guard_is_caught(guard: Guard) -> None:
    for scenario in scenarios(guard):
        with without(guard):
            result = run(scenario)
        if guard.noticed & set(result.rules):
            whole = run(scenario)
            assert not whole.problem, "the whole engine is caught too"
            return
    pytest.fail(f"no rule of {sorted(guard.noticed)} was broken in {TRIES} seeds")


def test_every_guard_is_where_the_table_has_it() -> None:
    for guard in GUARDS:
        with without(guard):
            pass


def test_a_guard_that_has_moved_is_told() -> None:
    cut = Cut("engine.flow.start:is_too_late", "no such source", "")
    guard = replace(GUARDS[0], cuts=(cut,))
    with pytest.raises(GuardMoved, match="is_too_late"), without(guard):
        pytest.fail("nothing was cut")


def test_a_guard_is_back_when_the_test_is_over() -> None:
    guard = next(guard for guard in GUARDS if "is leased" in guard.name)
    with without(guard):
        assert run(guard.scenario).rules
    assert not run(guard.scenario).rules


def test_the_docs_list_the_guards() -> None:
    listed = re.findall(
        r"^- (.+)$", DOCS.read_text().partition("### Guards\n")[2].partition("\n#")[0], re.MULTILINE
    )
    assert listed == [guard.name for guard in GUARDS]
    assert len(listed) >= 15
