"""The most memory that a worker's process has had: packaged code, full batches of large HTTP jobs, over stubbed AWS.

Lambda's own runtime client, some 30 MB, comes to that. It says how little memory a worker can be given.
"""

import os
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from bench.imports import unpacked
from infra.paths import ROOT

BATCHES, BATCH = 5, 10
REQUEST_BYTES, ANSWER_BYTES = 120_000, 5_000_000


def figures() -> Iterable[tuple[str, float, str]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Target)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        code = unpacked(Path(folder))
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "AWS_DEFAULT_REGION": "us-east-1"}
        command = [sys.executable, "-B", "-m", "bench.memory", f"http://127.0.0.1:{server.server_port}/"]
        peak = subprocess.check_output(command, cwd=code, env=environment)
    server.shutdown()
    if len(_Target.served) < BATCHES * BATCH:
        raise ValueError("not every job called its target")
    yield "worker_memory_mb", float(peak) / 1024, "MB"


class _Target(BaseHTTPRequestHandler):
    """Answers with much more than is kept."""

    served: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.served.append(self.path)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(ANSWER_BYTES))
        self.end_headers()
        with suppress(ConnectionError):  # the worker reads no more than it keeps
            self.wfile.write(b"x" * ANSWER_BYTES)

    def log_message(self, *_: object) -> None:
        pass


def _work(url: str) -> None:
    """In a process of its own: work off some batches, and say how much memory that took."""
    from bench.jobs import NOON, jobs
    from bench.stub import StubAws, stubbed_engine
    from chalicelib.aws.clock import SystemClock
    from chalicelib.aws.pool import ThreadPool
    from chalicelib.domain.ids import run_id
    from chalicelib.engine.message import Delivery, RunMessage
    from chalicelib.engine.records import encode_job
    from chalicelib.engine.running.work import Worker
    from chalicelib.entrypoints import worker as entrypoint
    from chalicelib.executors.attempt import attempts
    from chalicelib.executors.base import ExecutorSettings
    from chalicelib.wiring import WORKER_THREADS

    stub, clock = StubAws(), SystemClock()
    engine, deliveries = stubbed_engine(stub, clock), []
    config = {"url": url, "method": "POST", "body": {"text": "y" * REQUEST_BYTES}}
    for job in jobs(BATCH, type_="http"):
        stub.hold(encode_job(job.model_copy(update={"config": config})))
        message = RunMessage(job.tenant, job.id, 1, run_id(job.id, NOON), NOON, clock.now_ms() - 1000)
        deliveries.append(Delivery(message.run_id, message.encode()))
    execute = attempts(clock, ExecutorSettings(allow_networks=("127.0.0.0/8",)))
    with ThreadPoolExecutor(WORKER_THREADS) as pool:
        worker = Worker(engine, "fast", execute, ThreadPool(pool))
        for _ in range(BATCHES):
            if worker.work(deliveries, deadline=clock.monotonic() + 60):
                raise ValueError("a run was not recorded")
    if not entrypoint.blueprint:
        raise ValueError("the function's own modules count too")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    _work(sys.argv[1])
