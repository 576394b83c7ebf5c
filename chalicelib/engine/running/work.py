"""A worker's batch: hold each message until it is due, start its run, execute it, record how it ended."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from chalicelib.domain.cost import RECORDING_MS
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.lanes import Lane
from chalicelib.domain.outcome import Outcome
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.admission import Admission
from chalicelib.engine.flow.breakers import Breakers
from chalicelib.engine.flow.executions import Executions, owed
from chalicelib.engine.flow.limits import KnownLimits
from chalicelib.engine.flow.pacing import Pacer
from chalicelib.engine.flow.ticket import Ticket
from chalicelib.engine.ledger.meter import Meter
from chalicelib.engine.ledger.record import LOOK_SECONDS
from chalicelib.engine.message import BadMessage, Delivery, RunMessage, decode
from chalicelib.engine.records import decode_job
from chalicelib.engine.ringing.ring import ring_all
from chalicelib.engine.running.conclude import Concluder, Ended
from chalicelib.engine.running.heartbeat import Active, beat
from chalicelib.engine.running.starter import Starter
from chalicelib.engine.running.telling import store_rest, units_of
from chalicelib.engine.wheel.plan import Ring
from chalicelib.ports.contact import Contact
from chalicelib.ports.pool import Pool, Task
from chalicelib.ports.run_log import RunLog
from chalicelib.ports.table import Key

READ_AHEAD_MS = 40
"""How long before the due instant the jobs are read: the start that follows is in flight from then on."""
LINGER_SECONDS = 0.002
"""How long an ended attempt waits for others, so that they are recorded in one call."""

Execute = Callable[[Job, Run, float, Contact], Outcome]
"""Carries out one attempt, until the deadline (monotonic seconds) or until it is to stop. It never raises."""


class Worker:
    """Works off the batches of one lane. Attempts run in the pool; this thread holds, starts and records."""

    def __init__(self, engine: Engine, lane: Lane, execute: Execute, pool: Pool) -> None:
        self._engine, self._lane, self._execute, self._pool = engine, lane, execute, pool
        self._limits = KnownLimits(engine)
        self._starter, self._concluder = Starter(engine, self._limits), Concluder(engine, self._limits)
        self._admission = Admission(engine, self._limits)
        self._breakers = Breakers(engine, self._limits)
        self._pacer = Pacer(engine, self._limits)
        self._executions = Executions(engine)

    def work(self, deliveries: Sequence[Delivery], *, deadline: float) -> list[str]:
        """Work off a batch before `deadline` (monotonic seconds); the ids of the deliveries that must come again."""
        batch = _Batch(deadline, Meter(self._engine.clock.now_ms(), len(deliveries)))
        self._sort(deliveries, batch)
        while batch.agenda:
            due_ms = min(batch.agenda)
            tickets = batch.agenda.pop(due_ms)
            try:
                self._begin(due_ms, tickets, batch)
            except Unavailable as error:
                self._tell("A batch cannot start; its messages come again.", error)
                batch.again.update(ticket.delivery_id for ticket in tickets)
        self._record_until(None, batch)
        self._executions.settle(batch.owed)
        left = deadline - self._engine.clock.monotonic()
        self._pool.wait(batch.aside, max(0.0, left), for_all=True)
        return sorted(batch.again)

    def _sort(self, deliveries: Sequence[Delivery], batch: "_Batch") -> None:
        """Put what is due at one instant together; what is too early is rung again instead."""
        arrived_ms = self._engine.clock.now_ms()
        owner = self._engine.ids.random_bytes(8).hex()
        early: dict[str, RunMessage] = {}
        for number, delivery in enumerate(deliveries):
            try:
                message = decode(delivery.body)
            except BadMessage as error:
                self._engine.telemetry.warning("A message is not ours.", error=str(error))
                batch.again.add(delivery.id)
                continue
            if message.at_ms > arrived_ms + self._engine.settings.hold_limit_ms:
                early[delivery.id] = message
            else:
                batch.agenda[max(message.at_ms, arrived_ms)].append(
                    Ticket(delivery.id, message, f"{owner}{number}")
                )
        try:
            self._ring_again(early.values(), self._lane)
        except Unavailable as error:
            self._tell("Early messages cannot be rung again; they come again by themselves.", error)
            batch.again.update(early)
        for _ in range(len(deliveries) - sum(map(len, batch.agenda.values()))):
            batch.meter.leave(arrived_ms)

    def _begin(self, due_ms: int, tickets: list[Ticket], batch: "_Batch") -> None:
        self._hold_until(due_ms - READ_AHEAD_MS, batch)
        jobs = self._jobs(tickets, batch)
        tickets = [
            ticket
            for ticket in tickets
            if ticket.delivery_id not in batch.again and not self._belongs_elsewhere(ticket, jobs)
        ]
        tickets, later = self._pacer.paced(tickets, jobs, due_ms)
        for moment_ms, held in later.items():
            batch.agenda[moment_ms] += held
        tickets = self._executions.admitted(tickets, jobs, due_ms)
        self._hold_until(due_ms, batch)
        for ticket, run in self._starter.start_fresh(tickets, jobs):
            task = self._pool.submit(self._attempt, ticket, jobs.get(ticket.job_key), run, batch)
            batch.pending[task] = ticket.delivery_id

    def _belongs_elsewhere(self, ticket: Ticket, jobs: Mapping[Key, Job]) -> bool:
        """Whether the job was given another lane after dispatch: then the message moves there."""
        job = jobs.get(ticket.job_key)
        if job is None or self._engine.lane_of(job) == self._lane:
            return False
        self._ring_again([ticket.message], self._engine.lane_of(job))
        return True

    def _attempt(self, ticket: Ticket, job: Job | None, run: Run | None, batch: "_Batch") -> Ended | None:
        """In the pool: start the run if that is still to do, execute it; what became of it, None if it is not ours."""
        run = run or self._starter.start_one(ticket, job)
        batch.owed.append((ticket, owed(ticket, run)))
        if job is None and run is not None and run.handle is not None:
            job = self._starter.gone(run)
        if job is None or run is None:
            batch.meter.leave(self._engine.clock.now_ms())
            return None
        limit = job.timeout_seconds if run.handle is None else LOOK_SECONDS
        deadline = min(batch.deadline, self._engine.clock.monotonic() + limit)
        contact = Contact(RunLog(self._engine.clock.now_ms))
        active = Active(job, run, self._engine.clock.now_ms() + self._engine.settings.beat_ms, contact)
        with batch.keeping(active):
            outcome = self._execute(job, run, deadline, contact)
        log_units = units_of(run, active.telling)
        self._tell_rest(active, batch)
        if not active.cancelled:
            self._breakers.note(job, run, outcome)
        settled = self._concluder.settled(job, active.latest, outcome, cancelled=active.cancelled)
        ended = self._metered(settled, batch, log_units)
        if ended.after.is_final:
            return ended
        (self._concluder.retry if ended.is_retried else self._concluder.wait)(ended, deadline=batch.deadline)
        return None

    def _tell_rest(self, active: Active, batch: "_Batch") -> None:
        """Have the last lines stored beside the record: it does not wait for them."""
        if not active.telling.is_over:
            batch.aside.append(self._pool.submit(store_rest, self._engine, active.run, active.telling))

    def _metered(self, ended: Ended, batch: "_Batch", log_units: int) -> Ended:
        """With what the attempt took of this invocation, and its lines."""
        billed_ms = batch.meter.leave(self._engine.clock.now_ms()) + RECORDING_MS
        mb_ms = ended.after.mb_ms + billed_ms * self._engine.settings.memory_mb
        after = replace(
            ended.after,
            mb_ms=mb_ms,
            shares=ended.after.shares + batch.meter.share,
            log_units=ended.after.log_units + log_units,
        )
        return replace(ended, after=after)

    def _hold_until(self, at_ms: int, batch: "_Batch") -> None:
        self._record_until(at_ms, batch)
        while (ahead_ms := at_ms - self._engine.clock.now_ms()) > 0:
            self._engine.clock.sleep(ahead_ms / 1000)

    def _record_until(self, at_ms: int | None, batch: "_Batch") -> None:
        """Record attempts as they end, those of about the same moment together, until then or until none is left."""
        while batch.pending:
            now_ms = self._engine.clock.now_ms()
            if at_ms is not None and at_ms <= now_ms:
                return
            beat_ms = self._beat(batch, now_ms)
            next_ms = beat_ms if at_ms is None else min(at_ms, beat_ms)
            done = self._pool.wait(batch.pending, max(0, next_ms - now_ms) / 1000)
            if done and len(done) < len(batch.pending):
                done = self._pool.wait(batch.pending, LINGER_SECONDS, for_all=True)
            self._record(done, batch)

    def _beat(self, batch: "_Batch", now_ms: int) -> int:
        """Heartbeats of the attempts that are due for one; when to look next."""
        for active in batch.active():
            if active.beat_ms <= now_ms:
                beat(self._engine, self._admission, active)
        return min(
            (active.beat_ms for active in batch.active()), default=now_ms + self._engine.settings.beat_ms
        )

    def _record(self, done: Iterable[Task[Ended | None]], batch: "_Batch") -> None:
        ended, deliveries = [], []
        for task in done:
            delivery_id = batch.pending.pop(task)
            try:
                result = task.result()
            except Exception as error:  # noqa: BLE001 - one surprise must not cost the rest of the batch its records
                self._tell("A run could not be recorded; its message comes again.", error)
                batch.again.add(delivery_id)
                continue
            if result is not None:
                ended.append(result)
                deliveries.append(delivery_id)
        if not ended:
            return
        try:
            self._concluder.record(ended, deadline=batch.deadline)
            self._go_on(ended, batch)
        except Unavailable as error:
            self._tell("Results could not be recorded; their messages come again.", error)
            batch.again.update(deliveries)

    def _go_on(self, ended: Sequence[Ended], batch: "_Batch") -> None:
        """Let the backfills of these runs claim their next ones: in the pool, so that nothing that is due waits."""
        for tenant, identifier in dict.fromkeys((each.after.tenant, each.after.backfill) for each in ended):
            if identifier is not None:
                batch.aside.append(self._pool.submit(self._advance, tenant, identifier))

    def _advance(self, tenant: str, backfill_id: str) -> None:
        from chalicelib.engine.backfills import go_on

        go_on(self._engine, tenant, backfill_id)

    def _jobs(self, tickets: list[Ticket], batch: "_Batch") -> dict[Key, Job]:
        """The jobs that exist. Messages of a job that cannot be read come again."""
        jobs: dict[Key, Job] = {}
        limits = self._limits.unknown({ticket.message.tenant for ticket in tickets})
        plans = self._engine.plans.unknown(self._engine, {ticket.message.tenant for ticket in tickets})
        found = self._engine.db.catalog.get_many({ticket.job_key for ticket in tickets} | limits | plans)
        self._limits.learn(limits, found)
        self._engine.plans.learn(self._engine, plans, found)
        for key, item in found.items():
            if key in limits | plans:
                continue
            try:
                jobs[key] = decode_job(item)
            except ValueError as error:
                self._tell("A job cannot be read; its messages come again.", error)
                batch.again.update(ticket.delivery_id for ticket in tickets if ticket.job_key == key)
        return jobs

    def _ring_again(self, messages: Iterable[RunMessage], lane: Lane) -> None:
        rings = [Ring(lane, message) for message in messages]
        now_ms, lead_ms = self._engine.clock.now_ms(), self._engine.settings.lead_ms
        ring_all(self._engine.lanes, rings, now_ms=now_ms, lead_ms=lead_ms)

    def _tell(self, sentence: str, error: Exception) -> None:
        """Of what is not ours, only the kind: its message may hold a secret."""
        told = error.message if isinstance(error, Unavailable) else type(error).__name__
        self._engine.telemetry.warning(sentence, error=told)


@dataclass(slots=True)
class _Batch:
    """The state of one batch: what is still to begin, by its moment (epoch ms); attempts under way by their deliveries;
    the deliveries that must come again; what executions are still to be counted.
    """

    deadline: float
    meter: Meter
    agenda: dict[int, list[Ticket]] = field(default_factory=lambda: defaultdict(list))
    pending: dict[Task[Ended | None], str] = field(default_factory=dict)
    again: set[str] = field(default_factory=set)
    owed: list[tuple[Ticket, int]] = field(default_factory=list)
    aside: list[Task[None]] = field(default_factory=list)
    _active: dict[int, Active] = field(default_factory=dict)

    @contextmanager
    def keeping(self, active: Active) -> Iterator[None]:
        """The attempt has heartbeats as long as it lasts."""
        self._active[id(active)] = active
        try:
            yield
        finally:
            del self._active[id(active)]

    def active(self) -> list[Active]:
        return list(self._active.values())
