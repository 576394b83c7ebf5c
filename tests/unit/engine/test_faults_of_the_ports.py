"""Each call of the ports fails once, in each way: afterwards every occurrence is done, once, and nothing is left."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.domain.errors import ChronosError, Unavailable
from chalicelib.domain.job import Job, JobDefinition
from chalicelib.domain.outcome import Failed, Outcome, Succeeded, Waiting
from chalicelib.domain.progress import Progress
from chalicelib.domain.run import Run
from chalicelib.engine.message import Delivery
from chalicelib.engine.records import decode_job
from chalicelib.engine.ringing.floor import encode_floor
from chalicelib.engine.running.signing import callback_url
from chalicelib.features.callbacks import service as callbacks
from chalicelib.features.dead_letters import service as dead_letters
from chalicelib.features.jobs import service as jobs
from chalicelib.features.jobs.changes import redefined
from chalicelib.features.jobs.trigger import trigger
from chalicelib.features.runs import service as runs
from tests.support.faults import FaultyWorld, Mode
from tests.support.limited import limit, with_targets
from tests.support.world import NOON, TENANT

SECOND = 1000
END_SECONDS = 1200
RETRY = {"strategy": "fixed", "initial_delay_seconds": 10, "jitter": "none"}
RETRY_LATER = {**RETRY, "initial_delay_seconds": 300}


class Killed(BaseException):
    """The end of a worker, in the middle of an attempt."""


def outcome(job: Job, run: Run) -> Outcome:
    """The job's name says how its attempts end."""
    if job.name.startswith("killed") and run.starts == 1:
        raise Killed
    if job.name.startswith("failing") and run.trigger == "schedule":
        return Failed("http_4xx", "answered 404", status=404)
    if job.name.startswith("accepted") and run.attempt == 1:
        return Waiting({})
    if job.name.startswith("retried") and run.attempt == 1:
        return Failed("connection", "refused")
    return Succeeded({})


def once(world: FaultyWorld, name: str, second: int = 2, **fields: Any) -> Job:
    """A job with one occurrence, so many seconds after noon."""
    return world.job(at(second), name=name, **fields)


def at(second: int) -> dict[str, str]:
    return {"kind": "once", "at": f"2027-01-15T12:{second // 60:02}:{second % 60:02}Z"}


def ring(world: FaultyWorld) -> dict[str, str]:
    """Dispatch what is near, and let its moment come; the messages by their jobs' names, out of the queue."""
    world.tick()
    world.clock.ms = NOON + 2 * SECOND
    bodies = [body for _, body in world.queue.sent]
    world.queue.sent = []
    return {job.name: body for job in world.jobs.values() for body in bodies if job.id in body}


def receive(world: FaultyWorld, *bodies: str) -> None:
    """The messages become visible now."""
    world.queue.sent += [(0, body) for body in bodies]


def work(world: FaultyWorld, body: str) -> None:
    """One message is worked off, or its worker dies."""
    with suppress(Killed):
        world.worker.work([Delivery(body, body)], deadline=world.clock.monotonic() + 85)


def the_job(world: FaultyWorld) -> Job:
    (job,) = world.jobs.values()
    return job


@dataclass(frozen=True)
class Flow:
    """What is done under the fault, and how the runs of each job end: (second after noon, state or reason of a skip).

    `repeated`: a client that was told that Chronos is away asks again. `optional`: it does not, and then perhaps
    nothing has happened. `act` is given what `prepare` returned.
    """

    prepare: Callable[[FaultyWorld], Any]
    act: Callable[[FaultyWorld, Any], object]
    ends: dict[str, list[tuple[int, str]]]
    repeated: bool = False
    optional: bool = False
    end_seconds: int = END_SECONDS


OK, FAILED = "SUCCEEDED", "FAILED"


def timers_of_every_kind(world: FaultyWorld) -> None:
    once(world, "retried", retry=RETRY_LATER)
    receive(world, *ring(world).values())
    world.deliver()
    once(world, "missed", 30, misfire={"policy": "skip"})
    world.change(once(world, "paused", 360), status="paused", paused_ms=NOON + 3 * SECOND)
    once(world, "first", 360)
    once(world, "second", 361)
    world.clock.ms = NOON + 270 * SECOND
    world.job({"kind": "interval", "every": 60}, name="each minute")
    world.clock.ms = NOON + 300 * SECOND


def a_fresh_batch(world: FaultyWorld) -> None:
    once(world, "first")
    once(world, "failing")
    once(world, "retried soon", retry=RETRY)
    once(world, "retried later", retry=RETRY_LATER)
    bodies = ring(world).values()
    receive(world, *bodies, *bodies)


def a_mixed_batch(world: FaultyWorld) -> None:
    bodies = world_after_first_attempts(world)
    changed = {job.name: job for job in world.jobs.values()}
    world.change(changed["paused"], status="paused", paused_ms=NOON)
    world.change(changed["moved"], timeout_seconds=600)
    trigger(world.engine, TENANT, changed["triggered"].id)
    receive(world, *(body for name, body in bodies.items() if name != "retried"))


def world_after_first_attempts(world: FaultyWorld) -> dict[str, str]:
    """It is 14 s past noon. "retried" waits for its second attempt; of the dead workers one still holds its lease."""
    for name in ("retried", "paused", "deleted", "moved"):
        once(world, name, retry=RETRY)
    once(world, "killed", timeout_seconds=1)
    once(world, "killed slowly", timeout_seconds=60)
    once(world, "early", 90)
    world.job({"kind": "manual"}, name="triggered")
    bodies = ring(world)
    work(world, bodies["retried"])
    work(world, bodies["killed"])
    (deleted,) = (job for job in world.jobs.values() if job.name == "deleted")
    jobs.delete(world.engine, TENANT, deleted.id, None)
    world.clock.ms = NOON + 14 * SECOND
    work(world, bodies["killed slowly"])
    return bodies


def lost_messages(world: FaultyWorld) -> None:
    """It is 130 s past noon: one message was never seen, of two the workers died, of which one holds its lease."""
    once(world, "vanished")
    once(world, "retried", retry=RETRY)
    once(world, "killed", timeout_seconds=1)
    once(world, "killed slowly", timeout_seconds=60)
    bodies = ring(world)
    work(world, bodies["retried"])
    world.queue.sent = []
    work(world, bodies["killed"])
    world.clock.ms = NOON + 100 * SECOND
    work(world, bodies["killed slowly"])
    world.clock.ms = NOON + 140 * SECOND


def lost_timers(world: FaultyWorld) -> None:
    """It is an hour past noon, and all shards have their turns: one job is over, of two others the timers are gone."""
    once(world, "over", 30)
    once(world, "over, too", 31)
    world.advance(300)
    once(world, "lost", 1080)
    world.job(
        {"kind": "interval", "every": 60, "max_runs": 16}, name="each minute", misfire={"policy": "fire_all"}
    )
    gone = [key for key in world.db.timers.items if key[0].startswith("shard#")]
    world.db.timers.delete_all(gone)
    world.clock.ms = NOON + 3600 * SECOND


def a_restored_world(world: FaultyWorld) -> None:
    """What was to be retried at second 302, was on its way, or was due at second 30 lies below the floor."""
    once(world, "retried", retry=RETRY_LATER)
    once(world, "vanished")
    receive(world, ring(world)["retried"])
    world.deliver()
    once(world, "lost", 30)
    once(world, "kept", 360)
    world.db.timers.put_all([encode_floor(NOON + 330 * SECOND)])
    world.clock.ms = NOON + 350 * SECOND


def a_manual_job(world: FaultyWorld) -> Job:
    return world.job({"kind": "manual"}, name="triggered")


def a_dispatched_job(world: FaultyWorld) -> Job:
    job = once(world, "edited", 60)
    world.tick()
    return job


def a_dead_run(world: FaultyWorld) -> str:
    once(world, "failing")
    receive(world, *ring(world).values())
    world.deliver()
    (run,) = world.runs()
    return run.id


def three_for_one_slot(world: FaultyWorld) -> None:
    job = world.job(
        {"kind": "manual"}, name="retried", retry=RETRY, concurrency={"policy": "queue", "buffer": 2}
    )
    for _ in range(3):
        trigger(world.engine, TENANT, job.id)


def one_between_attempts_and_one_that_waits(world: FaultyWorld) -> str:
    three_for_one_slot(world)
    world.deliver()
    return world.runs()[0].id


def accepted(world: FaultyWorld, **fields: Any) -> Job:
    """A job whose first attempts wait for a callback, for at most 100 s."""
    callback = {"deadline_seconds": 100, "heartbeat_seconds": 60}
    wanted = {"callback": callback, "retry": {"max_attempts": 1}, "concurrency": {"policy": "queue"}}
    return world.job({"kind": "manual"}, name="accepted", **{**wanted, **fields})


def two_to_be_accepted(world: FaultyWorld) -> None:
    job = accepted(world)
    for _ in range(2):
        trigger(world.engine, TENANT, job.id)


def one_accepted_and_one_that_waits_for_its_slot(world: FaultyWorld) -> str:
    two_to_be_accepted(world)
    world.deliver()
    return callback_url(world.secrets, world.runs()[0]).rpartition("/")[2]


def one_accepted_that_is_retried(world: FaultyWorld) -> str:
    trigger(world.engine, TENANT, accepted(world, retry=RETRY).id)
    world.deliver()
    return callback_url(world.secrets, world.runs()[0]).rpartition("/")[2]


def one_overdue(world: FaultyWorld) -> None:
    one_accepted_that_is_retried(world)
    world.clock.ms = NOON + 61 * SECOND


def limited(world: FaultyWorld, **limits: Any) -> None:
    """Under limits, and with targets."""
    limit(world.db, **limits)
    with_targets(world)


def three_at_one_gate(world: FaultyWorld) -> None:
    """The first attempt of each fails. The tenant's rate is nothing that they have to wait long for."""
    limited(world, tenant={"concurrency": 1}, targets={"a": {"concurrency": 1, "rate": {"limit": 2}}})
    job = world.job({"kind": "manual"}, name="retried", retry=RETRY, config={"target": "a"})
    for _ in range(3):
        trigger(world.engine, TENANT, job.id)


def five_at_one_rate(world: FaultyWorld) -> None:
    """One starts at once, one is held, one is rung for later, and two have timers. One of them is a trigger's."""
    limited(world, tenant={"rate": {"limit": 1, "per_seconds": 4}})
    for _ in range(4):
        once(world, "paced", rate={"limit": 1, "per_seconds": 60})
    bodies = ring(world)
    trigger(world.engine, TENANT, world.job({"kind": "manual"}, name="triggered").id)
    world.queue.sent += [(0, body) for body in bodies.values()]


def one_waits_for_a_lost_call(world: FaultyWorld) -> None:
    """It waits behind one whose worker has died."""
    limited(world, tenant={"concurrency": 1})
    once(world, "killed", timeout_seconds=1)
    once(world, "waiting", 3)
    bodies = ring(world)
    work(world, bodies["killed"])
    world.clock.ms = NOON + 3 * SECOND
    work(world, bodies["waiting"])
    world.queue.sent.append((NOON + 102 * SECOND, bodies["killed"]))
    world.clock.ms = NOON + 60 * SECOND


def two_wait_for_a_breaker(world: FaultyWorld) -> None:
    """It was opened by the first attempt of the one, and its time is just over."""
    rule = {"failures": 1, "within_seconds": 60, "open_seconds": 20}
    limited(world, targets={"a": {"breaker": rule}})
    once(world, "retried", retry=RETRY, config={"target": "a"})
    once(world, "waiting", 3, config={"target": "a"})
    bodies = ring(world)
    work(world, bodies["retried"])
    world.clock.ms = NOON + 3 * SECOND
    work(world, bodies["waiting"])
    world.clock.ms = NOON + 22 * SECOND + 1


def create(world: FaultyWorld, second: int) -> Job:
    definition = {"name": "created", "type": "dummy", "schedule": at(second)}
    return jobs.create(world.engine, TENANT, JobDefinition.model_validate(definition))


def edit(world: FaultyWorld, job: Job) -> Job:
    wanted = JobDefinition.model_validate({**job.definition.model_dump(), "schedule": at(30)})
    return jobs.change(world.engine, TENANT, job.id, None, lambda found, now: redefined(found, wanted, now))


FLOWS = {
    "a tick": Flow(
        timers_of_every_kind,
        lambda world, _: world.tick(),
        {
            "retried": [(2, OK)],
            "missed": [(30, "misfire")],
            "paused": [],
            "first": [(360, OK)],
            "second": [(361, OK)],
            "each minute": [(second, OK) for second in range(330, END_SECONDS, 60)],
        },
    ),
    "an audit": Flow(
        lost_messages,
        lambda world, _: world.tick(),
        {"vanished": [(2, OK)], "retried": [(2, OK)], "killed": [(2, OK)], "killed slowly": [(2, OK)]},
    ),
    "a repair": Flow(
        lost_timers,
        lambda world, _: world.tick(),
        {
            "over": [(30, OK)],
            "over, too": [(31, OK)],
            "lost": [(1080, OK)],
            "each minute": [(second, OK) for second in range(360, 1261, 60)],
        },
        end_seconds=3900,
    ),
    "a restore": Flow(
        a_restored_world,
        lambda world, _: world.tick(),
        {
            "retried": [(2, "restored")],
            "vanished": [(2, "restored")],
            "lost": [(30, "restored")],
            "kept": [(360, OK)],
        },
    ),
    "a fresh batch": Flow(
        a_fresh_batch,
        lambda world, _: world.deliver(),
        {"first": [(2, OK)], "failing": [(2, FAILED)], "retried soon": [(2, OK)], "retried later": [(2, OK)]},
    ),
    "a mixed batch": Flow(
        a_mixed_batch,
        lambda world, _: world.deliver(),
        {
            "retried": [(2, OK)],
            "paused": [(2, "paused")],
            "deleted": [(2, "superseded")],
            "moved": [(2, OK)],
            "killed": [(2, OK)],
            "killed slowly": [(2, OK)],
            "early": [(90, OK)],
            "triggered": [(14, OK)],
        },
    ),
    "given up messages": Flow(
        world_after_first_attempts,
        lambda world, bodies: world.bury(*bodies.values()),
        {
            "retried": [(2, OK)],
            "paused": [(2, FAILED)],
            "deleted": [(2, "superseded")],
            "moved": [(2, FAILED)],
            "killed": [(2, FAILED)],
            "killed slowly": [(2, OK)],
            "early": [(90, FAILED)],
            "triggered": [],
        },
    ),
    "create, near": Flow(
        lambda _: None, lambda world, _: create(world, 30), {"created": [(30, OK)]}, optional=True
    ),
    "create, far": Flow(
        lambda _: None, lambda world, _: create(world, 600), {"created": [(600, OK)]}, optional=True
    ),
    "trigger": Flow(
        a_manual_job,
        lambda world, job: trigger(world.engine, TENANT, job.id),
        {"triggered": [(0, OK)]},
        optional=True,
    ),
    "edit": Flow(a_dispatched_job, edit, {"edited": [(30, OK), (60, "superseded")]}, repeated=True),
    "one slot for three": Flow(
        three_for_one_slot, lambda world, _: world.deliver(), {"retried": [(0, OK), (0, OK), (0, OK)]}
    ),
    "cancel, between attempts": Flow(
        one_between_attempts_and_one_that_waits,
        lambda world, run_id: runs.cancel(world.engine, TENANT, run_id),
        {"retried": [(0, "CANCELLED"), (0, OK), (0, OK)]},
        repeated=True,
    ),
    "accepted": Flow(
        two_to_be_accepted,
        lambda world, _: world.deliver(),
        {"accepted": [(0, "TIMED_OUT"), (0, "TIMED_OUT")]},
    ),
    "callback, success": Flow(
        one_accepted_and_one_that_waits_for_its_slot,
        lambda world, token: callbacks.end(world.engine, token, Succeeded({})),
        {"accepted": [(0, OK), (0, "TIMED_OUT")]},
        repeated=True,
    ),
    "callback, failure": Flow(
        one_accepted_that_is_retried,
        lambda world, token: callbacks.end(world.engine, token, Failed("callback_failed", "")),
        {"accepted": [(0, OK)]},
        repeated=True,
    ),
    "callback, a sign of life": Flow(
        one_accepted_that_is_retried,
        lambda world, token: callbacks.alive(world.engine, token, Progress(1, NOON)),
        {"accepted": [(0, OK)]},
        repeated=True,
    ),
    "callback, overdue": Flow(one_overdue, lambda world, _: world.deliver(), {"accepted": [(0, OK)]}),
    "cancel, waiting for a callback": Flow(
        one_accepted_and_one_that_waits_for_its_slot,
        lambda world, _: runs.cancel(world.engine, TENANT, world.runs()[0].id),
        {"accepted": [(0, "CANCELLED"), (0, "TIMED_OUT")]},
        repeated=True,
    ),
    "one slot of a gate for three": Flow(
        three_at_one_gate,
        lambda world, _: world.deliver(),
        {"retried": [(0, OK), (0, OK), (0, OK)]},
        end_seconds=600,
    ),
    "rates": Flow(
        five_at_one_rate,
        lambda world, _: world.deliver(),
        {"paced": [(2, OK)] * 4, "triggered": [(2, OK)]},
        end_seconds=600,
    ),
    "a look at a gate": Flow(
        one_waits_for_a_lost_call,
        lambda world, _: world.tick(),
        {"killed": [(2, OK)], "waiting": [(3, OK)]},
        end_seconds=600,
    ),
    "a trial": Flow(
        two_wait_for_a_breaker,
        lambda world, _: world.deliver(),
        {"retried": [(2, OK)], "waiting": [(3, OK)]},
        end_seconds=600,
    ),
    "redrive": Flow(
        a_dead_run,
        lambda world, run_id: dead_letters.redrive(world.engine, TENANT, run_id),
        {"failing": [(2, FAILED), (2, OK)]},
        repeated=True,
    ),
    "purge": Flow(
        a_dead_run,
        lambda world, run_id: dead_letters.purge(world.engine, TENANT, run_id),
        {"failing": [(2, FAILED)]},
        repeated=True,
    ),
}


@dataclass(frozen=True)
class Aftermath:
    """The world long after the fault. `refused`: the client was told that Chronos is away.

    `unrecorded`: the attempts that had been executed, and not written down, when the fault passed.
    """

    world: FaultyWorld
    refused: bool
    unrecorded: set[tuple[str, int]]


def carried_out(flow: Flow, mode: Mode, at_call: int) -> Aftermath:
    world = FaultyWorld()
    world.outcome = outcome
    prepared = flow.prepare(world)
    world.executed.clear()
    world.faults.arm(mode, at_call)
    refused = False
    try:
        flow.act(world, prepared)
    except Unavailable:
        refused = True
    world.faults.heal()
    unrecorded = world.unrecorded()
    if refused and flow.repeated:
        with suppress(ChronosError):
            flow.act(world, prepared)
    world.advance(flow.end_seconds - (world.clock.now_ms() - NOON) / 1000)
    return Aftermath(world, refused, unrecorded)


def ledger(world: FaultyWorld) -> dict[str, list[tuple[int, str]]]:
    """What is written down of each job: (second after noon, state or reason of a skip)."""
    for (_, kind), item in world.db.catalog.items.items():
        if kind == "job":
            job = decode_job(item)
            world.jobs[job.id] = job
    found: dict[str, list[tuple[int, str]]] = {job.name: [] for job in world.jobs.values()}
    for run in world.runs():
        assert run.is_final, run
        end = (run.nominal_ms - NOON) // SECOND, run.skip_reason or run.status.value
        found[world.jobs[run.job_id].name].append(end)
    for job in world.jobs.values():
        found[job.name] += [((first - NOON) // SECOND, reason) for first, _, reason in world.skips(job)]
    return {name: sorted(ends) for name, ends in found.items()}


def assert_all_is_done(world: FaultyWorld, flow: Flow, *, maybe_nothing: bool) -> None:
    found = ledger(world)
    nothing: dict[str, list[tuple[int, str]]] = {name: [] for name in found}
    assert found == flow.ends or (maybe_nothing and found == nothing)
    left = [timer for timer in world.timers() if timer.due_ms <= world.clock.now_ms()]
    assert not left, "timers stay behind"
    goes_on = "each minute" in flow.ends and flow.end_seconds == END_SECONDS
    assert len(world.timers()) == goes_on, "and only a job that goes on has one"
    held = [
        (key, item)
        for key, item in world.db.runs.items.items()
        if key[0].endswith("#slots")
        and ("called_ms" in item or int(item.get("until_ms", 0)) >= world.clock.ms)
    ]
    assert not held, "slots and places of gates and jobs are left"
    early = [run.id for run, moment in world.executed if moment < run.due_ms]
    assert not early


def assert_nothing_ran_twice(world: FaultyWorld, repeatable: set[tuple[str, int]]) -> None:
    """An attempt that came to its end is executed again only where its end could not be written down."""
    counts = Counter((run.id, run.attempt) for run, _ in world.executed)
    assert {attempt for attempt, count in counts.items() if count > 1} <= repeatable
    assert max(counts.values(), default=0) <= 2


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("name", FLOWS)
def test_after_a_fault_at_any_call_all_is_done_once(name: str, mode: Mode) -> None:
    flow = FLOWS[name]
    undisturbed = carried_out(flow, mode, 0).world
    assert_all_is_done(undisturbed, flow, maybe_nothing=False)
    calls = undisturbed.faults.calls
    assert calls, "the flow uses the ports"
    for number, call in enumerate(calls, 1):
        after = carried_out(flow, mode, number)
        try:
            assert after.world.faults.struck
            assert_all_is_done(after.world, flow, maybe_nothing=after.refused and flow.optional)
            assert_nothing_ran_twice(after.world, after.unrecorded if mode is Mode.OUTAGE else set())
            assert not (mode is Mode.TWICE and after.refused), "nobody notices what the SDK tries again"
            assert not (after.refused and "transact" in calls[: number - 1]), "what is committed is a success"
            assert not said(after.world, "came too late"), "no result is taken for a zombie's"
        except AssertionError as error:
            error.add_note(f"{name}: call {number} of {calls}: {call}: {mode.value}")
            raise


def said(world: FaultyWorld, words: str) -> bool:
    return any(words in sentence for _, sentence, _ in world.telemetry.lines)
