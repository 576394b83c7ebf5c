"""What the benchmarks count, where it does not depend on the machine; and that they say what they lack."""

import os
import subprocess
import sys

import pytest

from bench.jobs import NOON
from bench.stub import StubAws, stubbed_engine, unstub
from bench.tick import SHARDS, hold_due_jobs
from chalicelib.engine.tick import tick
from infra.paths import ROOT
from tests.support.memory import FakeClock


@pytest.mark.parametrize("due", [1000, 3000])
def test_a_tick_makes_two_hundred_calls_for_a_thousand_jobs(due: int) -> None:
    stub = StubAws()
    hold_due_jobs(stub, due)
    engine = stubbed_engine(stub, FakeClock(NOON))
    assert tick(engine, SHARDS, group=0, deadline=engine.clock.monotonic() + 60) == due
    unstub()
    assert stub.calls == {
        "Query": len(SHARDS),
        "BatchGetItem": due / 100,
        "SendMessageBatch": due / 10,
        "BatchWriteItem": due / 1000 + 2 * due / 25 + 1,
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
