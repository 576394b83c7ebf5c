"""What the benchmarks count, where it does not depend on the machine; and that they say what they lack."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from bench.cost import Model
from bench.herd import BATCH, Lane, lateness
from bench.jobs import NOON
from bench.stub import StubAws, stubbed_engine, unstub
from bench.tick import SHARDS, hold_due_jobs
from chalicelib.engine.tick import tick
from infra.paths import ROOT
from tests.support.memory import FakeClock


def calls_of_a_tick(due: int) -> Counter[str]:
    stub = StubAws()
    hold_due_jobs(stub, due)
    engine = stubbed_engine(stub, FakeClock(NOON))
    end = engine.clock.monotonic() + 60
    assert tick(engine, SHARDS, group=0, groups=4, deadline=end) == due
    unstub()
    return stub.calls


@pytest.mark.parametrize("due", [1000, 3000])
def test_a_tick_makes_191_calls_for_each_thousand_due_jobs(due: int) -> None:
    thousands, idle = due // 1000, calls_of_a_tick(0)
    assert idle["Query"] <= len(SHARDS) + 4, "a tick with nothing to do reads each shard, and keeps watch"
    assert calls_of_a_tick(due) - idle == {
        "BatchGetItem": 10 * thousands,
        "SendMessageBatch": 100 * thousands,
        "BatchWriteItem": (1 + 40 + 40) * thousands,
    }


@pytest.mark.parametrize(("required", "code"), [(False, 0), (True, 1)])
def test_a_comparison_that_cannot_be_made_says_why(required: bool, code: int) -> None:
    settings = {"PATH": "/nonexistent", "CHRONOS_REQUIRE_SERVICES": "1" if required else ""}
    done = subprocess.run(
        [sys.executable, "-m", "bench", "peers"],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert "peers is left out. There is no redis-server on the PATH" in done.stderr


MODEL = Model(256)
ROUND = (
    sum(MODEL.batch_seconds(BATCH, 0)[part] for part in ("start", "finish")) + (MODEL.hop + MODEL.call) / 1000
)
"""Seconds of one batch that does nothing, from its receipt to its end."""
READY = Lane(most=5, begins=5, warm=5, write_units=1e9)


def herd(lane: Lane, *, count: int = 1000, job_seconds: float = 0.0) -> list[float]:
    return lateness(lane, job_seconds=job_seconds, units_per_run=3, count=count, model=MODEL)


def test_a_herd_that_fits_into_the_processes_that_are_there_is_on_time() -> None:
    assert max(herd(READY, count=5 * BATCH)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("job_seconds", [0.0, 0.2])
def test_a_herd_is_worked_off_in_rounds_of_all_processes(job_seconds: float) -> None:
    late = herd(READY, job_seconds=job_seconds)
    assert max(late) == pytest.approx(19 * (ROUND + job_seconds)), "1,000 runs are 20 rounds of 5 batches"


def test_a_table_that_takes_little_delays_the_herd() -> None:
    late = herd(Lane(most=5, begins=5, warm=5, write_units=300))
    assert max(late) == pytest.approx(99 * 0.1), "a hundred runs a second"


def test_more_places_come_with_time_and_each_new_process_starts_cold() -> None:
    growing = Lane(most=50, begins=5, a_second=5, warm=0, write_units=1e9)
    warm = Lane(most=50, begins=5, a_second=5, warm=50, write_units=1e9)
    assert min(herd(growing)) == pytest.approx(1 + (MODEL.hop + MODEL.call - MODEL.lead) / 1000)
    assert max(herd(READY)) > max(herd(warm))
    assert sum(herd(growing)) > sum(herd(warm))


def test_jitter_spreads_the_herd() -> None:
    spread = Lane(most=5, begins=5, warm=5, write_units=1e9, jitter_seconds=60)
    assert max(herd(spread)) < 1 < max(herd(READY))
