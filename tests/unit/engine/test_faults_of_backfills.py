"""Each call of the ports fails once, in each way, while a backfill is at work: afterwards all of it is done, once."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.ids import run_id
from chalicelib.domain.job import Job
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.backfills import read_backfill
from chalicelib.engine.records import encode_run
from chalicelib.features.backfills import service
from chalicelib.features.backfills.views import BackfillRequest
from chalicelib.identity.principal import Principal
from chalicelib.ports.table import Put
from tests.support.faults import FaultyWorld, Mode
from tests.support.world import NOON, TENANT

HOUR = 3_600_000
MORNING = [NOON - hours * HOUR for hours in (4, 3, 2, 1)]
REQUEST = {"start": "2027-01-15T08:00:00Z", "end": "2027-01-15T12:00:00Z", "max_active": 2}


def prepared(world: FaultyWorld) -> Job:
    """An hourly job, whose occurrence at 09:00 has failed, and lies among the dead letters."""
    job = world.job("0 * * * *")
    at_ms = MORNING[1]
    dead = Run(
        run_id(job.id, at_ms), TENANT, job.id, RunStatus.FAILED, "schedule", at_ms, at_ms, 1, dead=True
    )
    world.db.runs.write(Put(encode_run(dead, expires_at=0)))
    return job


def begin(world: FaultyWorld, job: Job) -> str:
    principal = Principal(TENANT, "somebody")
    asked = service.asked(world.engine, principal, job.id, BackfillRequest.model_validate(REQUEST))
    return service.begun(world.engine, asked).id


def lose_all(world: FaultyWorld) -> None:
    """The messages vanish, and it is time to look for them."""
    world.queue.sent.clear()
    world.clock.ms += 150_000


def cancel(world: FaultyWorld, identifier: str) -> None:
    service.cancel(world.engine, TENANT, identifier)


FLOWS: dict[str, tuple[Callable[[FaultyWorld], Any], Callable[[FaultyWorld, str], Any]]] = {
    "a worker ends its runs": (lambda world: None, lambda world, _: world.deliver()),
    "the dispatcher looks after it": (lose_all, lambda world, _: world.tick()),
    "cancel": (lambda world: None, cancel),
}


def carried_out(name: str, mode: Mode, at_call: int) -> tuple[FaultyWorld, str, set[tuple[str, int]]]:
    prepare, act = FLOWS[name]
    world = FaultyWorld()
    identifier = begin(world, prepared(world))
    prepare(world)
    world.faults.arm(mode, at_call)
    refused = False
    try:
        act(world, identifier)
    except Unavailable:
        refused = True
    world.faults.heal()
    unrecorded = world.unrecorded()
    if refused:
        act(world, identifier)
    world.advance(900)
    return world, identifier, unrecorded


def assert_done_once(
    world: FaultyWorld, identifier: str, expected: int, repeatable: set[tuple[str, int]]
) -> None:
    done = [run for run in world.runs() if run.backfill == identifier]
    assert sorted(run.nominal_ms for run in done) == MORNING[:expected]
    assert {run.status for run in done} == {RunStatus.SUCCEEDED}
    counts = Counter((run.id, run.attempt) for run, _ in world.executed)
    assert {attempt for attempt, count in counts.items() if count > 1} <= repeatable
    backfill = read_backfill(world.engine, TENANT, identifier)
    assert backfill
    assert (backfill.is_over, backfill.claimed, dict(backfill.ended)) == (
        True,
        expected,
        {"SUCCEEDED": expected},
    )
    assert len(world.timers()) == 1, "only the job's own timer stays"


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", FLOWS)
def test_after_a_fault_at_any_call_a_backfill_is_done_once(name: str, mode: Mode) -> None:
    expected = 2 if name == "cancel" else 4
    world, identifier, _ = carried_out(name, mode, 0)
    assert_done_once(world, identifier, expected, set())
    calls = world.faults.calls
    assert calls, "the flow uses the ports"
    for number, call in enumerate(calls, 1):
        world, identifier, unrecorded = carried_out(name, mode, number)
        try:
            assert_done_once(world, identifier, expected, unrecorded if mode is Mode.OUTAGE else set())
        except AssertionError as error:
            error.add_note(f"{name}: call {number} of {calls}: {call}: {mode.value}")
            raise


@pytest.mark.parametrize("mode", Mode)
def test_after_a_fault_at_any_call_a_backfill_was_begun_in_full_or_not_at_all(mode: Mode) -> None:
    number, calls = 0, [""]
    while number <= len(calls):
        world = FaultyWorld()
        job = prepared(world)
        world.faults.arm(mode, number)
        refused = True
        with suppress(Unavailable):
            begin(world, job)
            refused = False
        calls = calls if number else world.faults.calls
        world.faults.heal()
        world.advance(900)
        found, _ = service.listed(world.engine, TENANT, job.id, limit=10, after=None)
        assert len(found) == 1 or (refused and not found), (number, calls)
        for backfill in found:
            assert_done_once(world, backfill.id, 4, set())
        number += 1
