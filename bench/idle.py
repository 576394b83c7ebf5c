"""A tick of 1,000 due jobs beside 1,000, 10,000 and 100,000 idle ones, over the twin and the emulator.

An idle job is one that is not due before the horizon. It lies in the tables with its timer, as any other.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.jobs import NOON, jobs
from bench.stub import adapted
from chalicelib.domain.job import Job
from chalicelib.engine.core import Engine
from chalicelib.engine.records import encode_job
from chalicelib.engine.tick import tick
from chalicelib.engine.wheel.arm import first_timer
from chalicelib.engine.wheel.timers import encode_timer
from chalicelib.ports.table import Item
from infra.local import process
from tests.support.aws import create_queues, create_tables, emulated
from tests.support.faults import FaultyWorld, Mode
from tests.support.memory import FakeClock

DUE, ROUNDS = 1000, 3
IDLE = (1_000, 10_000, 100_000)
HOUR = 3_600_000


def figures() -> Iterable[tuple[str, float, str]]:
    due, idle = jobs(DUE), jobs(max(IDLE), first=DUE)
    for count in IDLE:
        yield f"idle_{count}_port_calls_per_1000", _over_the_twin(due, idle[:count]), "calls"
    with tempfile.TemporaryDirectory() as folder:
        emulator = process.start(process.free_port(), Path(folder), auth=False)
        try:
            yield from _over_the_emulator(emulator.url, due, idle)
        finally:
            emulator.stop()


def store(engine: Engine, stored: Sequence[Job], now_ms: int) -> None:
    """Jobs with their first timers after `now_ms`."""
    engine.db.catalog.put_all(map(encode_job, stored))
    engine.db.timers.put_all(_timers(stored, now_ms))


def _over_the_twin(due: Sequence[Job], idle: Sequence[Job]) -> int:
    world = FaultyWorld()
    store(world.engine, due, NOON)
    store(world.engine, idle, NOON + HOUR)
    world.faults.arm(Mode.BEFORE, 0)
    _tick(world.engine)
    return len(world.faults.calls)


def _tick(engine: Engine) -> None:
    """One dispatcher with all the shards."""
    if tick(engine, range(64), group=0, deadline=engine.clock.monotonic() + 600) != DUE:
        raise ValueError("the tick did not dispatch what is due")


def _over_the_emulator(url: str, due: Sequence[Job], idle: Sequence[Job]) -> Iterable[tuple[str, float, str]]:
    dynamodb, sqs, calls = emulated("dynamodb", url), emulated("sqs", url), Counter[str]()

    def count_call(model: Any, **_: Any) -> None:
        calls[model.name] += 1

    tables = create_tables(dynamodb)
    queue = create_queues(sqs)["FastQueue"]
    engine = adapted(dynamodb, sqs, tables, queue, FakeClock(NOON), width=1)  # the emulator is one process
    for client in (dynamodb, sqs):
        client.meta.events.register("before-call", count_call)
    stored = 0
    for count in IDLE:
        store(engine, idle[stored:count], NOON + HOUR)
        stored, spent = count, []
        for _ in range(ROUNDS):
            store(engine, due, NOON)
            calls.clear()
            began = time.process_time()
            _tick(engine)
            spent.append((time.process_time() - began) * 1000)
            _forget_following(engine, due)
        yield f"idle_{count}_calls_per_1000", sum(calls.values()), "calls"
        yield f"idle_{count}_cpu_ms_per_1000", min(spent), "ms"


def _timers(stored: Sequence[Job], now_ms: int) -> list[Item]:
    timers = (first_timer(job, now_ms) for job in stored)
    return [encode_timer(timer) for timer in timers if timer is not None]


def _forget_following(engine: Engine, due: Sequence[Job]) -> None:
    """The timers of an hour later, so that each round begins alike."""
    keys = ((str(item["pk"]), str(item["sk"])) for item in _timers(due, NOON + HOUR))
    engine.db.timers.delete_all(keys)
