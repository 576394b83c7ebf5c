"""Progress: what an attempt reports rides on its heartbeats and its end, and a new attempt begins without any."""

from collections.abc import Callable

import pytest

from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.progress import Progress, reported
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.flow.admission import Admission
from chalicelib.engine.records import decode_run, encode_run
from chalicelib.engine.running.heartbeat import Active, beat
from chalicelib.engine.running.work import Worker
from chalicelib.features.jobs.trigger import trigger
from chalicelib.ports.contact import Contact
from tests.support.world import NOON, TENANT, World

HALF = Progress(50, NOON, "half of it", {"rows": 12})


def test_a_report_is_kept_within_its_bounds() -> None:
    assert reported(-3, 1) == Progress(0, 1)
    assert reported(33.333, 1, "x" * 201) == Progress(33.3, 1, "x" * 200)
    assert reported(250, 1, "") == Progress(100, 1, "")


def test_progress_survives_storage() -> None:
    run = Run("run_1", TENANT, "job_1", RunStatus.RUNNING, "schedule", NOON, NOON, 1, progress=HALF)
    stored = encode_run(run, expires_at=1)
    assert decode_run(stored).progress == HALF


def working(world: World, execute: Callable[[Run, Contact], Outcome], **fields: object) -> Run:
    """A triggered run, worked off by this executor."""

    def executed(_job: Job, run: Run, _until: float, contact: Contact) -> Outcome:
        return execute(run, contact)

    world.worker = Worker(world.engine, "fast", executed, world.pool)
    run = trigger(world.engine, TENANT, world.job({"kind": "manual"}, **fields).id)
    world.advance(1)
    return world.run(run.id)


def test_the_last_report_is_stored_with_the_end() -> None:
    def execute(_run: Run, contact: Contact) -> Outcome:
        contact.report(Progress(10, NOON))
        contact.report(HALF)
        return Succeeded({})

    assert working(World(), execute).progress == HALF


def test_a_run_that_reports_nothing_has_none() -> None:
    assert working(World(), lambda _run, _contact: Succeeded({})).progress is None


def test_a_heartbeat_stores_what_was_reported_until_then() -> None:
    world = World()

    def execute(run: Run, contact: Contact) -> Outcome:
        active = Active(the_job, run, 0, contact)
        beat(world.engine, Admission(world.engine), active)
        assert world.run(run.id).progress is None
        contact.report(HALF)
        beat(world.engine, Admission(world.engine), active)
        assert world.run(run.id).progress == HALF
        return Succeeded({})

    the_job = world.job({"kind": "manual"})
    assert working(world, execute).status == "SUCCEEDED"


@pytest.mark.parametrize("policy", ["allow", "queue"])
def test_another_attempt_begins_without_the_progress_of_the_one_before(policy: str) -> None:
    world, seen = World(), []

    def execute(run: Run, contact: Contact) -> Outcome:
        seen.append((run.progress, world.run(run.id).progress))
        contact.report(HALF)
        return Failed("connection", "") if run.attempt == 1 else Succeeded({})

    retry = {"strategy": "fixed", "initial_delay_seconds": 20, "jitter": "none"}
    run = working(world, execute, retry=retry, concurrency={"policy": policy})
    assert (run.status, run.progress) == ("RETRYING", HALF), "between attempts the last one is shown"
    world.advance(30)
    assert seen == [(None, None)] * 2
