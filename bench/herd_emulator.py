"""The herd on the packaged app in the emulator: 1,000 jobs due at one second, on this machine's processors.

All of AWS is one process here, beside the workers' own: what it shows is that all of them run, and in which order of
time, not what Lambda would do.
"""

import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.idle import store
from bench.jobs import jobs
from bench.stub import adapted
from chalicelib.aws.clock import SystemClock
from chalicelib.domain.job import Job
from chalicelib.domain.run import Run, RunStatus
from chalicelib.domain.schedule import SCHEDULE
from chalicelib.engine.core import Engine
from chalicelib.engine.records import decode_run, run_partitions
from infra import package
from infra.bundle import local_architecture
from infra.local import process, stack
from tests.support.aws import emulated

COUNT, AHEAD_SECONDS, PATIENCE_SECONDS, WORKERS = 1000, 150, 240, 12


def figures() -> Iterable[tuple[str, float, str]]:
    package.package(stack.STAGE, local_architecture(), stack.PACKAGED)
    with tempfile.TemporaryDirectory() as folder:
        emulator = process.start(process.free_port(), Path(folder))
        try:
            deployed = stack.deploy(emulator.url, stack.PACKAGED)
            stack.warm(emulator.url, WORKERS)
            late = sorted(_lateness(_engine(deployed)))
        finally:
            emulator.stop()
    yield "herd_emulator_late_s_p50", late[len(late) // 2], "s"
    yield "herd_emulator_late_s_p99", late[len(late) * 99 // 100], "s"
    yield "herd_emulator_late_s_last", late[-1], "s"
    yield "herd_emulator_runs", len(late), "runs"


def _engine(deployed: stack.Deployed) -> Engine:
    outputs = deployed.outputs
    tables = {name: outputs[f"Chronos{name.title()}Table"] for name in ("catalog", "timers", "runs", "audit")}
    dynamodb, sqs = emulated("dynamodb", deployed.aws), emulated("sqs", deployed.aws)
    return adapted(dynamodb, sqs, tables, outputs["FastQueueUrl"], SystemClock())


def _lateness(engine: Engine) -> list[float]:
    """Seconds from the moment to each run's start."""
    now_ms = engine.clock.now_ms()
    at_ms = (now_ms // 1000 + AHEAD_SECONDS) * 1000
    store(engine, _herd(now_ms, at_ms), now_ms)
    end_ms = at_ms + PATIENCE_SECONDS * 1000
    while engine.clock.now_ms() < end_ms:
        time.sleep(5)  # noqa: TID251 - a benchmark waits for the real thing
        runs = _runs(engine) if engine.clock.now_ms() > at_ms else []
        if sum(run.status is RunStatus.SUCCEEDED for run in runs) == COUNT:
            return [(run.drift_ms or 0) / 1000 for run in runs]
    raise TimeoutError(f"only {len(runs)} of {COUNT} jobs ran")


def _herd(now_ms: int, at_ms: int) -> Sequence[Job]:
    once = SCHEDULE.validate_python(
        {"kind": "once", "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at_ms // 1000))}
    )
    changes = {"schedule": once, "created_ms": now_ms, "updated_ms": now_ms}
    return [job.model_copy(update=changes) for job in jobs(COUNT)]


def _runs(engine: Engine) -> list[Run]:
    pages = (engine.db.runs.query(pk, limit=COUNT).items for pk in run_partitions("local"))
    return [decode_run(item) for page in pages for item in page]
