"""What runs cost: the model is held to what the twins count."""

import pytest

from bench import cost as bench
from chalicelib.domain.cost import Usage
from chalicelib.domain.prices import PRICES


@pytest.mark.parametrize(
    ("scenario", "most", "why"),
    [
        ("full", 4.0, "what was promised for full batches"),
        ("sparse", 6.2, "alone in a batch: the hold counts ten times"),
        ("alone", 8.6, "a journal page, a send and a whole hold each"),
    ],
)
def test_a_million_runs_cost_at_most(scenario: bench.Scenario, most: float, why: str) -> None:
    assert sum(bench.million_usd(scenario, PRICES["arm64"]).values()) < most, why


def test_the_steps_add_up_to_what_the_amounts_cost() -> None:
    by_step = bench.million_usd("full", PRICES["arm64"])
    total = sum(bench.steps("full").values(), Usage())
    assert sum(by_step.values()) == pytest.approx(total.total_usd(PRICES["arm64"]) * 1e6)
    assert set(by_step) > {
        "tick_advance",
        "tick_journal",
        "receive",
        "hold",
        "start",
        "finish",
        "delete",
        "log",
    }


def test_five_write_units_a_run_and_a_page_for_all() -> None:
    meter = bench.counted("full")
    assert meter.total("write_units") / 1000 == pytest.approx(5, abs=0.05)
    assert meter.total("read_units") / 1000 == pytest.approx(2, abs=0.05)
