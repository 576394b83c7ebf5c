"""Carrying out what `slots.py` decides: entering a slot with the start, waiting for one, leaving it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chalicelib.domain.errors import Conflict, Unavailable
from chalicelib.domain.ids import bucket_of
from chalicelib.domain.job import Job
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.gate_records import place_key
from chalicelib.engine.flow.gatekeeper import Gatekeeper, Passage, call_ms_of
from chalicelib.engine.flow.gates import Gate
from chalicelib.engine.flow.limits import KnownLimits
from chalicelib.engine.flow.pacing import Pacer
from chalicelib.engine.flow.slot_records import (
    decode_place,
    decode_slot,
    free_for,
    place_item,
    slot_item,
    slot_key,
    slots_partition,
)
from chalicelib.engine.flow.slots import Candidate, Place, Refuse, Slot, Take, Wait, admit
from chalicelib.engine.ledger import record
from chalicelib.engine.ledger.cancel import ask_to_stop
from chalicelib.engine.message import RunMessage, decode
from chalicelib.engine.records import decode_run, encode_run, run_key
from chalicelib.engine.ringing.ring import ring_all
from chalicelib.engine.wheel.plan import Ring
from chalicelib.engine.wheel.timers import encode_timer
from chalicelib.ports.table import (
    Absent,
    Below,
    ConditionFailed,
    Delete,
    Is,
    Put,
    TableName,
    Write,
    all_of,
)

LOOK_AGAIN_MS = 60_000
"""Who waits is rung when a slot is left; should that ring be lost, it looks again by itself."""


class Admission:
    """The door of every run that has to find room: at its job, by its concurrency rule, and at the gates beside it."""

    def __init__(self, engine: Engine, limits: KnownLimits | None = None) -> None:
        self._engine = engine
        self._limits = limits or KnownLimits(engine)
        self._gates = Gatekeeper(engine, self._limits)
        self._pacer = Pacer(engine, self._limits)

    def is_needed(self, job: Job, message: RunMessage, existing: Run | None, run: Run) -> bool:
        """Whether the run has to pass the door; most need not."""
        if job.concurrency.policy != "allow" or (existing is not None and existing.waits is not None):
            return True
        return any(gate.has_queue or gate.name not in message.passed for gate in self._limits.gates(job, run))

    def enter(self, job: Job, message: RunMessage, existing: Run | None, started: Run) -> Run | None:
        """The run in its slots, started; None if it waits or is skipped. ConditionFailed if it should look again."""
        take = Take(None)
        if job.concurrency.policy != "allow":
            decision = self._admitted(job, message, existing, started)
            if decision is None:
                return None
            take = decision
        gates = self._limits.gates(job, started)
        passages, closed = self._gates.ask([gate for gate in gates if gate.has_queue], job, message)
        if closed is not None:
            if self._gates.queue_up(closed, job, message, existing, passages):
                raise ConditionFailed
            return None
        entry = _Entry(job, message, existing, replace(started, slot=take.slot), take, passages)
        rates = [gate for gate in gates if gate.rate and gate.name not in message.passed]
        return self._take_in_turn(entry, rates) if rates else self._take(entry)

    def _take_in_turn(self, entry: "_Entry", rates: list[Gate]) -> Run | None:
        """Hold the gates' slots until the moment that the rates allow, and start then; None if it is put off till then.

        Who has no slot yet asks for no moment, so that moments are given in the order of the queues. The job's own slot
        is taken with the start: a run that waits for its turn is not active, and nobody is skipped for it.
        """
        call_ms = call_ms_of(self._engine.lane_of(entry.job))
        self._hold(entry, self._engine.clock.now_ms() + call_ms)
        message, wait_ms = self._pacer.turn(rates, entry.message)
        if wait_ms > self._engine.settings.hold_limit_ms:
            self._hold(entry, message.at_ms + call_ms)
            self._pacer.put_off([(entry.job, message)], are_known=entry.existing is not None)
            return None
        self._engine.clock.sleep(wait_ms / 1000)
        return self._take(replace(entry, run=record.postponed(entry.run, wait_ms)))

    def _hold(self, entry: "_Entry", until_ms: int) -> None:
        writes = self._gates.hold(entry.passages, entry.run, entry.run.fence - 1, until_ms)
        if writes:
            self._engine.db.transact(*writes)

    def keep(self, job: Job, run: Run, until_ms: int) -> None:
        """Hold the run's slots longer, never shorter; nothing happens to those that are not its own any more.

        May be Unavailable.
        """
        self._keep_own(job, run, until_ms)
        self._gates.keep(run, until_ms)

    def take_along(self, job: Job, run: Run, until_ms: int) -> None:
        """As `keep`, for a run that is about to go on under another fence: before that is written."""
        self._keep_own(job, run, until_ms)
        self._gates.take_along(run, until_ms)

    def _keep_own(self, job: Job, run: Run, until_ms: int) -> None:
        if run.slot is not None:
            longer = all_of(Is("run", run.id), Below("until_ms", until_ms))
            self._try(Put(slot_item(job, run, until_ms), longer))

    def rest(self, job: Job, run: Run, until_ms: int) -> None:
        """Between two attempts: the job's own slot is kept, those at the gates are left to others."""
        self.keep(job, replace(run, leases=()), until_ms)
        self._leave_gates([run])

    def leave(self, job: Job | None, run: Run) -> None:
        """As `leave_all`, for one."""
        self.leave_all([(job, run)])

    def leave_all(self, runs: Sequence[tuple[Job | None, Run]]) -> None:
        """Free what the runs take up, and ring who waits longest. Best effort: leases and timers do it too, later."""
        for job, run in runs:
            if job is not None and (run.slot is not None or job.concurrency.policy != "allow"):
                self._leave_job(job, run)
        self._leave_gates([run for _, run in runs])

    def forget(self, message: RunMessage, run: Run) -> None:
        """The run was called, and has nothing to do with that: it is over, or goes on elsewhere. Best effort."""
        try:
            if run.waits is None or run.is_final:
                self._gates.forget(message)
            if run.is_final:
                self._gates.leave([run])
            else:
                self._gates.leave_late(message, run)
        except Unavailable as error:
            self._engine.telemetry.warning("A call is left to its end.", run_id=run.id, error=error.message)

    def _leave_gates(self, runs: Sequence[Run]) -> None:
        if not any(run.leases or run.waits is not None for run in runs):
            return
        try:
            self._gates.leave(runs)
        except Unavailable as error:
            self._engine.telemetry.warning("Slots are left to their leases.", error=error.message)

    def _admitted(self, job: Job, message: RunMessage, existing: Run | None, started: Run) -> Take | None:
        """The slot of the job's own that the run may take; None if it waits for one, or is skipped."""
        slots, places = self._read(job)
        now_ms = self._engine.clock.now_ms()
        wanted = Candidate(started.id, started.nominal_ms, started.starts > 1)
        decision = admit(job.concurrency, slots, places, wanted, now_ms=now_ms)
        match decision:
            case Take():
                return decision
            case Refuse(reason):
                expires_at = self._engine.settings.expires_at(now_ms)
                self._engine.db.runs.write(
                    record.skipping(message, reason, existing, now_ms=now_ms, expires_at=expires_at)
                )
            case Wait(place, victim, displaced):
                self._wait(job, message, existing, place, displaced)
                if victim:
                    self._cancel(job, victim)
        if existing is not None:
            self._leave_gates([existing])
        return None

    def _leave_job(self, job: Job, run: Run) -> None:
        try:
            slots, places = self._read(job)
            held = [("slot", slot.number) for slot in slots if slot.run_id == run.id]
            held += [("wait", place.number) for place in places if place.run_id == run.id]
            for kind, number in held:
                self._try(Delete(slot_key(job, kind, number), Is("run", run.id)))
            self._ring_next(job, [place for place in places if place.run_id != run.id])
        except Unavailable as error:
            self._engine.telemetry.warning("A slot is left to its lease.", run_id=run.id, error=error.message)

    def _take(self, entry: "_Entry") -> Run:
        """Start the run in its slots, in one transaction."""
        now_ms, existing = self._engine.clock.now_ms(), entry.existing
        leases = [(each.gate.name, each.how.slot) for each in entry.passages if each.how.slot is not None]
        is_trial = any(each.how.is_trial for each in entry.passages)
        run = replace(entry.run, leases=tuple(leases), trial=is_trial)
        if existing:
            start: Write = record.takeover(run, existing)
        else:
            start = record.first_start(run, self._engine.settings.expires_at(now_ms))
        writes: list[tuple[TableName, Write]] = [("runs", start)]
        if run.slot is not None:
            free = free_for(run.id, now_ms)
            writes.append(("runs", Put(slot_item(entry.job, run, run.lease_ms), free)))
        if entry.take.place is not None:
            key = slot_key(entry.job, "wait", entry.take.place)
            writes.append(("runs", Delete(key, Is("run", run.id))))
        if existing and existing.waits is not None:
            writes.append(("runs", Delete(place_key(run.tenant, existing.waits))))
        writes += self._gates.hold(entry.passages, run, run.fence, run.lease_ms)
        writes += self._gates.trials(entry.passages, run)
        self._engine.db.transact(*writes)
        return run

    def _wait(
        self, job: Job, message: RunMessage, existing: Run | None, place: int | None, displaced: Place | None
    ) -> None:
        """Take the place, with a record for people to see, and a timer that outlasts everybody."""
        now_ms = self._engine.clock.now_ms()
        expires_at = self._engine.settings.expires_at(now_ms)
        timer = record.timer_to_look_again(self._engine, message, next_look_ms(message.run_id, now_ms))
        writes: list[tuple[TableName, Write]] = [("timers", Put(encode_timer(timer)))]
        if place is not None:
            free = free_for(message.run_id, now_ms, displaced)
            writes.append(("runs", Put(place_item(job, message, place, now_ms), free)))
        if existing is None:
            waiting = replace(record.new_run(message), looked_ms=now_ms)
            writes.append(("runs", Put(encode_run(waiting, expires_at=expires_at), Absent())))
        else:
            writes += self._out_of_the_queue(existing, now_ms)
        if displaced:
            writes += self._skip(displaced)
        self._engine.db.transact(*writes)

    def _out_of_the_queue(self, existing: Run, now_ms: int) -> list[tuple[TableName, Write]]:
        """Who waits for the job's own slot waits at no gate: with one write, lest a later place is taken away."""
        if existing.waits is None:
            return [("runs", record.looked_at(existing, now_ms))]
        place = Delete(place_key(existing.tenant, existing.waits))
        return [("runs", record.left_place(existing, now_ms)), ("runs", place)]

    def _skip(self, displaced: Place) -> list[tuple[TableName, Write]]:
        message = decode(displaced.message)
        item = self._engine.db.runs.get(run_key(message.tenant, message.run_id))
        existing = decode_run(item) if item else None
        if existing is None or existing.status is not RunStatus.PENDING:
            return []
        now_ms = self._engine.clock.now_ms()
        return [("runs", record.skipping(message, "overlap", existing, now_ms=now_ms, expires_at=0))]

    def _cancel(self, job: Job, run_id: str) -> None:
        """Ask the victim to stop, if it is not over; the one who wants its slot looks again anyway.

        A refusal may come from our own first try, whose answer was lost: then the victim is read once more.
        """
        for _ in range(2):
            item = self._engine.db.runs.get(run_key(job.tenant, run_id))
            if item is None:
                return
            try:
                after = ask_to_stop(self._engine, decode_run(item))
            except ConditionFailed:
                continue
            except Conflict:
                return
            if after.status is RunStatus.CANCELLED:
                self.leave(job, after)
            return

    def _ring_next(self, job: Job, places: Sequence[Place]) -> None:
        now_ms = self._engine.clock.now_ms()
        waiting = [place for place in places if place.until_ms >= now_ms]
        if waiting:
            first = min(waiting, key=lambda place: place.rank)
            ring = Ring(self._engine.lane_of(job), decode(first.message))
            lead_ms = self._engine.settings.lead_ms
            ring_all(self._engine.lanes, [ring], now_ms=now_ms, lead_ms=lead_ms)

    def _read(self, job: Job) -> tuple[list[Slot], list[Place]]:
        items = self._engine.db.runs.query(slots_partition(job)).items
        slots = [decode_slot(item) for item in items if str(item["sk"]).startswith("slot#")]
        return slots, [decode_place(item) for item in items if str(item["sk"]).startswith("wait#")]

    def _try(self, write: Put | Delete) -> None:
        try:
            self._engine.db.runs.write(write)
        except ConditionFailed:
            return


def next_look_ms(run_id: str, now_ms: int) -> int:
    """When a run that waits looks again: in half a minute to one and a half, at its own second of the minute. Pure.

    So all messages that a run has at a time lead to one timer, and do not become more.
    """
    own_ms = bucket_of(run_id, LOOK_AGAIN_MS)
    return now_ms + LOOK_AGAIN_MS // 2 + (own_ms - now_ms - LOOK_AGAIN_MS // 2) % LOOK_AGAIN_MS


@dataclass(frozen=True, slots=True)
class _Entry:
    """A run that has found room: where, and as it will be when it is started."""

    job: Job
    message: RunMessage
    existing: Run | None
    run: Run
    take: Take
    passages: Sequence[Passage]
