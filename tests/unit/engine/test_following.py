"""Runs whose work goes on elsewhere while workers look after it, over the twins: looks, ends, cancels, deaths."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Following, Outcome, Succeeded
from chalicelib.domain.run import Run
from chalicelib.engine.flow.admission import Admission
from chalicelib.engine.ledger.settle import look_again_seconds
from chalicelib.engine.message import Delivery
from chalicelib.engine.records import decode_run, encode_run
from chalicelib.engine.running.heartbeat import Active, beat
from chalicelib.executors.attempt import attempts
from chalicelib.executors.base import ExecutorSettings
from chalicelib.features.jobs.service import delete
from chalicelib.features.jobs.trigger import trigger
from chalicelib.features.runs.service import cancel
from chalicelib.ports.contact import Contact
from tests.support.limited import limit, taken_up
from tests.support.world import NOON, TENANT, World

HOUR = 3600
ONCE = {"max_attempts": 1}


class Killed(BaseException):
    """The end of a worker, at any instruction."""


@dataclass
class Elsewhere:
    """A world whose dummy jobs follow their work. `looks` are the moments (seconds after noon) of all looks."""

    world: World = field(default_factory=World)
    looks: list[float] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    """The runs whose work was stopped."""
    instead: dict[int, Any] = field(default_factory=dict)
    """What happens at a look, by its number, instead of asking."""

    def __post_init__(self) -> None:
        self.attempt = attempts(self.world.clock, ExecutorSettings())
        self.world.outcome = self._carried_out

    def _carried_out(self, job: Job, run: Run) -> Outcome:
        if run.handle is None:
            return self._really(job, run)
        self.looks.append((self.world.clock.now_ms() - NOON) / 1000)
        instead = self.instead.get(len(self.looks))
        if isinstance(instead, BaseException):
            raise instead
        if callable(instead):
            instead()
        return instead if isinstance(instead, Failed | Following) else self._really(job, run)

    def _really(self, job: Job, run: Run) -> Outcome:
        contact = Contact()
        outcome = self.attempt(job, run, self.world.clock.monotonic() + 30, contact)
        self.stopped += [run.id for line in contact.log.drain() if line.message == "The work was stopped."]
        return outcome

    def begin(self, seconds: float = 60, *, config: Any = None, **fields: Any) -> Run:
        """A triggered run that follows its work, as it is after a second."""
        wanted = {"outcome": "follow", "follow_seconds": seconds, "output": "done", **(config or {})}
        job = self.world.job({"kind": "manual"}, config=wanted, **fields)
        run = trigger(self.world.engine, TENANT, job.id)
        self.world.advance(1)
        return self.world.run(run.id)

    def after(self, seconds: float, run: Run) -> Run:
        self.world.advance(seconds)
        return self.world.run(run.id)


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


def test_work_that_is_followed_takes_no_worker_while_it_goes_on(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin()
    assert run.status == "WAITING"
    assert run.attempts[0].result == {"stage": "begun"}
    assert run.lease_ms == NOON + 5_000
    assert [timer.due_ms for timer in elsewhere.world.timers()] == []
    run = elsewhere.after(6, run)
    assert (run.status, run.attempts[0].result) == ("WAITING", {"stage": "under way"})
    assert decode_run(encode_run(run, expires_at=0)) == run


def test_looks_come_less_and_less_often_and_the_last_one_ends_the_run(elsewhere: Elsewhere) -> None:
    run = elsewhere.after(120, elsewhere.begin())
    assert elsewhere.looks == [5, 10, 20, 40, 80]
    assert (run.status, run.attempt, run.handle) == ("SUCCEEDED", 1, None)
    [attempt] = run.attempts
    assert attempt.result == {"accepted": {"stage": "under way"}, "output": "done"}
    assert (attempt.started_ms, attempt.finished_ms) == (NOON, NOON + 80_000)
    assert elsewhere.world.timers() == []
    assert run.starts == 1


@pytest.mark.parametrize(
    ("waited", "seconds"), [(0, 5), (5_000, 5), (20_000, 20), (299_999, 299.999), (10**9, 300)]
)
def test_the_pause_between_looks_doubles_up_to_five_minutes(waited: int, seconds: float) -> None:
    assert look_again_seconds(waited) == seconds


def test_work_of_hours_is_followed_to_its_end(elsewhere: Elsewhere) -> None:
    run = elsewhere.after(3 * HOUR, elsewhere.begin(2 * HOUR))
    assert run.status == "SUCCEEDED"
    assert len(elsewhere.looks) < 35


def test_work_that_is_not_over_by_its_deadline_is_stopped(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(HOUR, config={"follow_deadline_seconds": 60}, retry=ONCE)
    assert run.callback_by_ms == NOON + 60_000
    run = elsewhere.after(120, run)
    assert (run.status, elsewhere.looks[-1]) == ("TIMED_OUT", 60)
    assert run.attempts[0].error == {
        "kind": "timeout",
        "message": "The work was not over within its deadline; it was stopped.",
    }


def test_work_that_fails_is_retried_and_the_next_attempt_begins_anew(elsewhere: Elsewhere) -> None:
    elsewhere.instead[1] = Failed("cloud", "The task has failed.")
    retry = {"max_attempts": 2, "strategy": "fixed", "initial_delay_seconds": 20, "jitter": "none"}
    run = elsewhere.after(5, elsewhere.begin(10, retry=retry))
    assert (run.status, run.handle) == ("RETRYING", None)
    run = elsewhere.after(60, run)
    assert [attempt.outcome for attempt in run.attempts] == ["failed", "succeeded"]
    assert elsewhere.looks == [5, 30, 35]


def test_who_cancels_has_a_worker_stop_the_work_at_once(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(HOUR, concurrency={"policy": "forbid"})
    elsewhere.after(100, run)
    looks = len(elsewhere.looks)
    asked = cancel(elsewhere.world.engine, TENANT, run.id)
    assert (asked.status, asked.cancel_ms) == ("WAITING", elsewhere.world.clock.now_ms())
    assert cancel(elsewhere.world.engine, TENANT, run.id) == asked
    run = elsewhere.after(2, run)
    assert (run.status, run.attempts[0].outcome) == ("CANCELLED", "cancelled")
    assert len(elsewhere.looks) == looks + 1
    assert elsewhere.world.db.runs.query(f"{TENANT}#{run.job_id}#slots").items == []
    assert elsewhere.after(600, run) == run


def test_who_cancels_work_that_cannot_be_stopped_by_its_deadline_is_told_that_it_may_go_on(
    elsewhere: Elsewhere,
) -> None:
    elsewhere.instead[1] = Failed("timeout", "It could not be stopped.")
    run = elsewhere.begin(HOUR)
    cancel(elsewhere.world.engine, TENANT, run.id)
    run = elsewhere.after(2, run)
    assert run.status == "CANCELLED"
    assert run.attempts[0].error == {
        "kind": "cancelled",
        "message": "It was asked to stop. It could not be stopped.",
    }


def test_what_has_succeeded_when_it_is_to_be_stopped_has_succeeded(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(42)
    elsewhere.after(45, run)
    cancel(elsewhere.world.engine, TENANT, run.id)
    assert elsewhere.after(2, run).status == "SUCCEEDED"


def test_who_cancels_during_a_look_is_heard(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(HOUR)
    elsewhere.instead[3] = lambda: cancel(elsewhere.world.engine, TENANT, run.id)
    run = elsewhere.after(90, run)
    assert run.status == "CANCELLED"


def test_a_look_whose_worker_dies_is_made_again_by_another(elsewhere: Elsewhere) -> None:
    elsewhere.instead[1] = Killed()
    run = elsewhere.begin(20)
    elsewhere.world.clock.ms = NOON + 5_000
    [body] = elsewhere.world.queue.take_visible()
    with pytest.raises(Killed):
        elsewhere.world.worker.work([Delivery("1", body)], deadline=elsewhere.world.clock.monotonic() + 60)
    assert elsewhere.world.run(run.id).status == "RUNNING"
    elsewhere.world.worker.work([Delivery("1", body)], deadline=elsewhere.world.clock.monotonic() + 60)
    run = elsewhere.after(120, run)
    assert (run.status, run.attempt, run.starts) == ("SUCCEEDED", 1, 1)


def test_of_two_looks_at_once_one_is_made(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(HOUR)
    elsewhere.world.clock.ms = NOON + 5_000
    [body] = elsewhere.world.queue.take_visible()

    def again() -> None:
        deadline = elsewhere.world.clock.monotonic() + 60
        assert elsewhere.world.worker.work([Delivery("2", body)], deadline=deadline) == []

    elsewhere.instead[1] = again
    elsewhere.world.worker.work([Delivery("1", body)], deadline=elsewhere.world.clock.monotonic() + 60)
    assert elsewhere.looks == [5]
    run = elsewhere.after(60, run)
    assert elsewhere.looks == [5, 10, 20, 40], "the one that came too late leaves nothing behind"


def test_a_look_whose_message_vanished_is_found_by_the_auditor(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(200)
    elsewhere.after(8, run)
    elsewhere.world.clock.ms = NOON + 11_000
    assert len(elsewhere.world.queue.take_visible()) == 1
    run = elsewhere.after(900, run)
    assert run.status == "SUCCEEDED"
    assert elsewhere.looks[:2] == [5, pytest.approx(400, abs=300)]


def test_a_look_that_cannot_begin_is_put_off_and_not_given_up(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(20)
    elsewhere.world.clock.ms = NOON + 6_000
    [body] = elsewhere.world.queue.take_visible()
    assert elsewhere.world.bury(body) == []
    run = elsewhere.after(300, run)
    assert (run.status, elsewhere.looks[0]) == ("SUCCEEDED", pytest.approx(66, abs=1))


def test_a_look_that_cannot_begin_long_after_the_deadline_is_given_up(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(HOUR, config={"follow_deadline_seconds": 60})
    elsewhere.world.clock.ms = NOON + 2 * HOUR * 1000
    [body] = elsewhere.world.queue.take_visible()
    elsewhere.world.bury(body)
    run = elsewhere.world.run(run.id)
    assert (run.status, run.dead) == ("TIMED_OUT", True)


def test_the_work_of_a_deleted_job_is_stopped_by_the_next_look(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(HOUR, concurrency={"policy": "forbid"}, retry={"max_attempts": 3})
    delete(elsewhere.world.engine, TENANT, run.job_id, None)
    run = elsewhere.after(10, run)
    assert (run.status, run.cancel_ms, run.dead) == ("CANCELLED", NOON + 5_000, False)
    assert elsewhere.stopped == [run.id]
    assert (elsewhere.looks, elsewhere.world.timers()) == ([5], [])


def test_work_that_cannot_be_stopped_is_stopped_later_though_its_job_is_deleted(elsewhere: Elsewhere) -> None:
    handle = {"type": "dummy", "work": {"until_ms": NOON + 1000 * HOUR}}
    elsewhere.instead[1] = Following(handle, {}, 0, look_after_seconds=20)
    run = elsewhere.begin(HOUR)
    delete(elsewhere.world.engine, TENANT, run.job_id, None)
    run = elsewhere.after(10, run)
    assert (run.status, run.cancel_ms) == ("WAITING", NOON + 5_000)
    assert elsewhere.after(30, run).status == "CANCELLED"


def test_work_that_was_over_when_its_job_was_deleted_has_succeeded_and_tells_nothing(
    elsewhere: Elsewhere,
) -> None:
    run = elsewhere.begin(3)
    delete(elsewhere.world.engine, TENANT, run.job_id, None)
    run = elsewhere.after(10, run)
    assert run.status == "SUCCEEDED"
    assert run.attempts[0].result == {"accepted": {"stage": "begun"}}


def test_a_look_at_the_work_of_a_deleted_job_whose_worker_dies_is_made_again(elsewhere: Elsewhere) -> None:
    elsewhere.instead[1] = Killed()
    run = elsewhere.begin(HOUR)
    delete(elsewhere.world.engine, TENANT, run.job_id, None)
    elsewhere.world.clock.ms = NOON + 5_000
    delivery = Delivery("1", elsewhere.world.queue.take_visible()[0])
    with pytest.raises(Killed):
        elsewhere.world.worker.work([delivery], deadline=elsewhere.world.clock.monotonic() + 60)
    elsewhere.world.worker.work([delivery], deadline=elsewhere.world.clock.monotonic() + 60)
    run = elsewhere.after(120, run)
    assert (run.status, elsewhere.stopped) == ("CANCELLED", [run.id])


def test_a_job_that_is_paused_goes_on_following(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(20)
    job = elsewhere.world.stored_job(run.job_id)
    elsewhere.world.change(job, status="paused", paused_ms=NOON)
    assert elsewhere.after(60, run).status == "SUCCEEDED"


def test_a_slot_is_held_as_long_as_the_work_goes_on(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(HOUR, concurrency={"policy": "forbid"})
    elsewhere.after(HOUR / 2, run)
    second = trigger(elsewhere.world.engine, TENANT, run.job_id)
    assert elsewhere.after(2, second).skip_reason == "overlap"
    assert elsewhere.after(HOUR, run).status == "SUCCEEDED"
    assert elsewhere.world.db.runs.query(f"{TENANT}#{run.job_id}#slots").items == []


def test_a_newer_run_has_the_work_of_the_older_one_stopped(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(HOUR, concurrency={"policy": "replace"})
    elsewhere.after(30, run)
    second = trigger(elsewhere.world.engine, TENANT, run.job_id)
    second = elsewhere.after(70, second)
    assert elsewhere.world.run(run.id).status == "CANCELLED"
    assert second.status == "WAITING"


def test_a_job_that_has_another_type_by_now_is_followed_by_the_one_that_began(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(20)
    job = elsewhere.world.stored_job(run.job_id)
    elsewhere.world.change(job, type="http", config={"url": "https://example.com"})
    run = elsewhere.after(60, run)
    assert (run.status, run.attempts[0].result) == (
        "SUCCEEDED",
        {"accepted": {"stage": "under way"}, "output": None},
    )


def test_a_worker_that_is_told_to_stop_while_it_begins_leaves_that_to_the_next_look(
    elsewhere: Elsewhere,
) -> None:
    run = replace(elsewhere.begin(HOUR), handle=None, callback_by_ms=None)
    job = elsewhere.world.stored_job(run.job_id)
    begun = Following({"type": "dummy", "work": {}}, {}, 60)
    concluder = elsewhere.world.worker._concluder
    after = concluder.settled(job, run, begun, cancelled=True).after
    assert (after.status, after.lease_ms, after.callback_by_ms) == (
        "WAITING",
        elsewhere.world.clock.now_ms(),
        NOON + 60_000,
    )
    again = concluder.settled(job, after, Failed("unknown", "told to stop"), cancelled=True).after
    assert (again.status, again.lease_ms) == ("WAITING", elsewhere.world.clock.now_ms())
    assert concluder.settled(job, after, Succeeded({}), cancelled=True).after.status == "SUCCEEDED"


def test_a_heartbeat_of_a_look_holds_the_run_for_another_look(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(HOUR)
    world = elsewhere.world
    job = world.stored_job(run.job_id)
    seen: list[int] = []

    def beaten() -> None:
        world.clock.ms += 20_000
        looking = world.run(run.id)
        beat(world.engine, Admission(world.engine), Active(job, looking, 0))
        seen.append(world.run(run.id).lease_ms - world.clock.now_ms())

    elsewhere.instead[1] = beaten
    elsewhere.after(10, run)
    assert seen == [40_000], "the job's own time limit counts from the attempt's start, and is long over"


def test_the_slots_of_limits_are_held_through_all_looks_and_left_with_the_last(elsewhere: Elsewhere) -> None:
    limit(elsewhere.world.db, tenant={"concurrency": 1})
    run = elsewhere.begin(HOUR)
    assert len(run.leases) == 1
    elsewhere.after(HOUR / 2, run)
    second = trigger(elsewhere.world.engine, TENANT, run.job_id)
    second = elsewhere.after(30, second)
    assert second.status == "PENDING", "it waits for the slot"
    assert elsewhere.after(HOUR, run).status == "SUCCEEDED"
    assert elsewhere.world.run(second.id).status == "WAITING"
    elsewhere.after(HOUR, second)
    assert taken_up(elsewhere.world) == []
