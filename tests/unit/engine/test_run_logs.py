"""What attempts tell is stored beside their records: with heartbeats and ends, at no cost where nothing is told."""

from collections.abc import Callable

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.admission import Admission
from chalicelib.engine.ledger.run_logs import PAGE_BYTES, Place, read_after
from chalicelib.engine.running.heartbeat import Active, beat
from chalicelib.engine.running.telling import METRIC, Telling, store, store_rest
from chalicelib.engine.running.work import Worker
from chalicelib.features.jobs.trigger import trigger
from chalicelib.ports.contact import Contact
from chalicelib.ports.run_log import MAX_LINES, MAX_MESSAGE, RunLog
from chalicelib.ports.table import Item, Write
from tests.support.counting import CountingWorld
from tests.support.memory import MemoryTable
from tests.support.world import NOON, TENANT, World

RETRY = {"max_attempts": 2, "strategy": "fixed", "initial_delay_seconds": 1, "jitter": "none"}
START = Place()
RUN = Run("run_1", TENANT, "job_1", RunStatus.RUNNING, "schedule", NOON, NOON, 1, attempt=1, fence=1)


def working(world: World, execute: Callable[[Run, RunLog], Outcome], **fields: object) -> Run:
    """A triggered run, worked off by this executor."""

    def executed(_job: Job, run: Run, _until: float, contact: Contact) -> Outcome:
        return execute(run, contact.log)

    world.worker = Worker(world.engine, "fast", executed, world.pool)
    run = trigger(world.engine, TENANT, world.job({"kind": "manual"}, **fields).id)
    world.advance(5)
    return world.run(run.id)


def told(engine: Engine, run_id: str = RUN.id, after: Place = START, attempt: int | None = None) -> list[str]:
    return [line.message for _, line in read_after(engine, TENANT, run_id, after, attempt)]


def pages(world: World) -> list[Item]:
    return [item for (pk, _), item in world.db.runs.items.items() if pk.endswith("#log")]


def telling(*messages: str) -> Telling:
    made = Telling(RunLog(lambda: NOON))
    for message in messages:
        made.log.info(message)
    return made


def test_what_an_attempt_told_is_stored_with_its_end_and_expires_with_its_run() -> None:
    world = World()

    def execute(_run: Run, log: RunLog) -> Outcome:
        log.info("begun", rows=1)
        log.error("ended")
        return Succeeded({})

    run = working(world, execute)
    [(place, first), (_, second)] = read_after(world.engine, TENANT, run.id, Place())
    assert (place, first.level, first.message, first.fields) == (
        Place(1, 1, 0, 1),
        "info",
        "begun",
        {"rows": 1},
    )
    assert (second.level, second.message, second.fields) == ("error", "ended", {})
    [page] = pages(world)
    assert page["expires_at"] == world.engine.settings.expires_at(first.at_ms)


def test_each_attempt_has_its_own_lines() -> None:
    world = World()

    def execute(run: Run, log: RunLog) -> Outcome:
        log.info(f"attempt {run.attempt}")
        return Failed("unknown", "no") if run.attempt == 1 else Succeeded({})

    run = working(world, execute, retry=RETRY)
    assert told(world.engine, run.id) == ["attempt 1", "attempt 2"]
    assert told(world.engine, run.id, attempt=2) == ["attempt 2"]
    assert told(world.engine, run.id, after=Place(1, 1, 0, 1)) == ["attempt 2"]
    assert told(world.engine, run.id, after=Place(1, 1, 0, 1), attempt=1) == []


def test_an_attempt_that_tells_nothing_costs_nothing_more() -> None:
    def units(speaks: bool) -> float:
        world = CountingWorld()
        working(world, lambda _run, log: (speaks and log.info("a")) or Succeeded({}))
        return world.meter.total("write_units")

    assert units(speaks=True) == units(speaks=False) + 1


def test_a_heartbeat_stores_what_was_told_until_then() -> None:
    world = World()

    def execute(run: Run, log: RunLog) -> Outcome:
        active = Active(world.stored_job(run.job_id), run, 0, Contact(log))
        log.info("early")
        beat(world.engine, Admission(world.engine), active)
        assert told(world.engine, run.id) == ["early"]
        log.info("late")
        beat(world.engine, Admission(world.engine), active)
        return Succeeded({})

    run = working(world, execute)
    assert told(world.engine, run.id) == ["early", "late"]


def test_a_worker_that_is_not_awaited_any_more_writes_beside_the_one_that_took_over() -> None:
    world = World()
    zombie = Run("run_1", TENANT, "job_1", RunStatus.RUNNING, "schedule", NOON, NOON, 1, attempt=1, fence=2)
    store(world.engine, zombie, telling("of the second start"))
    store(world.engine, RUN, telling("of the first"))
    assert told(world.engine) == ["of the first", "of the second start"]


class Faulty(MemoryTable):
    """Fails at the writes whose numbers are given, before or after they have taken effect."""

    def __init__(self, *, before: set[int] = frozenset(), after: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        super().__init__()
        self.count, self.before, self.after = 0, before, after

    def write(self, write: Write) -> Item:
        self.count += 1
        if self.count in self.before:
            raise Unavailable("DynamoDB did not answer.")
        item = super().write(write)
        if self.count in self.after:
            raise Unavailable("DynamoDB did not answer.")
        return item


@pytest.mark.parametrize(
    "table", [Faulty(before={1}), Faulty(after={1})], ids=["did not take effect", "took effect"]
)
def test_lines_that_could_not_be_stored_are_stored_once_with_the_next(table: Faulty) -> None:
    world = World()
    world.db.runs = table  # type: ignore[assignment]
    lines = telling("a")
    store(world.engine, RUN, lines)
    lines.log.info("b")
    store_rest(world.engine, RUN, lines)
    assert told(world.engine) == ["a", "b"]
    assert [each for _, each, _ in world.telemetry.lines] == ["Lines of a run cannot be stored now."]
    assert world.telemetry.counts == []


def test_last_lines_that_cannot_be_stored_are_lost_and_counted_and_the_run_ends_all_the_same() -> None:
    world = World()

    def execute(_run: Run, log: RunLog) -> Outcome:
        log.info("a")
        log.info("b")
        return Succeeded({})

    write = world.db.runs.write

    def refusing(each: Write) -> Item:
        if "lines" in getattr(each, "item", {}):
            raise Unavailable("DynamoDB did not answer.")
        return write(each)

    world.db.runs.write = refusing  # type: ignore[method-assign]
    assert working(world, execute).status is RunStatus.SUCCEEDED
    assert (METRIC, 2) in world.telemetry.counts
    assert pages(world) == []


def test_a_last_line_says_how_many_are_missing() -> None:
    world = World()

    def execute(_run: Run, log: RunLog) -> Outcome:
        for number in range(MAX_LINES + 3):
            log.info(str(number))
        return Succeeded({})

    lines = told(world.engine, working(world, execute).id)
    assert (len(lines), lines[-1]) == (MAX_LINES + 1, "3 more lines were told than are kept of an attempt.")


def test_many_lines_lie_on_pages_that_fit_into_an_item() -> None:
    world = World()
    lines = telling(*(f"{number:04d}" + "ä" * (MAX_MESSAGE - 4) for number in range(200)))
    store(world.engine, RUN, lines)
    assert len(pages(world)) > 200 * 2 * (MAX_MESSAGE - 4) // PAGE_BYTES
    assert [each[:4] for each in told(world.engine)] == [f"{number:04d}" for number in range(200)]


@pytest.mark.parametrize("place", [0, 1, 7, 49, 50, 120, 199])
def test_reading_goes_on_after_any_line(place: int) -> None:
    world = World()
    lines = telling(*(f"{number:04d}" + "x" * (MAX_MESSAGE - 4) for number in range(200)))
    store(world.engine, RUN, lines)
    every = list(read_after(world.engine, TENANT, RUN.id, Place()))
    assert list(read_after(world.engine, TENANT, RUN.id, every[place][0])) == every[place + 1 :]
