"""Runs that wait for a callback, over the twins: who ends them, in which order, and what it leaves behind."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from chalicelib.domain.errors import AttemptOver, Conflict, RunCancelled, Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, Succeeded, Waiting
from chalicelib.domain.progress import Progress
from chalicelib.domain.run import Run
from chalicelib.engine.message import Delivery
from chalicelib.engine.records import decode_job, job_key, run_key
from chalicelib.engine.running.signing import callback_url
from chalicelib.features.callbacks import service
from chalicelib.features.jobs.service import delete
from chalicelib.features.jobs.trigger import trigger
from chalicelib.features.runs.service import cancel
from tests.support.limited import limit, taken_up, with_targets
from tests.support.world import NOON, TENANT, World

HOUR = 3600
ACCEPTED = {"status": 202}
DONE, BROKEN = Succeeded({"callback": {"rows": 3}}), Failed("callback_failed", "The disk is full.")
RETRY = {"strategy": "fixed", "initial_delay_seconds": 20, "jitter": "none"}


class Killed(BaseException):
    """The end of a worker, at any instruction."""


@dataclass
class Elsewhere:
    """A world whose attempts are accepted elsewhere. `tokens` are those that were given out, one a start."""

    world: World = field(default_factory=World)
    tokens: list[str] = field(default_factory=list)
    meanwhile: Callable[[str], object] = lambda _token: None
    answer: Outcome = field(default_factory=lambda: Waiting(ACCEPTED))

    def __post_init__(self) -> None:
        self.world.outcome = self._attempt

    def _attempt(self, _job: Job, run: Run) -> Outcome:
        token = callback_url(self.world.secrets, run).rpartition("/")[2]
        self.tokens.append(token)
        self.meanwhile(token)
        return self.answer

    def begin(self, *, deadline: int = HOUR, heartbeat: int | None = None, **fields: Any) -> Run:
        """A triggered run, accepted."""
        callback = {"deadline_seconds": deadline, "heartbeat_seconds": heartbeat}
        job = self.world.job({"kind": "manual"}, callback=callback, **fields)
        run = trigger(self.world.engine, TENANT, job.id)
        self.world.advance(1)
        return self.world.run(run.id)

    def say(self, outcome: Succeeded | Failed, token: str | None = None) -> Run:
        return service.end(self.world.engine, token or self.tokens[-1], outcome)

    def beat(self, progress: Progress | None = None) -> Run:
        return service.alive(self.world.engine, self.tokens[-1], progress)


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


def slots(world: World, run: Run) -> list[str]:
    return [str(item["run"]) for item in world.db.runs.query(f"{TENANT}#{run.job_id}#slots").items]


def test_an_accepted_attempt_waits_without_a_worker(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin()
    assert run.status == "WAITING"
    assert (run.callback_by_ms, run.lease_ms) == (NOON + HOUR * 1000,) * 2
    [attempt] = run.attempts
    assert (attempt.outcome, attempt.finished_ms, attempt.result) == ("waiting", None, ACCEPTED)
    elsewhere.world.advance(HOUR / 2)
    assert len(elsewhere.world.executed) == 1
    assert elsewhere.world.run(run.id) == run


def test_a_run_is_kept_as_long_after_its_deadline_as_others_after_their_start(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(deadline=14 * 24 * HOUR)
    stored = elsewhere.world.db.runs.get(run_key(TENANT, run.id)) or {}
    assert stored["expires_at"] == elsewhere.world.engine.settings.expires_at(run.callback_by_ms or 0)


def test_a_success_ends_the_run_with_what_both_sides_said(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin()
    elsewhere.world.advance(60)
    assert elsewhere.say(DONE).status == "SUCCEEDED"
    ended = elsewhere.world.run(run.id)
    [attempt] = ended.attempts
    assert attempt.result == {"accepted": ACCEPTED, "callback": {"rows": 3}}
    assert (attempt.started_ms, attempt.finished_ms) == (NOON, ended.finished_ms)
    elsewhere.world.advance(2 * HOUR)
    assert elsewhere.world.run(run.id) == ended, "the timer of the deadline finds nothing to do"
    assert elsewhere.world.timers() == []


def test_a_failure_is_retried_as_the_policy_says(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(retry={**RETRY, "max_attempts": 2})
    assert elsewhere.say(BROKEN).status == "RETRYING"
    elsewhere.world.advance(21)
    again = elsewhere.world.run(run.id)
    assert (again.status, again.attempt) == ("WAITING", 2)
    assert again.callback_by_ms == (again.started_ms or 0) + HOUR * 1000
    assert elsewhere.say(BROKEN).status == "FAILED"
    assert elsewhere.world.run(run.id).dead
    assert [each.outcome for each in elsewhere.world.run(run.id).attempts] == ["failed", "failed"]


@pytest.mark.parametrize(
    ("failed", "policy", "status", "why"),
    [
        (replace(BROKEN, retryable=False), {}, "FAILED", "the other side knows better"),
        (Failed("http_4xx", "", 404, retryable=True), {}, "RETRYING", "it asks for another try"),
        (replace(BROKEN, retryable=True), {"retry_on": ["database"]}, "FAILED", "the policy names its kinds"),
        (replace(BROKEN, retryable=True), {"give_up_on": ["callback_failed"]}, "FAILED", "it is given up on"),
        (BROKEN, {"max_attempts": 1}, "FAILED", "there was one attempt"),
    ],
)
def test_the_other_side_may_say_whether_another_try_is_worth_it(
    elsewhere: Elsewhere, failed: Failed, policy: dict[str, Any], status: str, why: str
) -> None:
    elsewhere.begin(retry={**RETRY, **policy})
    assert elsewhere.say(failed).status == status, why


@pytest.mark.parametrize("policy", ["allow", "queue"])
def test_a_callback_that_does_not_come_times_out_at_its_deadline(elsewhere: Elsewhere, policy: str) -> None:
    run = elsewhere.begin(retry={**RETRY, "max_attempts": 2}, concurrency={"policy": policy})
    elsewhere.world.advance(HOUR - 10)
    assert elsewhere.world.run(run.id).status == "WAITING"
    elsewhere.world.advance(10)
    assert elsewhere.world.run(run.id).status == "RETRYING"
    elsewhere.world.advance(HOUR + 30)
    ended = elsewhere.world.run(run.id)
    assert ended.status == "TIMED_OUT"
    assert [each.outcome for each in ended.attempts] == ["timed_out"] * 2
    assert [(each.error or {})["kind"] for each in ended.attempts] == ["callback_timeout"] * 2
    assert slots(elsewhere.world, run) == []


def test_a_deadline_shorter_than_the_request_is_over_at_once(elsewhere: Elsewhere) -> None:
    elsewhere.meanwhile = lambda _token: elsewhere.world.clock.sleep(5)
    run = elsewhere.begin(deadline=2, retry={"max_attempts": 1})
    elsewhere.world.advance(1)
    assert elsewhere.world.run(run.id).status == "TIMED_OUT"


def test_heartbeats_keep_it_waiting_and_silence_ends_it(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(heartbeat=60, retry={"max_attempts": 1})
    for _ in range(10):
        elsewhere.world.advance(50)
        elsewhere.beat()
    assert elsewhere.world.run(run.id).status == "WAITING"
    elsewhere.world.advance(180)
    ended = elsewhere.world.run(run.id)
    assert ended.status == "TIMED_OUT"
    assert (ended.attempts[0].error or {})["message"] == "It gave no sign of life for 60 seconds."


def test_heartbeats_do_not_outlast_the_deadline(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(deadline=100, heartbeat=60, retry={"max_attempts": 1})
    for _ in range(2):
        elsewhere.world.advance(45)
        beaten = elsewhere.beat()
    assert beaten.lease_ms == run.callback_by_ms
    elsewhere.world.advance(100)
    assert elsewhere.world.run(run.id).status == "TIMED_OUT"


def test_a_report_is_a_sign_of_life_and_the_latest_is_kept(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(heartbeat=60)
    clock = elsewhere.world.clock
    elsewhere.world.advance(50)
    first = Progress(10, clock.now_ms(), "begun", {"rows": 1})
    assert elsewhere.beat(first).progress == first
    assert elsewhere.beat(Progress(11, clock.now_ms())).progress == first, "two reports at once are one write"
    elsewhere.world.advance(50)
    second = Progress(90, clock.now_ms())
    elsewhere.beat(second)
    assert elsewhere.world.run(run.id).progress == second
    elsewhere.say(DONE)
    assert elsewhere.world.run(run.id).progress == second


def test_saying_the_same_again_changes_nothing(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin()
    elsewhere.say(DONE)
    ended = elsewhere.world.run(run.id)
    assert elsewhere.say(Succeeded({"callback": "something else"})) == ended
    with pytest.raises(Conflict):
        elsewhere.say(BROKEN)
    with pytest.raises(AttemptOver):
        elsewhere.beat()
    assert elsewhere.world.run(run.id) == ended


def test_a_failure_may_be_repeated_while_the_next_attempt_is_awaited_and_not_after(
    elsewhere: Elsewhere,
) -> None:
    run = elsewhere.begin(retry=RETRY)
    first = elsewhere.tokens[0]
    elsewhere.say(BROKEN)
    assert elsewhere.say(BROKEN).status == "RETRYING"
    with pytest.raises(Conflict):
        elsewhere.say(DONE)
    elsewhere.world.advance(21)
    for outcome in (DONE, BROKEN):
        with pytest.raises(AttemptOver):
            elsewhere.say(outcome, first)
    assert elsewhere.world.run(run.id).status == "WAITING"


def test_who_comes_after_the_deadline_finds_the_attempt_over(elsewhere: Elsewhere) -> None:
    elsewhere.begin(deadline=100, retry={"max_attempts": 1})
    elsewhere.world.advance(110)
    for call in (lambda: elsewhere.say(DONE), lambda: elsewhere.say(BROKEN), elsewhere.beat):
        with pytest.raises(AttemptOver):
            call()


def test_a_late_result_counts_as_long_as_nobody_has_given_it_up(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(deadline=100)
    elsewhere.world.clock.ms += 150_000
    elsewhere.say(DONE)
    elsewhere.world.advance(60)
    assert elsewhere.world.run(run.id).status == "SUCCEEDED"


@pytest.mark.parametrize("policy", ["allow", "queue"])
def test_a_waiting_run_is_cancelled_at_once_and_its_work_learns_of_it(
    elsewhere: Elsewhere, policy: str
) -> None:
    run = elsewhere.begin(concurrency={"policy": policy})
    assert cancel(elsewhere.world.engine, TENANT, run.id).status == "CANCELLED"
    assert [each.outcome for each in elsewhere.world.run(run.id).attempts] == ["cancelled"]
    assert slots(elsewhere.world, run) == []
    for call in (lambda: elsewhere.say(DONE), lambda: elsewhere.say(BROKEN), elsewhere.beat):
        with pytest.raises(RunCancelled):
            call()
    elsewhere.world.advance(2 * HOUR)
    assert elsewhere.world.run(run.id).status == "CANCELLED"


@pytest.mark.parametrize("outcome", [DONE, BROKEN])
def test_a_callback_that_comes_before_the_answer_to_its_request_counts(
    elsewhere: Elsewhere, outcome: Succeeded | Failed
) -> None:
    elsewhere.meanwhile = lambda token: elsewhere.say(outcome, token)
    run = elsewhere.begin(retry={"max_attempts": 1}, concurrency={"policy": "queue"})
    assert run.status == ("SUCCEEDED" if outcome is DONE else "FAILED")
    assert run.attempts[0].result == outcome.result
    assert slots(elsewhere.world, run) == []
    elsewhere.world.advance(2 * HOUR)
    assert elsewhere.world.run(run.id) == run
    assert not [line for line in elsewhere.world.telemetry.lines if "too late" in line[1]]


@pytest.mark.parametrize("answer", [Failed("timeout", "slow"), Failed("http_5xx", "", 500), Succeeded({})])
def test_it_counts_too_when_the_answer_says_otherwise(elsewhere: Elsewhere, answer: Outcome) -> None:
    elsewhere.meanwhile = lambda token: elsewhere.say(DONE, token)
    elsewhere.answer = answer
    run = elsewhere.begin(retry=RETRY)
    elsewhere.world.advance(60)
    assert elsewhere.world.run(run.id).status == "SUCCEEDED"
    assert len(elsewhere.tokens) == 1


def test_a_sign_of_life_before_the_answer_leaves_the_lease_to_the_worker(elsewhere: Elsewhere) -> None:
    seen = []
    told = Progress(5, NOON)
    elsewhere.meanwhile = lambda token: seen.append(service.alive(elsewhere.world.engine, token, told))
    run = elsewhere.begin(heartbeat=60)
    assert [(each.status, each.progress, each.lease_ms) for each in seen] == [
        ("RUNNING", told, NOON + 40_000)
    ]
    assert (run.status, run.progress) == ("WAITING", told)


def killed_after_it_was_accepted(elsewhere: Elsewhere, **fields: Any) -> tuple[Run, str]:
    """A run whose worker died before it had written down that it waits; and its message."""
    world = elsewhere.world

    def die(_token: str) -> None:
        raise Killed

    elsewhere.meanwhile = die
    job = world.job({"kind": "manual"}, callback={"deadline_seconds": HOUR}, **fields)
    run = trigger(world.engine, TENANT, job.id)
    [body] = world.queue.take_visible()
    with suppress(Killed):
        world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 80)
    elsewhere.meanwhile = lambda _token: None
    return world.run(run.id), body


def test_a_callback_for_a_dead_workers_attempt_ends_the_run(elsewhere: Elsewhere) -> None:
    run, body = killed_after_it_was_accepted(elsewhere)
    elsewhere.world.clock.ms += 100_000
    assert elsewhere.say(DONE).status == "SUCCEEDED"
    elsewhere.world.worker.work([Delivery("1", body)], deadline=elsewhere.world.clock.monotonic() + 80)
    assert elsewhere.world.run(run.id).status == "SUCCEEDED"
    assert len(elsewhere.world.executed) == 1, "it was not started again"


def test_the_address_of_a_start_whose_worker_died_is_good_after_the_next_start(elsewhere: Elsewhere) -> None:
    run, body = killed_after_it_was_accepted(elsewhere, concurrency={"policy": "forbid"})
    elsewhere.world.clock.ms += 100_000
    elsewhere.world.worker.work([Delivery("1", body)], deadline=elsewhere.world.clock.monotonic() + 80)
    again = elsewhere.world.run(run.id)
    assert (again.status, again.attempt, again.fence) == ("WAITING", 1, 2)
    assert elsewhere.say(DONE, elsewhere.tokens[0]).status == "SUCCEEDED"
    assert elsewhere.say(DONE, elsewhere.tokens[1]).status == "SUCCEEDED", "both speak for the attempt"


def test_a_run_that_was_asked_to_stop_does_not_begin_to_wait(elsewhere: Elsewhere) -> None:
    world = elsewhere.world
    elsewhere.meanwhile = lambda _token: cancel(world.engine, TENANT, world.runs()[0].id)
    run = elsewhere.begin(concurrency={"policy": "queue"})
    assert run.status == "CANCELLED"
    assert [each.outcome for each in run.attempts] == ["cancelled"]
    assert slots(world, run) == []
    assert world.timers() == []


@pytest.mark.parametrize(("outcome", "status"), [(DONE, "SUCCEEDED"), (BROKEN, "CANCELLED")])
def test_what_was_asked_to_stop_may_still_succeed_and_is_not_retried(
    elsewhere: Elsewhere, outcome: Succeeded | Failed, status: str
) -> None:
    world = elsewhere.world

    def cancelled_and_then(token: str) -> None:
        cancel(world.engine, TENANT, world.runs()[0].id)
        with pytest.raises(RunCancelled):
            elsewhere.beat()
        with suppress(RunCancelled):
            elsewhere.say(outcome, token)

    elsewhere.meanwhile = cancelled_and_then
    assert elsewhere.begin(retry=RETRY).status == status


def test_a_waiting_run_keeps_its_slot_for_days_and_frees_it_at_its_end(elsewhere: Elsewhere) -> None:
    world, rule = elsewhere.world, {"policy": "queue"}
    first = elsewhere.begin(deadline=48 * HOUR, concurrency=rule)
    second = trigger(world.engine, TENANT, first.job_id)
    for _ in range(10):
        world.advance(0.5 * HOUR)
        assert slots(world, first).count(first.id) == 1
    assert world.run(second.id).status == "PENDING"
    elsewhere.say(DONE)
    world.advance(2)
    assert world.run(second.id).status == "WAITING"


@pytest.mark.parametrize("outcome", [DONE, BROKEN, None])
def test_a_waiting_run_keeps_its_slots_at_the_gates_of_its_target_and_tenant(
    elsewhere: Elsewhere, outcome: Succeeded | Failed | None
) -> None:
    world = with_targets(elsewhere.world)
    limit(world.db, tenant={"concurrency": 1}, targets={"a": {"concurrency": 1}})
    fields = {"config": {"target": "a"}, "retry": {"max_attempts": 1}}
    first = elsewhere.begin(deadline=2 * HOUR, **fields)
    second = trigger(world.engine, TENANT, first.job_id)
    world.advance(1.9 * HOUR)
    assert [world.run(run.id).status for run in (first, second)] == ["WAITING", "PENDING"]
    assert taken_up(world).count(f"target:a slot {first.id}") == 1
    if outcome:
        elsewhere.say(outcome)
    world.advance(3 if outcome else 0.2 * HOUR)
    assert world.run(second.id).status == "WAITING"
    assert not [each for each in taken_up(world) if first.id in each]


def test_a_slot_that_nobody_could_leave_is_free_within_the_hour(elsewhere: Elsewhere) -> None:
    world = elsewhere.world
    first = elsewhere.begin(deadline=48 * HOUR, concurrency={"policy": "forbid"})
    world.advance(HOUR)
    kept = world.db.runs.query(f"{TENANT}#{first.job_id}#slots").items
    elsewhere.say(DONE)
    world.db.runs.put_all(kept)
    world.advance(HOUR)
    second = trigger(world.engine, TENANT, first.job_id)
    world.advance(2)
    assert world.run(second.id).status == "WAITING"


def test_messages_that_come_twice_leave_one_timer(elsewhere: Elsewhere) -> None:
    world = elsewhere.world
    run = elsewhere.begin(deadline=48 * HOUR, concurrency={"policy": "queue"})
    bodies = [timer.message.encode() for timer in world.timers()]  # type: ignore[union-attr]
    for _ in range(3):
        world.clock.ms += 70_000
        world.worker.work(
            [Delivery(str(each), body) for each, body in enumerate(bodies * 3)],
            deadline=world.clock.monotonic() + 80,
        )
    assert len([timer for timer in world.timers() if timer.due_ms > NOON]) == 1
    assert world.run(run.id).status == "WAITING"


def test_a_newer_run_replaces_one_that_waits(elsewhere: Elsewhere) -> None:
    world = elsewhere.world
    first = elsewhere.begin(concurrency={"policy": "replace"})
    second = trigger(world.engine, TENANT, first.job_id)
    world.advance(65)
    assert world.run(first.id).status == "CANCELLED"
    assert world.run(second.id).status == "WAITING"
    with pytest.raises(RunCancelled):
        elsewhere.say(DONE, elsewhere.tokens[0])


@pytest.mark.parametrize(
    ("outcome", "status"), [(DONE, "SUCCEEDED"), (BROKEN, "FAILED"), (None, "TIMED_OUT")]
)
def test_a_run_whose_job_is_deleted_is_still_waited_for_and_not_retried(
    elsewhere: Elsewhere, outcome: Succeeded | Failed | None, status: str
) -> None:
    run = elsewhere.begin(retry=RETRY)
    delete(elsewhere.world.engine, TENANT, run.job_id, None)
    if outcome:
        elsewhere.say(outcome)
    elsewhere.world.advance(HOUR + 10)
    assert elsewhere.world.run(run.id).status == status


@pytest.mark.parametrize("outcome", [BROKEN, None])
def test_callbacks_count_among_failures_in_a_row(elsewhere: Elsewhere, outcome: Failed | None) -> None:
    world = elsewhere.world
    fields = {"callback": {"deadline_seconds": 10}, "retry": {"max_attempts": 1}, "pause_after_failures": 1}
    job = world.job({"kind": "interval", "every": 60}, **fields)
    world.advance(61)
    if outcome:
        elsewhere.say(outcome)
    world.advance(120)
    assert len(elsewhere.tokens) == 1
    stored = decode_job(world.db.catalog.get(job_key(TENANT, job.id)) or {})
    assert (stored.status, stored.pause_cause) == ("paused", "failures")


def test_nobody_holds_a_worker_for_a_deadline_to_the_millisecond(elsewhere: Elsewhere) -> None:
    elsewhere.begin(deadline=100)
    slept = list(elsewhere.world.clock.slept)
    elsewhere.world.advance(102)
    assert elsewhere.world.runs()[0].status == "RETRYING"
    assert elsewhere.world.clock.slept == slept


def test_a_vanished_message_of_the_deadline_is_rung_again(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(deadline=100, retry={"max_attempts": 1})
    elsewhere.world.queue.sent.clear()
    elsewhere.world.advance(100 + 300)
    assert elsewhere.world.run(run.id).status == "TIMED_OUT"


def test_the_auditor_leaves_a_run_that_waits_alone(elsewhere: Elsewhere) -> None:
    elsewhere.begin(deadline=24 * HOUR, concurrency={"policy": "queue"})
    elsewhere.world.advance(HOUR)
    assert not [line for line in elsewhere.world.telemetry.lines if line[0] == "warning"]
    assert not elsewhere.world.db.audit.items


def test_looks_at_a_run_that_waits_are_no_starts_for_a_rate(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(deadline=60, retry={"max_attempts": 1}, rate={"limit": 1, "per_seconds": 3600})
    elsewhere.world.advance(61)
    assert elsewhere.world.run(run.id).status == "TIMED_OUT"


def test_the_overdue_run_of_dead_workers_is_buried(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin(deadline=100)
    [(_, body)] = elsewhere.world.queue.sent
    assert elsewhere.world.bury(body) == []
    assert elsewhere.world.run(run.id).status == "WAITING", "it may wait"
    elsewhere.world.clock.ms += 101_000
    assert elsewhere.world.bury(body) == []
    ended = elsewhere.world.run(run.id)
    assert (ended.status, ended.dead) == ("TIMED_OUT", True)


def test_an_executor_that_waits_for_what_the_job_does_not_ask_for_has_failed(elsewhere: Elsewhere) -> None:
    world = elsewhere.world
    world.outcome = lambda _job, _run: Waiting({})
    run = trigger(world.engine, TENANT, world.job({"kind": "manual"}, retry={"max_attempts": 1}).id)
    world.advance(1)
    assert world.run(run.id).status == "FAILED"


def test_another_attempt_without_a_callback_forgets_the_one_before(elsewhere: Elsewhere) -> None:
    world = elsewhere.world
    run = elsewhere.begin(retry=RETRY)
    elsewhere.say(BROKEN)
    stored = world.db.catalog.get(job_key(TENANT, run.job_id))
    world.change(decode_job(stored or {}), callback=None)
    elsewhere.answer = Succeeded({})
    world.advance(30)
    ended = world.run(run.id)
    assert (ended.status, ended.callback_by_ms) == ("SUCCEEDED", None)


def test_a_run_whose_job_cannot_be_read_is_not_decided(elsewhere: Elsewhere) -> None:
    run = elsewhere.begin()
    elsewhere.world.db.catalog.items[job_key(TENANT, run.job_id)]["doc"] = "{}"
    with pytest.raises(Unavailable):
        elsewhere.say(DONE)
    assert elsewhere.world.run(run.id).status == "WAITING"
