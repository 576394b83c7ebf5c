"""Every kind of fault meets every kind of call, and the mishaps of messages, ticks and workers all happen."""

from collections import Counter

import pytest

from tests.simulation.chaos import BATCHES, KINDS
from tests.simulation.report import Result, run_seed

SEEDS, HOURS, STORM = (1, 2, 3, 5, 7, 11, 13, 15, 17, 19, 23, 27, 31, 38, 51, 93), 20, 2
MISHAPS = {
    ("delayed", "fast"),
    ("duplicated", "fast"),
    ("duplicated", "long"),
    ("killed", "fast"),
    ("killed", "long"),
    ("killed", "urgent"),
    ("vanished", "urgent"),
    ("killed", "dispatcher"),
    ("killed", "api"),
    ("died", "in the effect"),
    ("died", "between effect and record"),
    ("skipped", "tick"),
    ("doubled", "tick"),
    ("late", "tick"),
    ("dark", "ticks"),
}


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return [run_seed(seed, HOURS, storm=STORM) for seed in SEEDS]


def test_nothing_is_wrong_under_them(results: list[Result]) -> None:
    assert not [result.problem for result in results if result.problem]


def test_every_kind_of_fault_strikes_every_kind_of_call(results: list[Result]) -> None:
    struck: Counter[tuple[str, str]] = sum((result.struck for result in results), Counter())
    calls: Counter[str] = sum((result.calls for result in results), Counter())
    assert len(calls) >= 15
    missing = [
        f"{kind} at {name}"
        for kind in KINDS
        for name in calls
        if (kind, name) not in struck and _can_strike(kind, name)
    ]
    assert not missing


def _can_strike(kind: str, name: str) -> bool:
    if kind == "partial batch":
        return name.rpartition(".")[2] in BATCHES
    return kind != "outage"


def test_every_part_is_out_of_reach_at_some_time(results: list[Result]) -> None:
    struck = {
        name.partition(".")[0] for result in results for kind, name in result.struck if kind == "outage"
    }
    assert struck == {"catalog", "timers", "runs", "transact", "send"}


def test_every_mishap_happens(results: list[Result]) -> None:
    happened = {each for result in results for each in result.struck}
    assert happened >= MISHAPS


def test_users_race_each_other(results: list[Result]) -> None:
    races = {name for result in results for kind, name in result.struck if kind == "raced"}
    assert len(races) >= 30
