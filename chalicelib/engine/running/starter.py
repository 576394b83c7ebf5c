"""Starting runs: all fresh ones of an instant in one call, the others one by one after a look at their record."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.ids import bucket_of
from chalicelib.domain.job import Job, gone
from chalicelib.domain.outcome import Outcome
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.admission import Admission
from chalicelib.engine.flow.limits import KnownLimits
from chalicelib.engine.flow.start import (
    Cancel,
    Decision,
    Drop,
    GiveUp,
    Later,
    Look,
    Mine,
    Overdue,
    Skip,
    Start,
    StillWaiting,
    decide_start,
    is_too_late,
    refusal,
)
from chalicelib.engine.flow.ticket import Ticket
from chalicelib.engine.ledger import record
from chalicelib.engine.ledger.settle import lost, overdue, stopped
from chalicelib.engine.ledger.streak import write_end
from chalicelib.engine.message import STARTS_NOTHING
from chalicelib.engine.records import decode_run, run_key
from chalicelib.ports.table import ConditionFailed, Key

TRIES = 8
"""Conditional writes that may lose a race before the message is left to the queue's own redelivery."""


class Starter:
    """Carries out the decisions of `start.py`."""

    def __init__(self, engine: Engine, limits: KnownLimits) -> None:
        self._engine, self._limits = engine, limits
        self._admission = Admission(engine, limits)

    def start_fresh(
        self, tickets: Sequence[Ticket], jobs: Mapping[Key, Job]
    ) -> Iterable[tuple[Ticket, Run | None]]:
        """Start what is simply due, together. None beside those that need `start_one`."""
        runs: dict[str, Run] = {}
        for ticket in tickets:
            message = ticket.message
            job = jobs.get(ticket.job_key)
            if job is not None and self._is_simple(ticket, job) and message.run_id not in runs:
                runs[message.run_id] = self._started(record.new_run(message), job, ticket)
        won = self._write_first(runs)
        for ticket in tickets:
            run = won.get(ticket.message.run_id)
            yield ticket, run if run is not None and run.owner == ticket.owner else None

    def start_one(self, ticket: Ticket, job: Job | None) -> Run | None:
        """Decide by the run's record, and write the decision down; the run if it is ours to execute."""
        message = ticket.message
        for _ in range(TRIES):
            item = self._engine.db.runs.get(run_key(message.tenant, message.run_id))
            existing = decode_run(item) if item else None
            now_ms = self._engine.clock.now_ms()
            decision = decide_start(
                job, existing, message, owner=ticket.owner, now_ms=now_ms, has_room=ticket.has_room
            )
            try:
                run = self._carry_out(decision, ticket, job)
            except ConditionFailed:
                continue
            if message.called and existing is not None and isinstance(decision, Drop):
                self._admission.forget(message, existing)
            return run
        raise Unavailable("The run's record changes faster than it can be read.")

    def gone(self, run: Run) -> Job:
        """What stands for the run's job, which was deleted."""
        return gone(run.tenant, run.job_id, bucket_of(run.job_id, self._engine.settings.shards))

    def _is_simple(self, ticket: Ticket, job: Job) -> bool:
        message, now_ms = ticket.message, self._engine.clock.now_ms()
        if message.attempt > 1 or message.trigger != "schedule" or message.called:
            return False
        if STARTS_NOTHING in message.passed or not ticket.has_room:
            return False
        if job.concurrency.policy != "allow":
            return False
        if not self._limits.is_free(job) and self._admission.is_needed(
            job, message, None, record.new_run(message)
        ):
            return False
        is_late = is_too_late(job, message, message.due_ms, now_ms=now_ms)
        return not is_late and refusal(job, message, now_ms=now_ms) is None

    def _write_first(self, runs: Mapping[str, Run]) -> dict[str, Run]:
        if not runs:
            return {}
        expires_at = self._engine.settings.expires_at(self._engine.clock.now_ms())
        try:
            held = self._engine.db.runs.write_each(
                [record.first_start(run, expires_at) for run in runs.values()]
            )
        except Unavailable:
            return {}
        return {run.id: run for run, won in zip(runs.values(), held, strict=True) if won}

    def _started(self, run: Run, job: Job, ticket: Ticket) -> Run:
        return record.started(
            run,
            job,
            ticket.message,
            owner=ticket.owner,
            now_ms=self._engine.clock.now_ms(),
            margin_ms=self._engine.settings.lease_margin_ms,
        )

    def _carry_out(self, decision: Decision, ticket: Ticket, job: Job | None) -> Run | None:
        engine, message = self._engine, ticket.message
        now_ms = engine.clock.now_ms()
        match decision:
            case Mine(run):
                return run
            case Start(existing):
                assert job is not None
                run = self._started(record.to_start(message, existing), job, ticket)
                if self._admission.is_needed(job, message, existing, run):
                    return self._admission.enter(job, message, existing, run)
                first = record.first_start(run, engine.settings.expires_at(now_ms))
                engine.db.runs.write(record.takeover(run, existing) if existing else first)
                return run
            case Skip(reason, existing):
                expires_at = engine.settings.expires_at(now_ms)
                engine.db.runs.write(
                    record.skipping(message, reason, existing, now_ms=now_ms, expires_at=expires_at)
                )
                if existing:
                    self._admission.leave(job, existing)
            case Look(existing):
                return self._looking(existing, ticket, job)
            case Later(at_ms):
                record.look_again(engine, message, at_ms)
            case Drop():
                pass
            case _:
                self._look_after(decision, job)
        return None

    def _looking(self, existing: Run, ticket: Ticket, job: Job | None) -> Run | None:
        """The run, of whose work this worker sees how it is going; without its job that is stopped."""
        now_ms = self._engine.clock.now_ms()
        margin_ms = self._engine.settings.lease_margin_ms
        run = record.looking(existing, owner=ticket.owner, now_ms=now_ms, margin_ms=margin_ms)
        if job is None:
            job, run = self.gone(run), replace(run, cancel_ms=run.cancel_ms or now_ms)
        self._admission.take_along(job, run, now_ms + record.KEEP_SLOT_MS)
        self._engine.db.runs.write(record.look(run, existing))
        return run

    def _conclude(self, job: Job | None, existing: Run, outcome: Outcome) -> None:
        from chalicelib.engine.running.callback import conclude

        if conclude(self._engine, job, existing, outcome) is None:
            raise ConditionFailed

    def _look_after(self, decision: Decision, job: Job | None) -> None:
        """A run that has begun, and has nobody who works on it here."""
        engine, now_ms = self._engine, self._engine.clock.now_ms()
        match decision:
            case GiveUp(existing):
                dead = lost(existing, now_ms=now_ms)
                write_end(engine, job, dead, record.ending(dead, existing))
                self._admission.leave(job, existing)
            case Cancel(existing):
                engine.db.runs.write(record.ending(stopped(existing, now_ms=now_ms), existing))
                self._admission.leave(job, existing)
            case StillWaiting(run):
                if job:
                    self._admission.keep(job, run, now_ms + record.KEEP_SLOT_MS)
                shard = bucket_of(run.job_id, engine.settings.shards)
                engine.db.transact(*record.still_waiting(run, shard, now_ms))
            case Overdue(existing):
                self._conclude(job, existing, overdue(existing))
