"""What one dispatcher keeps up when each call takes as long as on a network: 10,000 due jobs, wall clock."""

import statistics
import time
from collections.abc import Iterable

from bench.jobs import NOON
from bench.stub import StubAws, stubbed_engine, unstub
from bench.tick import SHARDS, hold_due_jobs
from chalicelib.engine.tick import tick
from tests.support.memory import FakeClock

COUNT, ROUNDS = 10_000, 3
LATENCY = {"DynamoDB": 0.005, "AmazonSQS": 0.010}
"""Seconds a call."""


def figures() -> Iterable[tuple[str, float, str]]:
    stub = StubAws(LATENCY)
    hold_due_jobs(stub, COUNT)
    engine = stubbed_engine(stub, FakeClock(NOON))
    rates = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        if tick(engine, SHARDS, group=0, groups=4, deadline=engine.clock.monotonic() + 60) != COUNT:
            raise ValueError("the tick did not dispatch every job")
        rates.append(COUNT / (time.perf_counter() - started))
    unstub()
    yield "dispatcher_jobs_per_second", statistics.median(rates), "jobs/s"
    yield "dispatcher_calls_under_way", stub.most, "calls"
