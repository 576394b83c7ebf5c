"""Pauses, failures in a row and idempotency keys, with a fault at any call, in any way: nothing is lost or doubled."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job, JobDefinition
from chalicelib.domain.outcome import Failed
from chalicelib.domain.pause import is_paused, paused
from chalicelib.domain.run import RunStatus
from chalicelib.engine.ledger.streak import streak_key
from chalicelib.engine.records import decode_job, job_key
from chalicelib.features.idempotency import IdempotencyKey
from chalicelib.features.jobs import service as jobs
from chalicelib.features.jobs.trigger import trigger
from tests.support.faults import FaultyWorld, Mode
from tests.support.world import NOON, TENANT

MINUTE = 60_000
KEY = IdempotencyKey("route", "key", "fingerprint")


@dataclass(frozen=True)
class Flow:
    """What is done under the fault, after `prepare` and with what that returned, and what must be so in the end.

    A client that was told that Chronos is away asks again.
    """

    prepare: Callable[[FaultyWorld], Any]
    act: Callable[[FaultyWorld, Any], object]
    minutes: float
    holds: Callable[[FaultyWorld, Any], bool]


def a_dispatched_job(world: FaultyWorld) -> Job:
    job = world.job("0 * * * *")
    world.clock.ms = NOON + 59 * MINUTE
    world.tick()
    return job


def pause_for_a_minute(world: FaultyWorld, job: Job) -> Job:
    fields = {"paused_until_ms": NOON + 60 * MINUTE + 30_000}
    return jobs.change(
        world.engine,
        TENANT,
        job.id,
        None,
        lambda found, now_ms: paused(found, now_ms, fields),  # type: ignore[arg-type]
    )


def ran_when_the_pause_was_over(world: FaultyWorld, _job: Job) -> bool:
    return [moment for _, moment in world.executed] == [NOON + 60 * MINUTE + 30_000]


def on_the_brink(world: FaultyWorld) -> Job:
    """Two failures have been seen, and the third is due."""
    world.outcome = lambda _job, _run: Failed("http_4xx", "answered 404", status=404)
    job = world.job("* * * * *", pause_after_failures=3)
    world.advance(150)
    world.clock.ms = NOON + 3 * MINUTE
    return job


def paused_with_each_failure_counted_once(world: FaultyWorld, job: Job) -> bool:
    item, counted = (
        world.db.catalog.get(job_key(TENANT, job.id)),
        world.db.runs.get(streak_key(TENANT, job.id)),
    )
    assert item
    assert counted
    stored, failed = decode_job(item), [run for run in world.runs() if run.status is RunStatus.FAILED]
    is_resting = is_paused(stored, world.clock.now_ms()) and stored.pause_cause == "failures"
    return is_resting and 3 <= len(failed) == counted["failures"] <= 5


def create(world: FaultyWorld, _: Any) -> Job:
    definition = JobDefinition.model_validate({"name": "created", "type": "dummy"})
    return jobs.create(world.engine, TENANT, definition, KEY)


FLOWS = {
    "a pause that ends soon": Flow(a_dispatched_job, pause_for_a_minute, 3, ran_when_the_pause_was_over),
    "the last failure of a row": Flow(
        on_the_brink, lambda world, _: world.deliver(), 10, paused_with_each_failure_counted_once
    ),
    "a trigger with a key": Flow(
        lambda world: world.job({"kind": "manual"}),
        lambda world, job: trigger(world.engine, TENANT, job.id, key=KEY),
        3,
        lambda world, _: len(world.executed) == len(world.runs()) == 1,
    ),
    "a new job with a key": Flow(
        lambda _: None, create, 0, lambda world, _: [sk for _, sk in world.db.catalog.items].count("job") == 1
    ),
}


def carried_out(flow: Flow, mode: Mode, at_call: int) -> tuple[FaultyWorld, Any]:
    world = FaultyWorld()
    prepared = flow.prepare(world)
    world.faults.arm(mode, at_call)
    refused = False
    try:
        flow.act(world, prepared)
    except Unavailable:
        refused = True
    world.faults.heal()
    if refused:
        with suppress(Unavailable):
            flow.act(world, prepared)
    world.advance(flow.minutes * 60)
    return world, prepared


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", FLOWS)
def test_after_a_fault_at_any_call_it_has_been_done_once(name: str, mode: Mode) -> None:
    flow = FLOWS[name]
    world, prepared = carried_out(flow, mode, 0)
    assert flow.holds(world, prepared)
    calls = world.faults.calls
    assert len(calls) > 1
    for number, call in enumerate(calls, 1):
        world, prepared = carried_out(flow, mode, number)
        assert world.faults.struck
        assert flow.holds(world, prepared), f"call {number} of {calls}: {call}: {mode.value}"
