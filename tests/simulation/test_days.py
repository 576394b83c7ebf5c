"""Days under faults: 300 seeds of 24 hours and 30 jobs, each followed by a time of healing."""

import pytest

from tests.simulation.report import run_seed

SEEDS = range(1, 301)
AT_ONCE = 5


@pytest.mark.parametrize("first", SEEDS[::AT_ONCE])
def test_no_occurrence_is_lost_doubled_or_early_whatever_goes_wrong(first: int) -> None:
    problems = [
        result.problem for seed in range(first, first + AT_ONCE) if (result := run_seed(seed)).problem
    ]
    assert not problems, "\n\n".join(problems)
