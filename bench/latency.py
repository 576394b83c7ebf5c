"""What one dispatcher keeps up when each call takes as long as on a network: 10,000 due jobs, by the wall clock.

The best of some rounds: what else the machine does only takes away. Where jobs per second and jobs per CPU second are
alike, the latencies are hidden, and only a faster processor would help.
"""

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
    rates, spent = [], []
    for _ in range(ROUNDS):
        stub.cpu, started, began = 0.0, time.process_time(), time.perf_counter()
        if tick(engine, SHARDS, group=0, groups=4, deadline=engine.clock.monotonic() + 60) != COUNT:
            raise ValueError("the tick did not dispatch every job")
        rates.append(COUNT / (time.perf_counter() - began))
        spent.append(COUNT / (time.process_time() - started - stub.cpu))
    unstub()
    yield "dispatcher_jobs_per_second", max(rates), "jobs/s"
    yield "dispatcher_jobs_per_cpu_second", max(spent), "jobs/s"
    yield "dispatcher_calls_under_way", stub.most, "calls"
