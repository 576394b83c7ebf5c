"""When a port is away: whose work comes again, and that nobody else's waits for it."""

from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed, Succeeded
from chalicelib.domain.run import RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.message import Delivery
from chalicelib.engine.running.work import Worker
from chalicelib.engine.wheel.timers import partition
from chalicelib.entrypoints import dead_letters, dispatcher, worker
from chalicelib.ports.table import Page, TableName, Write
from tests.support.faults import FaultyWorld, Mode
from tests.support.memory import MemoryDatabase, MemoryTable
from tests.support.world import NOON, World

SECOND = 1000
SOON = {"kind": "once", "at": "2027-01-15T12:00:02Z"}


@dataclass
class Parts:
    """What the Lambdas' handlers take from the wiring."""

    engine: Engine
    only: Worker

    def worker(self, _lane: str) -> Worker:
        return self.only


class Context:
    """A Lambda with 88 seconds left."""

    def get_remaining_time_in_millis(self) -> int:
        return 88_000


def event(*bodies: str) -> dict[str, Any]:
    return {"Records": [{"messageId": f"m{number}", "body": body} for number, body in enumerate(bodies)]}


def due(world: World, *names: str) -> list[str]:
    """The messages of as many jobs, at the moment when they are due."""
    for name in names:
        world.job(SOON, name=name)
    world.tick()
    world.clock.ms = NOON + 2 * SECOND
    return world.queue.take_visible()


def test_messages_of_a_batch_that_cannot_start_are_batch_item_failures() -> None:
    world = FaultyWorld()
    bodies = due(world, "a", "b")
    world.faults.arm(Mode.OUTAGE, 1)
    answer = worker.handle(event(*bodies), Context(), "fast", Parts(world.engine, world.worker))  # type: ignore[arg-type]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m1"}]}
    assert world.runs() == []
    assert world.executed == []


def test_results_are_written_down_again_and_again_while_there_is_time() -> None:
    world = FaultyWorld()
    bodies = due(world, "a", "b")

    def go_away_for_a_minute(_job: object, _run: object) -> Succeeded:
        world.faults.arm(Mode.OUTAGE, 1)
        return Succeeded({})

    world.outcome = go_away_for_a_minute
    answer = worker.handle(event(*bodies), Context(), "fast", Parts(world.engine, world.worker))  # type: ignore[arg-type]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m1"}]}
    assert 40 < sum(world.clock.slept) < 86, "it gives up before the Lambda is ended"
    assert {run.status for run in world.runs()} == {RunStatus.RUNNING}


def test_given_up_messages_that_cannot_be_settled_are_batch_item_failures() -> None:
    world = FaultyWorld()
    bodies = due(world, "a", "b")
    world.faults.arm(Mode.BEFORE, 1)
    answer = dead_letters.handle(event(*bodies), Parts(world.engine, world.worker))  # type: ignore[arg-type]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert [run.status for run in world.runs()] == [RunStatus.FAILED]


def test_a_failed_tick_fails_its_lambda_and_is_no_heartbeat() -> None:
    world = FaultyWorld()
    world.job(SOON)
    world.faults.arm(Mode.OUTAGE, 1)
    with pytest.raises(Unavailable):
        dispatcher.handle({}, Context(), Parts(world.engine, world.worker))  # type: ignore[arg-type]
    assert world.db.timers.query("heartbeat").items == []
    assert len(world.timers()) == 1


class OneShardAway(MemoryTable):
    """Answers no query of one partition."""

    away = ""

    def query(self, pk: str, **more: Any) -> Page:
        if pk == self.away:
            raise Unavailable("The partition is throttled.")
        return super().query(pk, **more)


def test_a_shard_that_is_away_does_not_stop_the_others() -> None:
    world = World()
    timers = world.db.timers = OneShardAway()
    jobs = [world.job(SOON) for _ in range(24)]
    assert {job.shard for job in jobs} == {0, 1, 2, 3}
    timers.away = partition(1)
    with pytest.raises(Unavailable, match="throttled"):
        world.tick()
    rung = {job.id for job in jobs for _, body in world.queue.sent if job.id in body}
    assert rung == {job.id for job in jobs if job.shard != 1}
    timers.away = ""
    world.tick()
    assert len(world.queue.sent) == len(jobs)


def test_a_tick_in_an_outage_ends_at_its_deadline() -> None:
    world = World(shards=8)
    asked: list[str] = []

    class Slow(MemoryTable):
        def query(self, pk: str, **_: Any) -> Page:
            asked.append(pk)
            world.clock.sleep(15)
            raise Unavailable("It timed out.")

    world.db.timers = Slow()
    with pytest.raises(Unavailable):
        world.tick()
    assert len(asked) == 4, "a tick has 50 seconds here"


def test_early_messages_that_cannot_be_rung_again_do_not_delay_the_due_ones() -> None:
    world = FaultyWorld()
    world.job({"kind": "once", "at": "2027-01-15T12:01:30Z"}, name="early")
    world.tick()
    ((_, early),) = world.queue.sent
    world.queue.sent = []
    (punctual,) = due(world, "punctual")
    world.faults.arm(Mode.BEFORE, 1)
    deliveries = [Delivery("early", early), Delivery("punctual", punctual)]
    assert world.worker.work(deliveries, deadline=world.clock.monotonic() + 80) == ["early"]
    assert [moment - NOON for _, moment in world.executed] == [2 * SECOND]


def test_a_start_whose_answer_was_lost_goes_on_at_once() -> None:
    world = FaultyWorld()
    world.queue.sent = [(0, body) for body in due(world, "a", "b")]
    world.faults.arm(Mode.AFTER, 2)
    world.deliver()
    assert world.faults.calls[1] == "runs.write_each", "the call that starts both"
    assert [moment - NOON for _, moment in world.executed] == [2 * SECOND] * 2
    assert {run.starts for run in world.runs()} == {1}


def test_a_retry_whose_answer_was_lost_is_rung_as_soon_as_any_other() -> None:
    world = FaultyWorld()
    world.outcome = lambda _job, run: Failed("connection", "refused") if run.attempt == 1 else Succeeded({})
    retry = {"strategy": "fixed", "initial_delay_seconds": 10, "jitter": "none"}
    world.job(SOON, retry=retry)
    world.tick()
    world.clock.ms = NOON + 2 * SECOND
    world.faults.arm(Mode.AFTER, 3)
    world.deliver()
    assert world.faults.calls[2] == "transact", "the call that ends the first attempt"
    world.advance(15)
    assert [moment - NOON for _, moment in world.executed] == [2 * SECOND, 12 * SECOND]


class Breaking(MemoryDatabase):
    """Breaks at every transaction, in a way that nobody expects."""

    def transact(self, *writes: tuple[TableName, Write]) -> None:
        raise RuntimeError("secret")


def test_a_surprise_in_one_run_does_not_cost_the_others_their_records() -> None:
    world = World()
    world.outcome = lambda job, _run: Failed("connection", "x") if job.name == "b" else Succeeded({})
    bodies = due(world, "a", "b", "c")
    broken = Breaking()
    broken.catalog, broken.runs = world.db.catalog, world.db.runs
    object.__setattr__(world.engine, "db", broken)
    deliveries = [Delivery(name, body) for name, body in zip("abc", bodies, strict=True)]
    assert world.worker.work(deliveries, deadline=world.clock.monotonic() + 80) == ["b"]
    assert [run.status for run in world.runs()].count(RunStatus.SUCCEEDED) == 2
    assert "secret" not in str(world.telemetry.lines)


def test_a_job_that_cannot_be_read_does_not_stop_the_rest_of_its_batch() -> None:
    world = World()
    bodies = due(world, "good", "bad")
    (bad,) = (item for item in world.db.catalog.items.values() if '"bad"' in str(item["doc"]))
    bad["doc"] = "{}"
    deliveries = [Delivery(name, body) for name, body in zip(("good", "bad"), bodies, strict=True)]
    assert world.worker.work(deliveries, deadline=world.clock.monotonic() + 80) == ["bad"]
    assert len(world.executed) == 1
    assert world.bury(*bodies) == [], "and when its message was given up, its run has failed"
    assert {run.status for run in world.runs()} == {RunStatus.SUCCEEDED, RunStatus.FAILED}
