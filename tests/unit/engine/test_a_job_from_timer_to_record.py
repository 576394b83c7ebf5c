"""The engine's whole way, over the twins: what is due is rung, held, started, executed and recorded, once."""

from contextlib import suppress

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed, Succeeded
from chalicelib.domain.run import RunStatus
from chalicelib.engine.message import Delivery
from chalicelib.engine.records import job_key
from chalicelib.engine.wheel.arm import first_timer
from chalicelib.engine.wheel.timers import JobTimer, RunTimer, encode_timer
from chalicelib.ports.table import Put
from tests.support.world import NOON, TENANT, World

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


class Killed(BaseException):
    """The end of a worker, at any instruction."""


def die(_job: object, _run: object) -> Succeeded:
    raise Killed


def test_a_job_that_fires_each_minute_runs_each_minute_and_never_early() -> None:
    world = World()
    world.job("* * * * *")
    world.advance(600)
    assert [moment for _, moment in world.executed] == [NOON + n * MINUTE for n in range(1, 11)]
    assert {run.status for run in world.runs()} == {RunStatus.SUCCEEDED}
    assert all(run.drift_ms == 0 for run in world.runs())


def test_a_cron_with_seconds_fires_each_of_its_seconds() -> None:
    world = World()
    world.job("*/5 * * * * *")
    world.advance(300)
    assert [moment for _, moment in world.executed] == [NOON + n * 5 * SECOND for n in range(1, 61)]


def test_a_tick_that_is_repeated_rings_again_but_nothing_runs_twice() -> None:
    world = World()
    world.job("* * * * *")
    stale = world.timers()
    world.tick()
    world.dispatch(*stale)
    world.dispatch(*stale)
    world.advance(120)
    assert [moment for _, moment in world.executed] == [NOON + MINUTE, NOON + 2 * MINUTE]


def test_a_tick_that_crashes_before_it_advances_loses_nothing() -> None:
    world = World()
    world.job("* * * * *")
    before = world.timers()
    world.tick()
    for timer in before:
        world.db.timers.write(Put(encode_timer(timer)))
    world.advance(120)
    assert len(world.executed) == 2
    assert len(world.timers()) == 1, "timers of one job merge into one"


def test_a_failed_attempt_is_tried_again_after_its_delay_and_then_dead_lettered() -> None:
    world = World()
    world.outcome = lambda _job, _run: Failed("http_5xx", "answered 503", status=503)
    retry = {"max_attempts": 3, "strategy": "exponential", "initial_delay_seconds": 10, "jitter": "none"}
    world.job({"kind": "once", "at": "2027-01-15T12:00:30Z"}, retry=retry)
    world.advance(120)
    (run,) = world.runs()
    assert [moment - NOON for _, moment in world.executed] == [30 * SECOND, 40 * SECOND, 60 * SECOND]
    assert run.status is RunStatus.FAILED
    assert run.dead
    assert [(a.number, a.outcome) for a in run.attempts] == [(1, "failed"), (2, "failed"), (3, "failed")]
    assert run.attempts[0].error == {"kind": "http_5xx", "message": "answered 503", "status": 503}


def test_a_retry_far_ahead_waits_in_the_timing_wheel() -> None:
    world = World()
    world.outcome = lambda _job, run: (
        Failed("connection", "refused") if run.attempt == 1 else Succeeded({"ok": True})
    )
    retry = {"strategy": "fixed", "initial_delay_seconds": 1800, "jitter": "none"}
    world.job({"kind": "once", "at": "2027-01-15T12:00:30Z"}, retry=retry)
    world.advance(60)
    (timer,) = world.timers()
    assert isinstance(timer, RunTimer)
    assert timer.due_ms == NOON + 30 * SECOND + 1800 * SECOND
    world.advance(1800)
    (run,) = world.runs()
    assert run.status is RunStatus.SUCCEEDED
    assert run.attempt == 2
    assert world.timers() == []


def test_a_retry_whose_inline_ring_is_lost_is_rung_by_the_next_tick() -> None:
    world = World()
    world.outcome = lambda _job, run: Failed("connection", "refused") if run.attempt == 1 else Succeeded({})
    retry = {"strategy": "fixed", "initial_delay_seconds": 90, "jitter": "none"}
    world.job({"kind": "once", "at": "2027-01-15T12:00:02Z"}, retry=retry)
    world.tick()
    world.clock.ms += 2000
    world.queue.failures.append(Unavailable("SQS is away"))
    assert world.deliver() == [], "its timer is stored: the message has done its work"
    assert world.runs()[0].status is RunStatus.RETRYING
    assert not world.queue.sent
    world.advance(120)
    assert world.runs()[0].status is RunStatus.SUCCEEDED


def test_a_worker_that_dies_is_replaced_when_its_lease_has_run_out() -> None:
    world = World()
    job = world.job({"kind": "once", "at": "2027-01-15T12:00:02Z"}, timeout_seconds=5)
    world.tick()
    world.clock.ms += 2000
    (body,) = world.queue.take_visible()

    world.outcome = die
    with suppress(Killed):
        world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    world.outcome = lambda _job, _run: Succeeded({})
    world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    assert world.runs()[0].status is RunStatus.RUNNING, "the lease still belongs to the dead worker"
    world.advance(80)
    (run,) = world.runs()
    assert run.status is RunStatus.SUCCEEDED
    assert (run.attempt, run.starts, run.fence) == (1, 2, 2), "a lost start is no attempt"
    assert world.executed[1][1] > NOON + 2 * SECOND + job.timeout_seconds * 1000


def test_a_zombie_cannot_record_its_result() -> None:
    world = World()
    world.job({"kind": "once", "at": "2027-01-15T12:00:02Z"}, timeout_seconds=5)
    world.tick()
    world.clock.ms += 2000
    (body,) = world.queue.take_visible()

    def freeze(_job: object, run: object) -> Succeeded:
        world.clock.ms += 30_000
        world.outcome = lambda _job, _run: Succeeded({"by": "the second"})
        world.queue.sent.append((0, body))
        world.deliver()
        return Succeeded({"by": "the zombie"})

    world.outcome = freeze
    world.queue.sent.append((0, body))
    world.deliver()
    (run,) = world.runs()
    assert [attempt.result for attempt in run.attempts] == [{"by": "the second"}]
    assert any("came too late" in sentence for _, sentence, _ in world.telemetry.lines)


def test_a_paused_job_does_not_start_what_was_already_dispatched_and_the_ledger_says_so() -> None:
    world = World()
    job = world.job("* * * * *")
    world.tick()
    world.change(job, status="paused", paused_ms=NOON + 1000)
    world.advance(180)
    assert world.executed == []
    assert [(run.status, run.skip_reason) for run in world.runs()] == [(RunStatus.SKIPPED, "paused")]
    assert world.timers() == [], "timers of a paused job die"


def test_an_edited_schedule_supersedes_what_was_dispatched_but_keeps_common_occurrences() -> None:
    world = World()
    job = world.job("*/30 * * * * *")
    world.tick()
    edited = world.change(
        job.model_validate({**job.model_dump(), "schedule": "* * * * *"}), schedule_revision=2, revision=2
    )
    timer = first_timer(edited, NOON)
    assert timer is not None
    world.db.timers.write(Put(encode_timer(timer)))
    world.advance(125)
    assert [moment - NOON for _, moment in world.executed] == [MINUTE, 2 * MINUTE]
    assert [(r.nominal_ms - NOON, r.skip_reason) for r in world.runs() if r.skip_reason] == [
        (30 * SECOND, "superseded"),
        (90 * SECOND, "superseded"),
    ]


def test_a_deleted_job_leaves_a_superseded_record_for_what_was_dispatched() -> None:
    world = World()
    job = world.job("* * * * *")
    world.tick()
    world.db.catalog.items.clear()
    world.advance(180)
    assert world.executed == []
    assert [run.skip_reason for run in world.runs() if run.job_id == job.id] == ["superseded"]


def test_messages_far_too_early_are_rung_again_instead_of_held() -> None:
    world = World()
    job = world.job({"kind": "once", "at": "2027-01-15T12:01:00Z"})
    world.tick()
    bodies = [body for _, body in world.queue.sent]
    world.queue.sent = [(0, body) for body in bodies]
    world.deliver()
    assert world.executed == []
    assert sum(world.clock.slept) == 0
    world.advance(60)
    assert [run.job_id for run, _ in world.executed] == [job.id]


def test_a_relaxed_job_is_never_held() -> None:
    world = World(NOON + 1)
    world.job("* * * * *", precision="relaxed")
    world.tick()
    world.clock.slept.clear()
    world.advance(70)
    ((_, moment),) = world.executed
    assert 0 <= moment - (NOON + MINUTE) <= 1000
    assert world.clock.slept == []


def test_a_job_moved_to_the_long_lane_takes_its_message_along() -> None:
    world = World()
    job = world.job({"kind": "once", "at": "2027-01-15T12:00:30Z"})
    world.tick()
    world.change(job, timeout_seconds=600)
    world.advance(40)
    assert world.executed == []
    assert len(world.long_queue.sent) == 1


def test_after_an_outage_the_latest_missed_occurrence_runs_and_the_others_are_recorded() -> None:
    world = World()
    job = world.job("0 * * * *")
    world.clock.ms += 5 * HOUR + 10 * MINUTE
    world.advance(60)
    assert [run.nominal_ms - NOON for run, _ in world.executed] == [5 * HOUR]
    assert world.skips(job) == [(NOON + HOUR, NOON + 4 * HOUR, "misfire")]


def test_fire_all_runs_the_missed_occurrences_up_to_its_limit() -> None:
    world = World()
    job = world.job("0 * * * *", misfire={"policy": "fire_all", "limit": 3})
    world.clock.ms += 5 * HOUR + 10 * MINUTE
    world.advance(60)
    assert [run.nominal_ms - NOON for run, _ in world.executed] == [3 * HOUR, 4 * HOUR, 5 * HOUR]
    assert world.skips(job) == [(NOON + HOUR, NOON + 2 * HOUR, "misfire")]


def test_skip_runs_none_of_the_missed_occurrences() -> None:
    world = World()
    job = world.job("0 * * * *", misfire={"policy": "skip"})
    world.clock.ms += 2 * HOUR + 10 * MINUTE
    world.advance(60)
    assert world.executed == []
    assert world.skips(job) == [(NOON + HOUR, NOON + 2 * HOUR, "misfire")]


def test_occurrences_before_the_misfire_window_are_not_run() -> None:
    world = World()
    job = world.job("0 0 1 * *")
    world.clock.ms += 20 * DAY
    world.advance(60)
    assert world.executed == []
    assert len(world.skips(job)) == 1


def test_an_occurrence_within_its_grace_simply_runs() -> None:
    world = World()
    world.job("0 * * * *")
    world.clock.ms += HOUR + 50 * SECOND
    world.tick()
    world.deliver()
    assert [run.nominal_ms - NOON for run, _ in world.executed] == [HOUR]


def test_a_second_by_second_job_survives_a_long_outage_without_a_flood() -> None:
    world = World()
    world.job("* * * * * *")
    world.clock.ms += 3 * DAY
    world.tick()
    assert len(world.queue.sent) == 1 + 60 + 1 + 119


def test_jitter_delays_the_ring_by_the_same_amount_whoever_computes_it() -> None:
    world = World()
    world.job({"kind": "cron", "expression": "0 * * * *", "jitter_seconds": 1800})
    world.advance(2 * 3600 + 1800)
    moments = [moment for _, moment in world.executed]
    assert len(moments) == 2
    assert all(
        0 <= moment - nominal <= 1800 * SECOND
        for moment, nominal in zip(moments, (NOON + HOUR, NOON + 2 * HOUR), strict=True)
    )
    assert [run.due_ms for run, _ in world.executed] == moments


def test_the_heartbeat_tells_when_the_dispatcher_was_last_alive() -> None:
    world = World()
    world.tick()
    heartbeat = world.db.timers.get(("heartbeat", "dispatcher#00"))
    assert heartbeat is not None
    assert heartbeat["at_ms"] == NOON


def test_one_unreadable_job_does_not_stop_the_others() -> None:
    world = World()
    bad, good = world.job("* * * * *"), world.job("* * * * *")
    key = (f"local#{bad.id}", "job")
    world.db.catalog.items[key]["doc"] = "{not json"
    world.advance(70)
    assert {run.job_id for run, _ in world.executed} == {good.id}
    assert any(isinstance(timer, JobTimer) and timer.job_id == bad.id for timer in world.timers())


def test_a_message_nobody_wrote_goes_back_to_the_queue() -> None:
    world = World()
    world.queue.sent.append((0, "hello"))
    assert world.deliver() == ["hello"]


def test_what_the_queue_gave_up_is_failed_and_dead_lettered() -> None:
    world = World()
    world.job({"kind": "once", "at": "2027-01-15T12:00:02Z"})
    world.tick()
    world.clock.ms += 90_000
    (body,) = world.queue.take_visible()
    assert world.bury(body) == []
    (run,) = world.runs()
    assert (run.status, run.dead, run.attempts[0].outcome) == (RunStatus.FAILED, True, "lost")
    assert world.bury(body) == [], "doing it again changes nothing"
    assert world.runs() == [run]


def test_a_given_up_message_of_a_finished_run_changes_nothing() -> None:
    world = World()
    world.job({"kind": "once", "at": "2027-01-15T12:00:02Z"})
    world.tick()
    world.clock.ms += 2000
    bodies = [body for _, body in world.queue.sent]
    world.deliver()
    before = world.runs()
    world.bury(*bodies)
    assert world.runs() == before
    assert before[0].status is RunStatus.SUCCEEDED


def test_a_given_up_message_of_a_living_worker_is_looked_at_again() -> None:
    world = World()
    world.job({"kind": "once", "at": "2027-01-15T12:00:02Z"}, timeout_seconds=50)
    world.tick()
    world.clock.ms += 2000
    bodies = [body for _, body in world.queue.sent]

    def look(_job: object, _run: object) -> Succeeded:
        world.bury(*bodies)
        return Succeeded({})

    world.outcome = look
    world.deliver()
    assert world.runs()[0].status is RunStatus.SUCCEEDED
    assert any(isinstance(timer, RunTimer) for timer in world.timers())


def test_a_run_whose_workers_keep_dying_is_given_up() -> None:
    world = World()
    world.job({"kind": "once", "at": "2027-01-15T12:00:02Z"}, timeout_seconds=1)
    world.tick()
    world.clock.ms += 2000
    (body,) = world.queue.take_visible()
    world.outcome = die
    for _ in range(6):
        with suppress(Killed):
            world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
        world.clock.ms += 60_000
    (run,) = world.runs()
    assert len(world.executed) == 4, "the first start and three more"
    assert (run.status, run.attempts[0].error and run.attempts[0].error["kind"]) == (
        RunStatus.FAILED,
        "worker_lost",
    )


def test_a_run_whose_worker_died_is_given_up_at_once_if_its_job_is_gone() -> None:
    world = World()
    job = world.job({"kind": "once", "at": "2027-01-15T12:00:02Z"}, timeout_seconds=1)
    world.tick()
    world.clock.ms += 2000
    (body,) = world.queue.take_visible()
    world.outcome = die
    with suppress(Killed):
        world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    del world.db.catalog.items[job_key(TENANT, job.id)]
    world.clock.ms += 60_000
    again = world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    assert again == [], "there is nothing to wait for"
    (run,) = world.runs()
    assert (run.status, run.attempts[0].outcome, len(world.executed)) == (RunStatus.FAILED, "lost", 1)
