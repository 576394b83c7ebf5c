"""What runs cost: the model is held to what the twins count."""

from hashlib import sha256
from typing import Any

import pytest

from bench import cost as bench
from chalicelib.domain.cost import CROWDED, LONELY, Setting, Sizes, Usage, estimated
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import PART_BYTES, Failed, Outcome, StoredOutput, Succeeded
from chalicelib.domain.prices import PRICES
from chalicelib.domain.run import Attempt, Run, RunStatus
from chalicelib.engine.core import EngineSettings
from chalicelib.engine.records import usage_of
from chalicelib.engine.running.work import Worker
from chalicelib.features.jobs.trigger import TriggerBody, trigger
from chalicelib.identity.principal import Principal
from chalicelib.ports.contact import Contact
from chalicelib.ports.run_log import RunLog
from tests.support.counting import CountingWorld
from tests.support.plans import subscribe
from tests.support.world import NOON, TENANT


@pytest.mark.parametrize(
    ("scenario", "most", "why"),
    [
        ("full", 4.0, "what was promised for full batches"),
        ("sparse", 6.7, "alone in a batch: the hold counts ten times, and so does the counter"),
        ("alone", 9.3, "a journal page, a send and a whole hold each"),
    ],
)
def test_a_million_runs_cost_at_most(scenario: bench.Scenario, most: float, why: str) -> None:
    assert sum(bench.million_usd(scenario, PRICES["arm64"]).values()) < most, why


def test_the_steps_add_up_to_what_the_amounts_cost() -> None:
    by_step = bench.million_usd("full", PRICES["arm64"])
    total = sum(bench.steps("full").values(), Usage())
    assert sum(by_step.values()) == pytest.approx(total.total_usd(PRICES["arm64"]) * 1e6)
    assert set(by_step) > {
        "tick_advance",
        "tick_journal",
        "receive",
        "hold",
        "start",
        "finish",
        "delete",
        "log",
    }


def test_five_write_units_a_run_and_a_page_and_a_counter_for_many() -> None:
    meter = bench.counted("full")
    assert meter.total("write_units") / 1000 == pytest.approx(5.1, abs=0.05)
    assert meter.total("read_units") / 1000 == pytest.approx(2.1, abs=0.05)


@pytest.mark.parametrize(("setting", "scenario"), [(CROWDED, "full"), (LONELY, "alone")])
def test_the_estimate_of_a_run_is_what_the_bench_counts(setting: Setting, scenario: bench.Scenario) -> None:
    counted = sum(bench.million_usd(scenario, PRICES["arm64"]).values())
    usage = estimated(setting, Sizes(run=400), seconds=0, memory_mb=bench.memory_of("fast_worker"))
    assert usage.total_usd(PRICES["arm64"]) * 1e6 == pytest.approx(counted, rel=0.02)


def test_a_job_with_many_runs_a_minute_moves_its_timer_once() -> None:
    often = estimated(CROWDED, Sizes(), seconds=0, memory_mb=256, a_tick=60)
    seldom = estimated(CROWDED, Sizes(), seconds=0, memory_mb=256, a_tick=1 / 1440)
    assert seldom.write_units - often.write_units == pytest.approx(2 - 2 / 60)


def subscribed() -> CountingWorld:
    """A world whose tenant's executions are counted."""
    world = CountingWorld()
    subscribe(world.db, "pro")
    return world


def counted(world: CountingWorld) -> Usage:
    """Without what a tick costs with nothing due, and what the test itself looks at."""
    aside = {"tick query timers", "tick put heartbeat of timers", "save query runs"}
    return Usage(
        **{
            unit: sum(
                amount
                for (call, name), amount in world.meter.amounts.items()
                if name == unit and call not in aside
            )
            for unit in ("write_units", "read_units")
        }
    )


def failing_once(_job: object, run: Run) -> Outcome:
    return Failed("unknown", "no") if run.attempt == 1 else Succeeded({})


RETRY = {"strategy": "fixed", "initial_delay_seconds": 1, "jitter": "none"}


@pytest.mark.parametrize(
    ("outcome", "large", "why"),
    [
        (lambda *_: Succeeded({}), 0, "one attempt"),
        (failing_once, 0, "a retry: a transaction with a timer"),
        (lambda *_: Succeeded({"body": "x" * 5_000}), 4, "a large result is written at the end"),
    ],
)
def test_what_a_run_says_that_it_used_is_what_was_counted(outcome: Any, large: int, why: str) -> None:
    world = subscribed()
    world.outcome = outcome
    world.job("1 * * * *", retry=RETRY)
    world.meter.amounts.clear()
    world.advance(130)
    [run] = world.runs()
    used, real = usage_of(run), counted(world)
    assert used.write_units + 1 == pytest.approx(real.write_units, abs=1), f"{why}; the page is its own here"
    assert used.read_units == pytest.approx(real.read_units, abs=1.4), f"{why}; it is not audited yet here"
    assert used.write_units > 5 + large


def test_a_run_that_was_asked_for_says_what_it_used() -> None:
    world = subscribed()
    job = world.job({"kind": "manual"})
    world.engine.plans.of(world.engine, TENANT)  # a process remembers it
    world.meter.amounts.clear()
    principal = Principal(TENANT, "test")
    with world.meter.during("tick"):
        trigger(world.engine, principal.tenant, job.id, TriggerBody(), None)
    world.advance(1)
    [run] = world.runs()
    used, real = usage_of(run), counted(world)
    assert used.write_units == pytest.approx(real.write_units, abs=1)
    assert used.read_units == pytest.approx(real.read_units, abs=1.1)


def lines(log: RunLog) -> None:
    """Some 30 KB, which do not compress well."""
    for number in range(300):
        log.info(sha256(str(number).encode()).hexdigest())


@pytest.mark.parametrize("attempts", [1, 2])
def test_the_lines_of_a_run_are_part_of_what_it_used(attempts: int) -> None:
    world = subscribed()

    def executed(_job: Job, run: Run, _until: float, contact: Contact) -> Outcome:
        lines(contact.log)
        return Succeeded({}) if run.attempt == attempts else Failed("unknown", "no")

    world.worker = Worker(world.engine, "fast", executed, world.pool)
    world.job("1 * * * *", retry=RETRY)
    world.meter.amounts.clear()
    world.advance(130)
    [run] = world.runs()
    assert run.log_units == pytest.approx(attempts * 12, abs=attempts)
    assert usage_of(run).write_units + 1 == pytest.approx(counted(world).write_units, abs=1)


@pytest.mark.parametrize(
    ("sizes", "requests"),
    [((), 0), ((0,), 1), ((PART_BYTES - 1,), 1), ((PART_BYTES,), 3), ((PART_BYTES + 1, 10), 5)],
)
def test_the_files_of_a_run_are_part_of_what_it_used(sizes: tuple[int, ...], requests: int) -> None:
    files = tuple(StoredOutput(f"{size}.csv", size, "00", "text/csv") for size in sizes)
    attempt = Attempt(1, NOON, NOON, "succeeded", outputs=files)
    run = Run(
        "run_1",
        TENANT,
        "job_1",
        RunStatus.SUCCEEDED,
        "schedule",
        NOON,
        NOON,
        1,
        starts=1,
        attempts=(attempt,),
    )
    used, prices = usage_of(run), EngineSettings(plan="enterprise").prices
    assert (used.file_requests, used.file_gb) == (requests, sum(sizes) / 1e9)
    stored = Usage(file_requests=requests, file_gb=sum(sizes) / 1e9).total_usd(prices)
    assert stored == pytest.approx(requests * 5e-6 + sum(sizes) / 1e9 * 0.023 * 91 / 30)
    assert used.total_usd(prices) > stored


def test_a_run_that_was_skipped_cost_its_record() -> None:
    run = Run("run_1", TENANT, "job_1", RunStatus.SKIPPED, "schedule", NOON, NOON, 1)
    assert usage_of(run) == Usage(write_units=2)
