"""A tick over many timers: in rounds, the present first, several chunks at once, and an end to everything."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.aws.fan import ThreadedFan
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.ids import run_id
from chalicelib.domain.job import Job
from chalicelib.engine.audit.pulse import pulse_key
from chalicelib.engine.message import RunMessage, decode
from chalicelib.engine.ringing.due import BACKLOG_MS, PAGE, urgent_first
from chalicelib.engine.ringing.journal import PARTITIONS
from chalicelib.engine.tick import CHUNK, tick
from chalicelib.engine.wheel.timers import RunTimer, encode_timer, partition
from chalicelib.ports.table import Page, Put
from tests.support.faults import FaultyWorld, Mode
from tests.support.memory import MemoryTable
from tests.support.world import NOON, TENANT, World

MINUTE = 60_000
MANUAL = {"kind": "manual"}


def run_timer(job: Job, due_ms: int, key: str = "") -> RunTimer:
    message = RunMessage(
        TENANT, job.id, job.schedule_revision, run_id(job.id, due_ms, key), due_ms, due_ms, 1, "manual"
    )
    return RunTimer(job.shard, message)


def hold(world: World, job: Job, first_ms: int, count: int) -> None:
    """So many runs of the job wait for their moments, a millisecond apart."""
    for number in range(count):
        world.db.timers.write(Put(encode_timer(run_timer(job, first_ms + number))))


def rung(world: World) -> list[int]:
    """The moments of what was rung, in the order of the sends."""
    return [decode(body).due_ms for _, body in world.queue.sent]


def test_a_shard_that_holds_several_pages_is_dispatched_in_one_tick() -> None:
    world = World(shards=1)
    hold(world, world.job(MANUAL), NOON + 1000, 2 * PAGE + 500)
    assert world.tick() == 2 * PAGE + 500
    assert sorted(rung(world)) == list(range(NOON + 1000, NOON + 1000 + 2 * PAGE + 500))
    assert world.timers() == []


def test_a_backlog_of_several_pages_does_not_delay_the_present() -> None:
    world = World(shards=1)
    job = world.job(MANUAL)
    hold(world, job, NOON - BACKLOG_MS - 2 * PAGE, 2 * PAGE)
    hold(world, job, NOON + 30_000, CHUNK)
    assert world.tick() == 2 * PAGE + CHUNK
    moments = rung(world)
    assert moments[:CHUNK] == list(range(NOON + 30_000, NOON + 30_000 + CHUNK))
    assert moments[CHUNK] == NOON - BACKLOG_MS - 1, "then the backlog, its newest first"


def test_the_present_comes_in_order_and_the_backlog_backwards() -> None:
    job = World().job(MANUAL)
    moments = [NOON + 5, NOON - BACKLOG_MS, NOON - BACKLOG_MS - 1, NOON - 1, NOON - 10 * MINUTE]
    ordered = urgent_first([run_timer(job, moment) for moment in moments], NOON)
    assert [timer.due_ms for timer in ordered] == [
        NOON - BACKLOG_MS,
        NOON - 1,
        NOON + 5,
        NOON - BACKLOG_MS - 1,
        NOON - 10 * MINUTE,
    ]


def test_pages_of_timers_that_have_to_stay_do_not_keep_a_tick_going() -> None:
    world = World(shards=1)
    job = world.job(MANUAL)
    hold(world, job, NOON + 1000, PAGE + 1)
    world.db.catalog.items[f"{TENANT}#{job.id}", "job"]["doc"] = "{}"
    queries = Counter[str]()

    class Watched(MemoryTable):
        def query(self, pk: str, **more: Any) -> Page:
            queries[pk] += 1
            return super().query(pk, **more)

    timers = Watched()
    timers.items = world.db.timers.items
    world.db.timers = timers
    world.tick()
    left = [pk for pk, _ in timers.items if pk == partition(0)]
    assert len(left) == PAGE + 1, "a job that cannot be read keeps its timers"
    assert queries[partition(0)] <= 6, "two reads a round, until a round brings nothing new"


def test_a_tick_without_time_left_says_so_and_the_next_one_goes_on() -> None:
    world = World(shards=1)
    hold(world, world.job(MANUAL), NOON + 1000, CHUNK + 1)
    late = world.clock.monotonic()
    assert tick(world.engine, [0], group=0, deadline=late) == 0
    assert world.telemetry.lines[-1][1] == "A tick ran out of time; the next one goes on."
    assert world.tick() == CHUNK + 1
    assert len(world.telemetry.lines) == 1, "there is nothing more to say"


def test_a_chunk_that_fails_leaves_its_timers_and_stops_no_other() -> None:
    world = FaultyWorld()
    job = world.job(MANUAL)
    hold(world, job, NOON + 1000, 2 * CHUNK)
    shards = range(world.engine.settings.shards)
    world.faults.arm(Mode.BEFORE, len(shards) + 3)
    with pytest.raises(Unavailable, match="1 parts"):
        tick(world.engine, shards, group=0, deadline=world.clock.monotonic() + 50)
    assert world.faults.calls[len(shards) + 2] == "send", "the call that failed"
    assert len(world.queue.sent) == CHUNK
    assert len(world.timers()) == CHUNK
    assert world.db.timers.get(pulse_key(0)) is None


def test_a_tick_in_threads_does_what_a_tick_one_by_one_does() -> None:
    sent = []
    for fan in (None, ThreadedFan(8)):
        world = World(shards=4)
        if fan:
            world.engine = replace(world.engine, fan=fan)
        for number in range(40):
            job = world.job(
                {"kind": "interval", "every": 7, "anchor": "2027-01-15T12:00:00Z"}, name=str(number)
            )
            hold(world, job, NOON + 1000 + 100 * number, 100)
        assert world.tick() == 40 * 101
        sent.append(sorted(world.queue.sent))
        assert {timer.due_ms for timer in world.timers()} == {NOON + 126_000}
    assert sent[0] == sent[1]


@pytest.mark.parametrize("idle", [0, 1_000, 10_000])
def test_what_a_tick_asks_for_does_not_depend_on_what_is_idle(idle: int) -> None:
    world = FaultyWorld()
    job = world.job(MANUAL)
    for number in range(idle):
        shard = number % world.engine.settings.shards
        timer = run_timer(job.model_copy(update={"shard": shard}), NOON + 10 * MINUTE, str(number))
        world.db.timers.write(Put(encode_timer(timer)))
    hold(world, job, NOON + 1000, CHUNK)
    world.faults.arm(Mode.BEFORE, 0)
    assert world.tick() == CHUNK
    assert Counter(world.faults.calls) == {
        "timers.query": 4 + 1 + PARTITIONS,  # the shards, the pulses, and what the auditor looks at
        "catalog.get_many": 1,
        "timers.put_all": 3,
        "send": 7,  # one for each phase of the second in which something is due
        "timers.delete_all": 1,
    }
