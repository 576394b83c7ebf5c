"""A tick of 1,000 due jobs by one of four dispatchers, over stubbed AWS."""

import statistics
import time
from collections.abc import Iterable

from bench.jobs import NOON, jobs
from bench.stub import StubAws, stubbed_engine, unstub
from chalicelib.engine.records import encode_job
from chalicelib.engine.tick import tick
from chalicelib.engine.wheel.arm import first_timer
from chalicelib.engine.wheel.timers import encode_timer, partition
from chalicelib.ports.table import Item
from tests.support.memory import FakeClock

COUNT, ROUNDS = 1000, 7
SHARDS = range(0, 64, 4)


def figures() -> Iterable[tuple[str, float, str]]:
    stub = StubAws()
    hold_due_jobs(stub, COUNT)
    engine = stubbed_engine(stub, FakeClock(NOON))
    spent = []
    for _ in range(ROUNDS):
        stub.calls.clear()
        stub.cpu, started = 0.0, time.process_time()
        if tick(engine, SHARDS, group=0, groups=4, deadline=engine.clock.monotonic() + 60) != COUNT:
            raise ValueError("the tick did not dispatch every job")
        spent.append((time.process_time() - started - stub.cpu) * 1000)
    unstub()
    yield "tick_cpu_ms_per_1000", statistics.median(spent[1:]), "ms"
    yield "tick_cpu_ms_per_1000_cold", spent[0], "ms"
    yield "tick_aws_calls_per_1000", sum(stub.calls.values()), "calls"


def hold_due_jobs(stub: StubAws, count: int) -> None:
    """So many jobs and their timers, spread over the shards, due a minute after NOON."""
    pages: dict[int, list[Item]] = {shard: [] for shard in SHARDS}
    for number, job in enumerate(jobs(count)):
        shard = SHARDS[number % len(SHARDS)]
        placed = job.model_copy(update={"shard": shard})
        timer = first_timer(placed, NOON)
        if timer is None:
            raise ValueError("an hourly job has a next occurrence")
        pages[shard].append(encode_timer(timer))
        stub.hold(encode_job(placed))
    for shard, items in pages.items():
        stub.hold_page(partition(shard), items)
