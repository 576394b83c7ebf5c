"""The same seed is the same history, to the bit: else a failure could not be looked at again."""

import os
import subprocess
import sys

import pytest

from tests.simulation.report import run_seed

HOURS, JOBS = 5, 12


@pytest.mark.parametrize("seed", [3, 10])
def test_a_seed_has_one_history(seed: int) -> None:
    once, again = (run_seed(seed, HOURS, JOBS) for _ in range(2))
    assert once.digest == again.digest
    assert once.struck == again.struck


def test_other_seeds_have_others() -> None:
    assert run_seed(3, HOURS, JOBS).digest != run_seed(7, HOURS, JOBS).digest


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_the_history_does_not_depend_on_the_hashes_of_the_process(hash_seed: str) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.simulation",
        "--seed",
        "3",
        "--hours",
        str(HOURS),
        "--jobs",
        str(JOBS),
    ]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
    assert f"history {run_seed(3, HOURS, JOBS).digest}" in done.stdout
