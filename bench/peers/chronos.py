"""Chronos' share: its handlers, over HTTP to a stubbed AWS in another process.

`python -m bench.peers.chronos COUNT` prints JSON: CPU seconds a run of the dispatcher, and of the worker in batches of
ten and of one, once all is imported.
"""

import json
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bench.jobs import NOON, jobs
from bench.stub import TABLES, StubAws
from bench.tick import SHARDS, hold_due_jobs
from chalicelib.config import Settings
from chalicelib.domain.ids import run_id
from chalicelib.domain.lanes import LANES
from chalicelib.engine.message import RunMessage
from chalicelib.engine.records import encode_job
from chalicelib.engine.tick import tick
from chalicelib.entrypoints.worker import handle
from chalicelib.wiring import Wiring
from tests.support.memory import FakeClock

QUEUE = "https://sqs.us-east-1.amazonaws.com/000000000000/bench"
SETTINGS = Settings(
    **{f"{name}_table": table for name, table in TABLES.items()},
    queues=dict.fromkeys(LANES, QUEUE),
)
WARM_UP = 100


class Context:
    """A Lambda with a minute left."""

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@contextmanager
def served(stub: StubAws) -> Iterator[str]:
    """The stub's answers over HTTP, from a process of its own, whose CPU is not ours; its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = stub.answer(self.headers["X-Amz-Target"].rpartition(".")[2], body)
            self.send_response_only(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    process = multiprocessing.get_context("fork").Process(target=server.serve_forever, daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        process.terminate()
        process.join()


def spent_by_dispatcher(parts: Wiring, count: int) -> float:
    engine = replace(parts.engine, clock=FakeClock(NOON))
    began = time.process_time()
    if tick(engine, SHARDS, group=0, groups=4, deadline=engine.clock.monotonic() + 600) != count:
        raise ValueError("the tick did not dispatch every job")
    return time.process_time() - began


def spent_by_worker(parts: Wiring, events: Sequence[str]) -> float:
    """From the event as text to the answer as text."""
    began = time.process_time()
    for event in events:
        answer = json.dumps(handle(json.loads(event), Context(), "fast", parts))
        if answer != '{"batchItemFailures": []}':
            raise ValueError(answer)
    return time.process_time() - began


def events(bodies: Sequence[str], size: int) -> list[str]:
    batches = (bodies[first : first + size] for first in range(0, len(bodies), size))
    return [json.dumps({"Records": [record(number, body) for number, body in enumerate(b)]}) for b in batches]


def record(number: int, body: str) -> dict[str, Any]:
    """A message as Lambda hands it over."""
    return {
        "messageId": f"2e1424d4-f796-459a-8184-{number:012d}",
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a" * 6,
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1545082649183",
            "SenderId": "AROAIENQZJOLO23YVJ4VO:chronos-dispatcher",
            "ApproximateFirstReceiveTimestamp": "1545082649185",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:bench",
        "awsRegion": "us-east-1",
    }


def main(count: int) -> dict[str, float]:
    import os

    stub, bodies, now_ms = StubAws(), list[str](), int(time.time() * 1000)
    hold_due_jobs(stub, count)
    for job in jobs(count):
        stub.hold(encode_job(job))
        message = RunMessage(
            job.tenant, job.id, job.schedule_revision, run_id(job.id, NOON), NOON, now_ms - 1000
        )
        bodies.append(message.encode())
    with served(stub) as address:
        os.environ["AWS_ENDPOINT_URL"] = address
        parts = Wiring(SETTINGS)
        spent_by_worker(parts, events(bodies[:WARM_UP], 10))
        return {
            "worker": spent_by_worker(parts, events(bodies, 10)) / count,
            "worker_alone": spent_by_worker(parts, events(bodies[: count // 5], 1)) / (count // 5),
            "dispatch": spent_by_dispatcher(parts, count) / count,
        }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
