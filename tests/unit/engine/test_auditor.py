"""The auditor at work over the twins: what vanished is rung again within five minutes, and nothing else is."""

import json
import zlib
from typing import Any

import pytest

from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.audit.auditor import PAGES
from chalicelib.engine.audit.findings import MOST, Finding, encode_findings
from chalicelib.engine.audit.pulse import decode_pulse, pulse_key
from chalicelib.engine.message import Delivery
from chalicelib.engine.records import run_key
from chalicelib.engine.ringing.journal import journal_partition
from chalicelib.engine.running.work import Worker
from chalicelib.engine.tick import tick
from chalicelib.features.jobs import service as jobs
from chalicelib.features.jobs.trigger import trigger
from chalicelib.ports.table import Put
from tests.support.faults import FaultyWorld, Mode
from tests.support.world import NOON, TENANT, Inline, World

SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
FIVE_MINUTES = 300 * SECOND
ONCE = {"kind": "once", "at": "2027-01-15T12:01:30Z"}
DUE = NOON + 90 * SECOND


class Killed(BaseException):
    """The end of a worker, in the middle of an attempt."""


def vanish(world: World) -> int:
    """Everything on the lanes is gone."""
    gone = len(world.queue.sent) + len(world.long_queue.sent)
    world.queue.sent, world.long_queue.sent = [], []
    return gone


def found(world: World) -> list[tuple[str, str, dict[str, Any]]]:
    """(action, subject, details) of the audit records."""
    items = sorted(world.db.audit.items.values(), key=lambda item: str(item["sk"]))
    return [
        (str(item["action"]), str(item["subject"]), json.loads(str(item["details"])))
        for item in items
        if item["pk"] == f"{TENANT}#audit"
    ]


def causes(world: World) -> list[str]:
    return [details["cause"] for _, _, details in found(world)]


def moments(world: World) -> list[int]:
    return [moment - NOON for _, moment in world.executed]


def test_a_vanished_message_is_rung_again_within_five_minutes_of_its_moment() -> None:
    world = World()
    job = world.job(ONCE)
    world.tick()
    assert vanish(world) == 1
    world.advance(600)
    [(run, moment)] = world.executed
    assert DUE < moment <= DUE + FIVE_MINUTES
    assert world.run(run.id).status is RunStatus.SUCCEEDED
    assert found(world) == [("run.rung_again", run.id, {"job_id": job.id, "cause": "vanished", "look": 1})]
    assert ("findings", 1) in world.telemetry.counts


@pytest.mark.parametrize("ahead", range(0, 121, 15))
def test_wherever_it_lies_within_the_horizon(ahead: int) -> None:
    world = World()
    world.job({"kind": "once", "at": f"2027-01-15T12:{ahead // 60:02}:{ahead % 60:02}.500Z"})
    world.job({"kind": "once", "at": "2027-01-15T12:01:59Z"})
    world.tick()
    vanish(world)
    world.clock.ms += 59_000
    world.advance(600)
    late = [moment - run.due_ms for run, moment in world.executed]
    assert len(late) == 2
    assert max(late) <= FIVE_MINUTES


def test_a_vanished_trigger_is_rung_again_though_it_has_a_record() -> None:
    world = World()
    job = world.job({"kind": "manual"})
    trigger(world.engine, TENANT, job.id)
    vanish(world)
    world.advance(300)
    assert [run.status for run in world.runs()] == [RunStatus.SUCCEEDED]
    assert causes(world) == ["vanished"]


def test_a_vanished_retry_is_rung_again() -> None:
    world = World()
    world.outcome = lambda _job, run: Failed("connection", "refused") if run.attempt == 1 else Succeeded({})
    world.job(ONCE, retry={"strategy": "fixed", "initial_delay_seconds": 10, "jitter": "none"})
    world.tick()
    world.clock.ms = DUE
    world.deliver()
    assert vanish(world) == 1
    world.advance(300)
    assert [(run.attempt, moment <= DUE + FIVE_MINUTES) for run, moment in world.executed] == [
        (1, True),
        (2, True),
    ]


def test_what_vanishes_again_and_again_is_rung_again_at_growing_distances() -> None:
    world = World()
    world.job("30 1 12 15 1 *")
    rings = []
    for minute in range(300):
        world.clock.ms = NOON + minute * MINUTE
        world.tick()
        if vanish(world):
            rings.append(minute)
    assert rings == [0, 4, 9, 18, 35, 68, 133, 262]
    world.advance(8 * 3600)
    assert len(world.executed) == 1


def test_what_has_run_is_never_rung_again() -> None:
    world = World()
    for number in range(5):
        world.job({"kind": "interval", "every": 30 + number})
    world.advance(3600)
    assert len(world.executed) > 500
    assert found(world) == []
    assert {name for name, _ in world.telemetry.counts} == {"dispatchers_alive"}


def test_a_herd_is_read_as_ranges_and_only_what_vanished_of_it_is_rung_again() -> None:
    world = World(shards=16)
    for _ in range(600):
        world.job(ONCE)
    world.tick()
    lost = {body for _, body in world.queue.sent[::100]}
    world.queue.sent = [(at, body) for at, body in world.queue.sent if body not in lost]
    world.advance(600)
    assert len(world.executed) == len({run.id for run, _ in world.executed}) == 600
    assert len(found(world)) == len(lost) == 6


def test_after_hours_without_workers_each_message_was_doubled_a_few_times_only() -> None:
    world = World()
    for number in range(20):
        world.job(f"{number + 10} 1 12 15 1 *")
    for minute in range(6 * 60):
        world.clock.ms = NOON + minute * MINUTE
        world.tick()
    assert len(world.queue.sent) == 20 * 8
    world.deliver()
    assert len(world.executed) == 20
    world.advance(6 * 3600)
    assert len(world.executed) == 20


def test_pages_wait_for_a_dispatcher_that_was_away_for_hours() -> None:
    world = World()
    world.job(ONCE)
    world.tick()
    vanish(world)
    world.clock.ms += 3 * HOUR
    world.tick()
    world.deliver()
    assert len(world.executed) == 1


def test_an_occurrence_of_a_job_that_is_gone_by_then_is_written_down_as_superseded() -> None:
    world = World()
    job = world.job(ONCE)
    world.tick()
    vanish(world)
    jobs.delete(world.engine, TENANT, job.id, None)
    world.advance(400)
    assert [run.skip_reason for run in world.runs()] == ["superseded"]


def test_who_waits_for_a_slot_is_not_rung_by_the_auditor() -> None:
    world = World()
    job = world.job({"kind": "manual"}, concurrency={"policy": "queue", "buffer": 3})
    pk, until_ms = f"{TENANT}#{job.id}#slots", NOON + 1200 * SECOND
    world.db.runs.write(Put({"pk": pk, "sk": "slot#000", "run": "run_other", "until_ms": until_ms}))
    for _ in range(3):
        trigger(world.engine, TENANT, job.id)
    world.advance(1500)
    assert {run.status for run in world.runs()} == {RunStatus.SUCCEEDED}
    assert min(moments(world)) > 1200 * SECOND
    assert found(world) == []


def test_but_it_is_when_the_message_that_looks_again_has_vanished() -> None:
    world = World()
    job = world.job({"kind": "manual"}, concurrency={"policy": "queue", "buffer": 3})
    first, second = (trigger(world.engine, TENANT, job.id) for _ in range(2))
    holder = next(body for _, body in world.queue.sent if first.id in body)
    waiter = next(body for _, body in world.queue.sent if second.id in body)
    vanish(world)

    def put_off(_job: Job, run: Run) -> Outcome:
        if run.id == first.id:
            world.worker.work([Delivery(waiter, waiter)], deadline=world.clock.monotonic() + 80)
            raise Killed
        return Succeeded({})

    world.outcome = put_off
    with pytest.raises(Killed):
        world.worker.work([Delivery(holder, holder)], deadline=world.clock.monotonic() + 80)
    assert world.run(second.id).looked_ms == NOON
    world.clock.ms += 60 * SECOND
    world.tick()
    assert vanish(world) >= 1, "the timer has rung, and its message is gone"
    world.outcome = lambda _job, _run: Succeeded({})
    world.advance(600)
    assert {run.status for run in world.runs()} == {RunStatus.SUCCEEDED}


def test_a_worker_of_the_long_lane_that_died_is_replaced_before_its_message_is_back() -> None:
    world = World()
    long_worker = Worker(world.engine, "long", world._execute, Inline())
    world.job(ONCE, timeout_seconds=600)
    world.tick()
    [(_, body)] = world.long_queue.sent
    vanish(world)
    world.clock.ms = DUE

    def killed(_job: Job, _run: Run) -> Outcome:
        raise Killed

    world.outcome = killed
    with pytest.raises(Killed):
        long_worker.work([Delivery(body, body)], deadline=world.clock.monotonic() + 800)
    world.advance(300)
    assert causes(world) == ["stalled"]
    assert [at - DUE <= FIVE_MINUTES for at, again in world.long_queue.sent if again == body] == [True]


def test_what_somebody_works_on_is_looked_at_again_when_the_lease_is_over() -> None:
    world = World()
    world.job(ONCE, timeout_seconds=600)
    world.tick()
    [(_, body)] = world.long_queue.sent
    vanish(world)
    world.clock.ms = DUE

    def working(_job: Job, run: Run) -> Outcome:
        world.clock.ms += 200 * SECOND
        world.db.runs.items[run_key(TENANT, run.id)]["lease_ms"] = world.clock.now_ms() + MINUTE
        world.tick()
        return Succeeded({})

    world.outcome = working
    long_worker = Worker(world.engine, "long", world._execute, Inline())
    long_worker.work([Delivery(body, body)], deadline=world.clock.monotonic() + 800)
    world.advance(600)
    assert found(world) == []
    assert pages(world) == 2, "the second page is for after the lease"


def pages(world: World) -> int:
    return sum(1 for pk, _ in world.db.timers.items if pk.startswith("journal#"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"messages": b"not compressed"}, "no zlib"),
        ({"messages": "text"}, "no bytes"),
        ({}, "no messages"),
    ],
)
def test_a_page_that_cannot_be_read_is_told_and_skipped(content: dict[str, Any], why: str) -> None:
    world = World()
    world.job(ONCE)
    world.tick()
    vanish(world)
    world.db.timers.write(Put({"pk": journal_partition(0), "sk": f"{NOON + SECOND:015d}#00", **content}))
    world.advance(600)
    assert len(world.executed) == 1, why
    [bad] = [item for item in world.db.audit.items.values() if item["pk"] == "#audit"]
    assert (bad["action"], bad["subject"]) == (
        "page.unreadable",
        f"{journal_partition(0)}/{NOON + SECOND:015d}#00",
    )


def test_a_message_that_cannot_be_read_is_told_and_the_rest_of_its_page_is_looked_at() -> None:
    world = World()
    world.job(ONCE)
    world.tick()
    vanish(world)
    [(key, page)] = [each for each in world.db.timers.items.items() if each[0][0].startswith("journal#")]
    assert isinstance(page["messages"], bytes)
    page["messages"] = zlib.compress(zlib.decompress(page["messages"]) + b'\n["nonsense"]')
    world.advance(600)
    assert len(world.executed) == 1
    told = [item["details"] for item in world.db.audit.items.values() if item["pk"] == "#audit"]
    assert told == ['{"messages":1}'], key


@pytest.mark.parametrize("broken", [{"status": "LOST"}, {"status": "RUNNING", "attempts": "["}, {}])
def test_a_record_that_cannot_be_read_is_told_and_the_rest_of_its_page_is_looked_at(
    broken: dict[str, str],
) -> None:
    world = World()
    bad, good = (trigger(world.engine, TENANT, world.job({"kind": "manual"}).id) for _ in range(2))
    vanish(world)
    pk, sk = run_key(TENANT, bad.id)
    world.db.runs.items[pk, sk] = {"pk": pk, "sk": sk, "job": f"{TENANT}#{bad.job_id}", **broken}
    world.clock.ms += 3 * MINUTE
    world.tick()
    assert {(action, subject) for action, subject, _ in found(world)} == {
        ("run.unreadable", bad.id),
        ("run.rung_again", good.id),
    }


def test_each_group_looks_at_its_own_part_of_the_journal_and_another_number_of_groups_goes_on() -> None:
    world = World(shards=8)
    for _ in range(900):
        world.job(ONCE)
    ticks(world, 3)
    assert vanish(world) == 900
    world.clock.ms += 4 * MINUTE
    tick_of(world, 0, 3)
    assert 0 < len(world.queue.sent) < 900
    ticks(world, 2)
    assert len(world.queue.sent) == 900


def ticks(world: World, groups: int) -> None:
    for number in range(groups):
        tick_of(world, number, groups)


def tick_of(world: World, group: int, groups: int) -> None:
    shards = range(group, world.engine.settings.shards, groups)
    tick(world.engine, shards, group=group, groups=groups, deadline=world.clock.monotonic() + 50)


def test_the_pulse_counts_what_was_found_by_the_hour_for_a_day() -> None:
    world = World()
    for hours in (0, 30):
        world.clock.ms = NOON + hours * HOUR
        job = world.job({"kind": "manual"})
        trigger(world.engine, TENANT, job.id)
        vanish(world)
        world.advance(240)
    item = world.db.timers.get(pulse_key(0))
    assert item is not None
    assert decode_pulse(item).findings == {(NOON + 30 * HOUR) // HOUR: 1}


def test_many_findings_of_one_kind_are_written_down_as_some_and_the_number_of_the_rest() -> None:
    many = [Finding("a", "run.rung_again", f"run_{number}", {}) for number in range(MOST + 7)]
    other = Finding("b", "run.rung_again", "run_b", {})
    items = encode_findings([*many, other], now_ms=NOON, nonce=b"1", expires_at=NOON // 1000)
    assert [item["subject"] for item in items if item["pk"] == "b#audit"] == ["run_b"]
    of_a = [item for item in items if item["pk"] == "a#audit"]
    assert len(of_a) == MOST + 1
    assert of_a[-1]["details"] == '{"more":7,"last":"run_56"}'
    assert len({item["sk"] for item in items}) == len(items)


def test_a_table_of_audits_that_is_away_stops_nothing() -> None:
    def ticked(at: int) -> FaultyWorld:
        world = FaultyWorld()
        world.job(ONCE)
        world.tick()
        vanish(world)
        world.clock.ms = DUE + 200 * SECOND
        world.faults.arm(Mode.BEFORE, at)
        world.tick()
        world.faults.heal()
        return world

    world = ticked(ticked(0).faults.calls.index("audit.put_all") + 1)
    assert world.faults.struck
    world.advance(600)
    assert len(world.executed) == 1
    assert len([body for _, body in world.queue.sent]) == 0


def test_an_audit_that_runs_out_of_time_goes_on_where_it_stopped() -> None:
    world = World()
    for _ in range(2 * PAGES + 5):
        trigger(world.engine, TENANT, world.job({"kind": "manual"}).id)
    vanish(world)
    world.clock.ms += 3 * MINUTE
    table, looks = world.db.timers, list[int]()
    query = table.query

    def slowly(pk: str, **more: Any) -> Any:
        if pk == journal_partition(0):
            looks.append(len(world.queue.sent))
            world.clock.ms += 30 * SECOND
        return query(pk, **more)

    table.query = slowly  # type: ignore[method-assign]
    world.tick()
    assert len(world.queue.sent) == 2 * PAGES
    world.tick()
    assert len(world.queue.sent) == 2 * PAGES + 5
    assert looks == [0, PAGES, 2 * PAGES], "nothing was looked at twice"
