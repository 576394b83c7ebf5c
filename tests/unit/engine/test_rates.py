"""Rates at work, over the twins: a herd is spread without polling, and whoever dies costs a moment at most."""

from collections import Counter
from typing import Any

import pytest

from chalicelib.domain.job import Job
from chalicelib.domain.limits import Rate
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.flow.gates import Gate
from chalicelib.engine.flow.rates import Rates
from chalicelib.engine.message import Delivery
from chalicelib.features.jobs.trigger import trigger
from chalicelib.features.runs import service as runs
from tests.support.limited import at, limit, starts
from tests.support.world import NOON, TENANT, World

TEN_A_SECOND = {"limit": 10}


def test_a_herd_is_spread_over_its_rate_and_each_run_takes_two_deliveries_at_most() -> None:
    world = World()
    limit(world.db, tenant={"rate": TEN_A_SECOND})
    for _ in range(600):
        world.job(at(60))
    deliveries = Counter[str]()
    work = world.worker.work

    def counted(batch: Any, *, deadline: float) -> list[str]:
        deliveries.update(world.run_of(each.body) for each in batch)
        return work(batch, deadline=deadline)

    world.worker.work = counted  # type: ignore[method-assign]
    world.advance(300)
    assert starts(world) == [60_000 + 100 * number for number in range(600)]
    assert {run.status for run in world.runs()} == {RunStatus.SUCCEEDED}
    assert max(deliveries.values()) <= 2


def test_runs_of_one_job_keep_its_rate_and_those_of_others_do_not_care() -> None:
    world = World()
    for _ in range(3):
        world.job(at(10))
    job = world.job({"kind": "manual"}, rate={"limit": 1, "per_seconds": 2})
    for _ in range(4):
        trigger(world.engine, TENANT, job.id)
    world.advance(30)
    assert starts(world) == [0, 2000, 4000, 6000, 10_000, 10_000, 10_000]


def test_later_attempts_need_a_moment_of_their_own() -> None:
    world = World()
    retry = {"strategy": "fixed", "initial_delay_seconds": 1, "jitter": "none", "max_attempts": 3}
    job = world.job({"kind": "manual"}, rate={"limit": 1, "per_seconds": 10}, retry=retry)
    world.outcome = lambda _job, _run: Failed("connection", "refused")
    trigger(world.engine, TENANT, job.id)
    world.advance(60)
    assert starts(world) == [0, 10_000, 20_000]


def test_what_is_put_off_is_on_record_and_can_be_cancelled() -> None:
    world = World()
    world.job(at(1), rate={"limit": 1, "per_seconds": 600}, name="first")
    job = world.job({"kind": "interval", "every": 1, "max_runs": 3}, rate={"limit": 1, "per_seconds": 600})
    world.advance(5)
    waiting = [run for run in world.runs() if run.status is RunStatus.PENDING]
    assert [(run.due_ms - NOON, run.retry_ms) for run in waiting] == [
        (2000, NOON + 601_000),
        (3000, NOON + 1_201_000),
    ]
    runs.cancel(world.engine, TENANT, waiting[0].id)
    world.advance(1300)
    assert [run.status.value for run in world.runs() if run.job_id == job.id] == [
        "SUCCEEDED",
        "CANCELLED",
        "SUCCEEDED",
    ]
    assert starts(world) == [1000, 1000, 1_201_000]


def test_the_start_deadline_holds_for_what_a_rate_puts_off() -> None:
    world = World()
    world.job(
        {"kind": "interval", "every": 1, "max_runs": 4},
        rate={"limit": 1, "per_seconds": 10},
        start_deadline_seconds=15,
    )
    world.advance(60)
    assert [run.skip_reason for run in world.runs()] == [None, None, "start_deadline", "start_deadline"]


def test_several_rates_are_passed_one_after_the_other_and_the_narrowest_target_is_kept() -> None:
    world = World()
    object.__setattr__(world.engine, "target_of", lambda job, _run: job.config["target"])
    limit(
        world.db,
        tenant={"rate": {"limit": 4}},
        targets={"slow": {"rate": {"limit": 1}}, "fast": {"rate": {"limit": 100}}},
    )
    for number in range(8):
        world.job(at(10), config={"target": "slow" if number % 2 else "fast"})
    world.advance(60)
    slow = [moment - NOON for run, moment in world.executed if _target(world, run) == "slow"]
    assert sorted(slow) == [10_250, 11_250, 12_250, 13_250]
    assert starts(world)[:3] == [10_000, 10_250, 10_500]
    assert all(
        second - first >= 250 for first, second in zip(starts(world)[:-1], starts(world)[1:], strict=True)
    )


def _target(world: World, run: Run) -> Any:
    return world.stored_job(run.job_id).config["target"]


def test_another_limit_holds_when_workers_have_forgotten_the_one_before() -> None:
    world = World()
    limit(world.db, tenant={"rate": {"limit": 1, "per_seconds": 5}})
    for _ in range(2):
        world.job(at(1))
    world.advance(3)
    limit(world.db)
    for _ in range(3):
        world.job(at(30))
    world.advance(60)
    assert starts(world) == [1000, 6000, 30_000, 30_000, 30_000]


def test_a_worker_that_dies_with_its_moment_costs_that_moment_and_nothing_else() -> None:
    class Killed(BaseException):
        pass

    world = World()
    job = world.job({"kind": "manual"}, rate={"limit": 1, "per_seconds": 10}, timeout_seconds=1)

    def die_once(_job: Job, run: Run) -> Outcome:
        if run.starts == 1:
            raise Killed
        return Succeeded({})

    world.outcome = die_once
    trigger(world.engine, TENANT, job.id)
    (body,) = world.queue.take_visible()
    with pytest.raises(Killed):
        world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 85)
    world.queue.sent.append((NOON + 100_000, body))
    world.advance(200)
    (run,) = world.runs()
    assert (run.status, run.starts) == (RunStatus.SUCCEEDED, 2)


@pytest.mark.parametrize("counts", [[1, 1, 1, 1], [4], [3, 1]])
def test_a_batch_gets_its_moments_by_one_write_and_two_where_the_gate_was_not_as_it_was_known(
    counts: list[int],
) -> None:
    world, gate = World(), Gate(TENANT, "tenant", rate=Rate(limit=2))
    rates, strangers = Rates(world.engine), Rates(world.engine)
    moments = [moment for count in counts for moment in rates.reserve(gate, count, NOON)]
    moments += strangers.reserve(gate, 1, NOON)
    assert [moment - NOON for moment in moments] == [0, 500, 1000, 1500, 2000]
    world.clock.ms += 60_000
    assert rates.reserve(gate, 1, NOON + 60_000) == [NOON + 60_000]
    assert strangers.reserve(gate, 1, NOON + 60_000) == [NOON + 60_500]
    world.db.runs.items.clear()
    assert rates.reserve(gate, 1, NOON + 60_000) == [NOON + 60_000], "forgotten gates begin anew"
