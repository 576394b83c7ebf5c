"""1,000 dummy runs in batches of ten, over stubbed AWS."""

import statistics
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from bench.jobs import NOON, jobs
from bench.stub import StubAws, stubbed_engine, unstub
from chalicelib.aws.clock import SystemClock
from chalicelib.aws.pool import ThreadPool
from chalicelib.domain.ids import run_id
from chalicelib.engine.message import Delivery, RunMessage
from chalicelib.engine.records import encode_job
from chalicelib.engine.running.work import Worker
from chalicelib.executors.attempt import attempts
from chalicelib.executors.base import ExecutorSettings
from chalicelib.wiring import WORKER_THREADS

COUNT, BATCH, ROUNDS = 1000, 10, 5


def figures() -> Iterable[tuple[str, float, str]]:
    stub, clock = StubAws(), SystemClock()
    engine = stubbed_engine(stub, clock)
    deliveries = []
    for job in jobs(COUNT):
        stub.hold(encode_job(job))
        message = RunMessage(
            job.tenant, job.id, job.schedule_revision, run_id(job.id, NOON), NOON, clock.now_ms() - 1000
        )
        deliveries.append(Delivery(message.run_id, message.encode()))
    spent = []
    with ThreadPoolExecutor(WORKER_THREADS) as threads:
        worker = Worker(engine, "fast", attempts(clock, ExecutorSettings()), ThreadPool(threads))
        for _ in range(ROUNDS):
            stub.calls.clear()
            stub.cpu, started = 0.0, time.process_time()
            for first in range(0, COUNT, BATCH):
                if worker.work(deliveries[first : first + BATCH], deadline=clock.monotonic() + 60):
                    raise ValueError("a run was not recorded")
            spent.append((time.process_time() - started - stub.cpu) * 1000)
    unstub()
    yield "worker_cpu_ms_per_1000", statistics.median(spent[1:]), "ms"
    yield "worker_aws_calls_per_1000", sum(stub.calls.values()), "calls"
