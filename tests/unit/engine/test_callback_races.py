"""Callback, worker, deadline and cancel at the same moment: whoever writes first wins, and the others see it."""

from collections.abc import Callable

import pytest

from chalicelib.domain.errors import AttemptOver, ChronosError, Conflict, RunCancelled
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, Succeeded, Waiting
from chalicelib.domain.progress import Progress
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.message import decode
from chalicelib.engine.records import run_key
from chalicelib.engine.running.callback import concluded
from chalicelib.engine.running.signing import callback_url
from chalicelib.features.callbacks import service
from chalicelib.features.jobs.trigger import trigger
from chalicelib.features.runs.service import cancel
from chalicelib.ports.table import Item, Key
from tests.support.interference import interfered
from tests.support.world import NOON, TENANT, WatchedRuns, World

DONE, BROKEN = Succeeded({"callback": 1}), Failed("callback_failed", "no")
RETRY = {"strategy": "fixed", "initial_delay_seconds": 20, "jitter": "none", "max_attempts": 2}


class Remembered(WatchedRuns):
    """Answers the next reads with what was true a moment before: so late is the reader."""

    def __init__(self) -> None:
        super().__init__()
        self.former: list[Item] = []

    def get(self, key: Key) -> Item | None:
        return self.former.pop(0) if self.former else super().get(key)


class Race:
    """A run that is accepted elsewhere, in a world where reads can be late, and somebody can come first."""

    def __init__(self, *, deadline: int = 60) -> None:
        self.world = World()
        self.db = interfered(self.world)
        self.runs = self.db.runs = Remembered()
        self.while_running: Item = {}
        self.world.outcome = self._accept
        job = self.world.job(
            {"kind": "manual"},
            callback={"deadline_seconds": deadline},
            retry=RETRY,
            concurrency={"policy": "queue"},
        )
        self.id = trigger(self.world.engine, TENANT, job.id).id

    def _accept(self, _job: Job, run: Run) -> Outcome:
        self.while_running = self.runs.items[run_key(TENANT, run.id)].copy()
        return Waiting({})

    @property
    def stored(self) -> Item:
        return self.runs.items[run_key(TENANT, self.id)]

    @property
    def run(self) -> Run:
        return self.world.run(self.id)

    def say(self, outcome: Succeeded | Failed) -> Run:
        token = callback_url(self.world.secrets, self.run).rpartition("/")[2]
        return service.end(self.world.engine, token, outcome)

    def slots(self) -> list[str]:
        return [str(each["run"]) for each in self.db.runs.query(f"{TENANT}#{self.run.job_id}#slots").items]


def first(race: Race, act: Callable[[], object]) -> None:
    """Somebody does this just before the next transaction."""
    race.db.before, race.db.times = act, 1


@pytest.mark.parametrize(("outcome", "status"), [(DONE, "SUCCEEDED"), (BROKEN, "RETRYING")])
def test_a_callback_just_before_the_worker_writes_down_that_it_waits(
    outcome: Succeeded | Failed, status: str
) -> None:
    race = Race()
    accept = race.world.outcome

    def accepted(job: Job, run: Run) -> Outcome:
        first(race, lambda: race.say(outcome))
        return accept(job, run)

    race.world.outcome = accepted
    race.world.advance(1)
    assert race.run.status == status
    race.world.outcome = lambda _job, _run: Succeeded({})
    race.world.advance(120)
    assert race.run.status == "SUCCEEDED"
    assert len(race.world.executed) == (1 if outcome is DONE else 2)
    assert race.slots() == []
    assert not [line for line in race.world.telemetry.lines if line[0] == "warning"]


@pytest.mark.parametrize(("outcome", "status"), [(DONE, "SUCCEEDED"), (BROKEN, "RETRYING")])
def test_a_callback_that_still_saw_it_running_looks_again(outcome: Succeeded | Failed, status: str) -> None:
    race = Race()
    race.world.advance(1)
    token = callback_url(race.world.secrets, race.run).rpartition("/")[2]
    race.runs.former = [race.while_running]
    assert service.end(race.world.engine, token, outcome).status == status
    assert race.run.attempts[0].result == {"accepted": {}, **({"callback": 1} if outcome is DONE else {})}


def test_a_worker_whose_callback_was_faster_rings_no_retry_of_its_own() -> None:
    race = Race()

    def fails(_job: Job, run: Run) -> Outcome:
        if run.attempt > 1:
            return DONE
        first(race, lambda: race.say(BROKEN))
        race.world.clock.ms += 5_000
        return Failed("connection", "It broke off.")

    race.world.outcome = fails
    race.world.advance(1)
    retry_ms = race.run.retry_ms
    rung = [at_ms for at_ms, body in race.world.queue.sent if decode(body).attempt == 2]
    assert len(rung) == 1
    race.world.advance(60)
    assert [at_ms for run, at_ms in race.world.executed if run.attempt == 2] == [retry_ms]


def test_a_callback_just_before_the_deadline_is_written_down_wins() -> None:
    race = Race()
    race.world.advance(1)
    race.world.clock.ms += 60_000
    first(race, lambda: race.say(DONE))
    race.world.deliver()
    assert race.run.status == "SUCCEEDED"
    race.world.advance(120)
    assert (race.run.status, len(race.world.executed), race.slots()) == ("SUCCEEDED", 1, [])


@pytest.mark.parametrize("outcome", [DONE, BROKEN])
def test_a_callback_just_after_the_deadline_was_written_down_loses(outcome: Succeeded | Failed) -> None:
    race = Race()
    race.world.advance(1)
    token, before = callback_url(race.world.secrets, race.run).rpartition("/")[2], race.stored.copy()
    race.world.advance(61)
    assert race.run.status == "RETRYING"
    race.runs.former = [before]
    with pytest.raises(AttemptOver):
        service.end(race.world.engine, token, outcome)
    assert race.run.status == "RETRYING"


def test_a_cancel_that_came_first_is_what_the_callback_hears() -> None:
    race = Race()
    race.world.advance(1)
    token, before = callback_url(race.world.secrets, race.run).rpartition("/")[2], race.stored.copy()
    cancel(race.world.engine, TENANT, race.id)
    race.runs.former = [before]
    with pytest.raises(RunCancelled):
        service.end(race.world.engine, token, DONE)
    race.runs.former = [before]
    with pytest.raises(RunCancelled):
        service.alive(race.world.engine, token, Progress(1, 1))
    assert (race.run.status, race.slots()) == ("CANCELLED", [])


def test_a_callback_that_came_first_is_what_the_cancel_hears() -> None:
    race = Race()
    race.world.advance(1)
    before = race.stored.copy()
    race.say(DONE)
    race.runs.former = [before]
    with pytest.raises(Conflict):
        cancel(race.world.engine, TENANT, race.id)
    assert race.run.status == "SUCCEEDED"


def test_a_cancel_between_a_failure_and_its_retry_stops_it() -> None:
    race = Race()
    seen: list[ChronosError] = []

    def failing(_job: Job, _run: Run) -> Outcome:
        first(race, lambda: cancel(race.world.engine, TENANT, race.id))
        try:
            race.say(BROKEN)
        except RunCancelled as error:
            seen.append(error)
        return Waiting({})

    race.world.outcome = failing
    race.world.advance(120)
    assert (race.run.status, len(seen), len(race.world.executed)) == ("CANCELLED", 1, 1)
    assert race.slots() == []


def test_two_callbacks_at_once_are_one() -> None:
    race = Race()
    race.world.advance(1)
    token, before = callback_url(race.world.secrets, race.run).rpartition("/")[2], race.stored.copy()
    race.say(DONE)
    race.runs.former = [before]
    assert service.end(race.world.engine, token, DONE) == race.run
    race.runs.former = [before]
    with pytest.raises(Conflict):
        service.end(race.world.engine, token, BROKEN)


@pytest.mark.parametrize(
    ("status", "starts", "retry_ms", "why"),
    [
        (RunStatus.RUNNING, 1, NOON + 1_000, "the worker whose request is answered is about to end"),
        (RunStatus.RUNNING, 2, NOON + 60_001, "another worker repeats the attempt, and does not know yet"),
        (RunStatus.WAITING, 2, NOON + 1_000, "nobody works on it"),
    ],
)
def test_a_retry_waits_for_the_worker_who_repeats_the_attempt(
    status: RunStatus, starts: int, retry_ms: int, why: str
) -> None:
    policy = {**RETRY, "initial_delay_seconds": 1}
    job = World().job({"kind": "manual"}, retry=policy)
    running = Run(
        id="run",
        tenant=TENANT,
        job_id=job.id,
        status=status,
        trigger="manual",
        nominal_ms=NOON,
        due_ms=NOON,
        schedule_revision=1,
        attempt=1,
        starts=starts,
        started_ms=NOON,
        first_started_ms=NOON,
        lease_ms=NOON + 60_000,
    )
    after = concluded(job, running, BROKEN, now_ms=NOON, fraction=0)
    assert (after.status, after.retry_ms) == (RunStatus.RETRYING, retry_ms), why
