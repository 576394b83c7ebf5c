"""A whole Chronos in memory: the real engine over the twins, with a clock that only moves when told."""

from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from chalicelib.domain.ids import bucket_of, job_id
from chalicelib.domain.job import Job
from chalicelib.domain.lanes import LANES
from chalicelib.domain.outcome import Outcome, Succeeded
from chalicelib.domain.run import TRANSITIONS, Run, RunStatus
from chalicelib.engine.core import Engine, EngineSettings
from chalicelib.engine.message import Delivery, decode
from chalicelib.engine.records import decode_job, decode_run, encode_job, job_key, run_key, run_partitions
from chalicelib.engine.ringing.dispatch import dispatch
from chalicelib.engine.running.dead_letters import bury
from chalicelib.engine.running.work import Worker
from chalicelib.engine.tick import tick
from chalicelib.engine.wheel.arm import first_timer
from chalicelib.engine.wheel.timers import Timer, decode_timer, encode_timer, partition
from chalicelib.ports.pool import Task
from chalicelib.ports.stop import Stop
from chalicelib.ports.table import Item, Put, Update, Write
from tests.support.mailbox import CheapHashing, MemoryMailer
from tests.support.memory import (
    ClockAside,
    FakeClock,
    FakeIds,
    MemoryDatabase,
    MemoryQueue,
    MemorySecrets,
    MemoryTable,
    MemoryTelemetry,
    key_of,
)

TENANT = "local"
PUBLIC_URL = "https://chronos.test/api"
SIGNING_KEYS = '[{"id": "one", "key": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}]'
TOKEN_KEYS = '[{"id": "first", "key": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="}]'
"""Made up, like all that is secret in tests."""
NOON = 1_800_014_400_000
"""2027-01-15T12:00:00Z, a Friday."""


class Inline:
    """A pool that carries out what is submitted at once."""

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(call(*args))
        except Exception as error:  # noqa: BLE001 - as the real executors do
            future.set_exception(error)
        return future

    def wait(
        self, tasks: Collection[Task[Any]], _seconds: float | None = None, *, for_all: bool = False
    ) -> list[Task[Any]]:
        return list(tasks)


class WatchedRuns(MemoryTable):
    """Refuses every change of a run's state that the transition table does not have."""

    _drawn = frozenset((arrow.source, arrow.target) for arrow in TRANSITIONS)

    def apply(self, write: Write) -> Item:
        before = self.items.get(key_of(write), {}).get("status")
        after = super().apply(write)
        if "status" in after and (before != after["status"] or self._starts_again(write)):
            arrow = (before and RunStatus(str(before)), RunStatus(str(after["status"])))
            assert arrow in self._drawn, f"no such transition: {arrow}"
        return after

    @staticmethod
    def _starts_again(write: Write) -> bool:
        return isinstance(write, Update) and "fence" in write.set


class World:
    """Jobs, ticks and workers under the test's control. `executed` lists (run, moment) of every attempt."""

    def __init__(self, now_ms: int = NOON, *, shards: int = 4) -> None:
        self.clock = FakeClock(now_ms)
        self.db = MemoryDatabase()
        self.db.runs = WatchedRuns()
        lanes = {lane: MemoryQueue(self.clock) for lane in LANES}
        self.queue, self.urgent_queue, self.long_queue = lanes["fast"], lanes["urgent"], lanes["long"]
        self.telemetry = MemoryTelemetry()
        self.secrets = MemorySecrets(signing_key=SIGNING_KEYS, token_keys=TOKEN_KEYS, public_url=PUBLIC_URL)
        self.hashing, self.mailer = CheapHashing(), MemoryMailer()
        self.engine = Engine(
            db=self.db,
            lanes=lanes,
            clock=self.clock,
            ids=FakeIds(),
            telemetry=self.telemetry,
            settings=EngineSettings(shards=shards, open_to_all=True),
            secrets=self.secrets,
            hashing=self.hashing,
            mailer=self.mailer,
        )
        self.executed: list[tuple[Run, int]] = []
        self.outcome: Callable[[Job, Run], Outcome] = lambda _job, _run: Succeeded({})
        self.pool = Inline()
        self.worker = Worker(self.engine, "fast", self._execute, self.pool)

    def _execute(self, job: Job, run: Run, _deadline: float, _stop: Stop) -> Outcome:
        self.executed.append((run, self.clock.now_ms()))
        return self.outcome(job, run)

    def job(self, schedule: Any, **fields: Any) -> Job:
        """Save a job with its first timer, as the api does; not yet rung."""
        now_ms = self.clock.now_ms()
        identity = job_id(now_ms, self.engine.ids.random_bytes(10))
        job = Job.model_validate(
            {
                "name": "nightly",
                "type": "dummy",
                "schedule": schedule,
                "id": identity,
                "tenant": TENANT,
                "shard": bucket_of(identity, self.engine.settings.shards),
                "created_ms": now_ms,
                "updated_ms": now_ms,
                **fields,
            }
        )
        self.save(job)
        timer = first_timer(job, now_ms)
        if timer:
            self.db.timers.write(Put(encode_timer(timer)))
        return job

    def save(self, job: Job) -> Job:
        self.db.catalog.write(Put(encode_job(job)))
        return job

    def change(self, job: Job, **fields: Any) -> Job:
        return self.save(job.model_copy(update=fields))

    def tick(self) -> int:
        """One tick. Workers go on while it waits for the phase of the second."""
        engine = replace(self.engine, clock=ClockAside(self.clock))
        shards = range(engine.settings.shards)
        return tick(engine, shards, group=0, deadline=self.clock.monotonic() + 50)

    def dispatch(self, *timers: Timer) -> int:
        return dispatch(self.engine, timers)

    def deliver(self, size: int = 10, *, seconds: float = 85) -> list[str]:
        """Hand what is visible to the workers, `size` at a time; the messages that must come again.

        What is urgent has a worker of its own, like the other one.
        """
        urgent = Worker(self.engine, "urgent", self.worker._execute, self.worker._pool)
        again: list[str] = []
        for queue, worker in ((self.urgent_queue, urgent), (self.queue, self.worker)) * 2:
            while batch := queue.take_visible():
                for start in range(0, len(batch), size):
                    deliveries = [Delivery(body, body) for body in batch[start : start + size]]
                    again += worker.work(deliveries, deadline=self.clock.monotonic() + seconds)
        return again

    def bury(self, *bodies: str) -> list[str]:
        return bury(self.engine, [Delivery(body, body) for body in bodies])

    def advance(self, seconds: float) -> None:
        """Let time pass second by second: messages are delivered as they appear, a tick comes each minute."""
        end_ms = self.clock.ms + seconds * 1000
        ticked = None
        while self.clock.ms < end_ms:
            if (minute := self.clock.now_ms() // 60_000) != ticked:
                ticked = minute
                self.tick()
            self.deliver()
            self.clock.ms = min(end_ms, self.clock.now_ms() // 1000 * 1000 + 1000)  # type: ignore[assignment]
        self.deliver()

    def runs(self) -> list[Run]:
        items = [
            item for pk in run_partitions(TENANT) for item in self.db.runs.query(pk, limit=100_000).items
        ]
        return sorted((decode_run(item) for item in items), key=lambda run: run.id)

    def run(self, run_id: str) -> Run:
        item = self.db.runs.get(run_key(TENANT, run_id))
        assert item is not None
        return decode_run(item)

    def stored_job(self, job_id: str) -> Job:
        return decode_job(self.db.catalog.items[job_key(TENANT, job_id)])

    @staticmethod
    def run_of(body: str) -> str:
        """The run that a message rings."""
        return decode(body).run_id

    def timers(self) -> list[Timer]:
        shards = range(self.engine.settings.shards)
        items = [item for shard in shards for item in self.db.timers.query(partition(shard)).items]
        return sorted((decode_timer(item) for item in items), key=lambda timer: timer.due_ms)

    def skips(self, job: Job) -> list[tuple[int, int, str]]:
        items = self.db.runs.query(f"{TENANT}#{job.id}#skips").items
        return [
            (int(str(i["sk"]).split("#")[0]), int(i["last_ms"]), str(i["sk"]).split("#")[1]) for i in items
        ]
