"""What the benchmarks count, where it does not depend on the machine; and that they say what they lack."""

import os
import subprocess
import sys
from collections import Counter

import pytest

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
