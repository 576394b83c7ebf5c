"""Carrying out what `passage.py` decides: slots at gates that jobs share, their queues, and calling who is next."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from chalicelib.domain.breaker import room, tried
from chalicelib.domain.ids import bucket_of
from chalicelib.domain.job import Job
from chalicelib.domain.lanes import QUICK, Lane
from chalicelib.domain.limits import RANKS
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.gate_records import (
    PAST_SLOTS,
    QUEUE,
    decode_state,
    encode_breaker,
    gate_of_place,
    open_to,
    place_item,
    place_key,
    place_name,
    rank,
    slot_item,
    slot_key,
)
from chalicelib.engine.flow.gates import Gate, gate_named, gate_partition
from chalicelib.engine.flow.limits import KnownLimits
from chalicelib.engine.flow.passage import PAGE, GateState, Pass, Waiting, decide_calls, decide_passage
from chalicelib.engine.ledger import record
from chalicelib.engine.message import RunMessage, decode
from chalicelib.engine.ringing.ring import ring_all
from chalicelib.engine.wheel.plan import Ring
from chalicelib.engine.wheel.timers import GateTimer, encode_timer
from chalicelib.ports.table import (
    Below,
    Condition,
    ConditionFailed,
    Delete,
    Is,
    Put,
    TableName,
    Update,
    Write,
    all_of,
)

TICK_MS = 60_000
PAGES = 10
"""Pages of those who wait that are called at once where nothing limits how many run; the dispatcher goes on."""
Writes = list[tuple[TableName, Write]]


def call_ms_of(lane: Lane) -> int:
    """So long a slot is kept for a run that was called: its message may have to wait for a worker.

    If it does not come by then, it is called again.
    """
    return 60_000 if lane in QUICK else 300_000


@dataclass(frozen=True, slots=True)
class Passage:
    """A gate as it was found, and that the run may pass it."""

    gate: Gate
    state: GateState
    how: Pass


class Gatekeeper:
    """The gates of targets and tenants."""

    def __init__(self, engine: Engine, limits: KnownLimits) -> None:
        self._engine, self._limits = engine, limits

    def ask(self, gates: Iterable[Gate], job: Job, message: RunMessage) -> tuple[list[Passage], Gate | None]:
        """Whether the run may pass the gates, the narrowest first; the gate at which it has to wait, if any."""
        passages: list[Passage] = []
        for gate in gates:
            passage = self._asked(gate, message.run_id, rank(job.priority, message))
            if passage is None:
                return passages, gate
            passages.append(passage)
        return passages, None

    def hold(self, passages: Iterable[Passage], run: Run, fence: int, until_ms: int) -> Writes:
        """The writes that give the run its slots; `fence` is that of the start before for one that has yet to start."""
        now_ms = self._engine.clock.now_ms()
        return [
            (
                "runs",
                Put(
                    slot_item(each.gate.partition, each.how.slot, run.id, fence, until_ms),
                    open_to(run.id, fence, now_ms),
                ),
            )
            for each in passages
            if each.how.slot is not None
        ]

    def trials(self, passages: Iterable[Passage], run: Run) -> Writes:
        """The writes by which the run becomes the one that tries whether a target is well."""
        now_ms, writes = self._engine.clock.now_ms(), Writes()
        for each in passages:
            if each.how.is_trial:
                before = each.state.breaker
                trial = tried(before, run.id, until_ms=run.lease_ms, now_ms=now_ms)
                item = encode_breaker(each.gate, trial, now_ms)
                writes.append(("runs", Put(item, Is("version", before.version))))
        return writes

    def queue_up(
        self, gate: Gate, job: Job, message: RunMessage, existing: Run | None, passages: Sequence[Passage]
    ) -> bool:
        """Let the run wait at the gate, and hold no slot at others; whether it is new there, and should look again."""
        sort_key, now_ms = rank(job.priority, message), self._engine.clock.now_ms()
        called = replace(message, called=gate.name)
        place = Put(place_item(gate, sort_key, called, self._engine.lane_of(job), now_ms))
        name = place_name(gate, sort_key)
        held = [each for each in passages if each.how.is_held and each.how.slot is not None]
        handed: list[Write] = [
            Delete(slot_key(each.gate.partition, each.how.slot or 0), Is("run", message.run_id))
            for each in held
        ]
        is_new = existing is None or existing.waits != name
        self._move(message, existing, name, [place, *handed])
        if not is_new:
            self._wake_after_breaker(gate, message.run_id)
        self._engine.db.timers.put_all([encode_timer(self.timer(gate, now_ms, message.run_id))])
        if not _is_wider(gate, held):
            self.call(job.tenant, [each.gate.name for each in held])
        return is_new

    def _move(self, message: RunMessage, existing: Run | None, place: str, changes: Sequence[Write]) -> None:
        """To the place, from another if it waited there, and onto the run's record, in one transaction.

        Refused if the run has gone on since it was read: nobody who has started leaves a place behind.
        """
        expires_at = self._engine.settings.expires_at(self._engine.clock.now_ms())
        writes = [*changes, record.waiting(message, existing, place, expires_at)]
        if existing is not None and existing.waits not in (None, place):
            writes.append(Delete(place_key(message.tenant, existing.waits or "")))
        self._engine.db.transact(*(("runs", write) for write in writes))

    def keep(self, run: Run, until_ms: int) -> None:
        """Hold the run's slots longer; nothing happens to those that are not its own any more."""
        self._keep(run, until_ms, _own(run))

    def take_along(self, run: Run, until_ms: int) -> None:
        """Likewise with those that the same start held under an earlier fence: they have the run's from now on."""
        self._keep(run, until_ms, all_of(Is("run", run.id), Below("fence", run.fence + 1)))

    def _keep(self, run: Run, until_ms: int, when: Condition) -> None:
        for name, number in run.leases:
            item = slot_item(gate_partition(run.tenant, name), number, run.id, run.fence, until_ms)
            self._try(Put(item, when))

    def leave(self, runs: Sequence[Run]) -> None:
        """Free their slots and places, and call who is next. Unavailable if that cannot be known to have worked."""
        left: dict[tuple[str, str], None] = {}
        for run in runs:
            for name, number in run.leases:
                self._try(Delete(slot_key(gate_partition(run.tenant, name), number), _own(run)))
                left[run.tenant, name] = None
            if run.waits is not None:
                self._withdraw(run, run.waits)
                left[run.tenant, gate_of_place(run.waits)] = None
        for tenant in {tenant for tenant, _ in left}:
            self.call(tenant, [name for whose, name in left if whose == tenant])

    def forget(self, message: RunMessage) -> None:
        """Take back the call of a run that does not wait any more, and whatever is left of its place; call the next.

        Of this attempt's place: by now the next one may wait in the same.
        """
        partition = gate_partition(message.tenant, message.called)
        ours = all_of(Is("run", message.run_id), Is("attempt", message.attempt))
        for priority in RANKS:
            self._try(Delete((partition, rank(priority, message)), ours))
        handed = all_of(Is("run", message.run_id), Is("fence", 0))
        for slot in decode_state(self._engine.db.runs.query(partition, high=PAST_SLOTS).items).slots:
            if slot.run_id == message.run_id:
                self._try(Delete(slot_key(partition, slot.number), handed))
        self.call(message.tenant, [message.called])

    def leave_late(self, message: RunMessage, run: Run) -> None:
        """Take a run out of the queue in which the message's attempt still waits, though it is over."""
        if run.waits is None or gate_of_place(run.waits) != message.called:
            return
        ours = all_of(Is("run", run.id), Is("attempt", message.attempt))
        place = Delete(place_key(run.tenant, run.waits), ours)
        with suppress(ConditionFailed):
            self._engine.db.transact(("runs", record.out_of_queue(run)), ("runs", place))
            self.call(run.tenant, [message.called])

    def call(self, tenant: str, names: Iterable[str]) -> None:
        """Hand free slots to the first who wait at these gates, and ring them."""
        for name in names:
            gate = gate_named(tenant, name, self._limits.of(tenant))
            for _ in range(PAGES):
                if self._call_page(gate) < PAGE:
                    break

    def wake(self, gate: Gate, at_ms: int, only: str = "") -> None:
        """Have the first in the queue come at `at_ms`, if it is the run `only` (empty: whoever it is)."""
        waiting = self._engine.db.runs.query(gate.partition, low=QUEUE, limit=1).items
        for each in decode_state((), waiting).waiting:
            if only in ("", each.run_id):
                now_ms, lead_ms = self._engine.clock.now_ms(), self._engine.settings.lead_ms
                ring = Ring(each.lane, replace(decode(each.message), not_before_ms=at_ms))
                ring_all(self._engine.lanes, [ring], now_ms=now_ms, lead_ms=lead_ms)

    def _wake_after_breaker(self, gate: Gate, run_id: str) -> None:
        """The first who waits for a breaker comes by itself when its time is over: it is the one to try."""
        if gate.breaker is None:
            return
        breaker, now_ms = self.read(gate).breaker, self._engine.clock.now_ms()
        if room(breaker, now_ms) == 0:
            self.wake(gate, breaker.until_ms + 1, only=run_id)

    def timer(self, gate: Gate, now_ms: int, writer: str) -> GateTimer:
        """The dispatcher's next look at the gate, on the next whole minute."""
        shard = bucket_of(gate.partition, self._engine.settings.shards)
        due_ms = (now_ms // TICK_MS + 1) * TICK_MS
        return GateTimer(shard, gate.tenant, gate.name, due_ms, writer)

    def read(self, gate: Gate, waiting: int = 0) -> GateState:
        """The gate's items, and the first so many of its queue."""
        runs = self._engine.db.runs
        items = runs.query(gate.partition, high=PAST_SLOTS).items
        return decode_state(
            items, runs.query(gate.partition, low=QUEUE, limit=waiting).items if waiting else ()
        )

    def _asked(self, gate: Gate, run_id: str, sort_key: str) -> Passage | None:
        state, now_ms = self.read(gate), self._engine.clock.now_ms()
        active = state.active(now_ms)
        if gate.concurrency is not None and len(active) < gate.concurrency and run_id not in active.values():
            ahead = self._engine.db.runs.query(
                gate.partition, low=QUEUE, high=sort_key, limit=gate.concurrency
            )
            state = replace(state, waiting=decode_state((), ahead.items).waiting)
        how = decide_passage(gate, state, run_id, sort_key, now_ms)
        return None if how == "wait" else Passage(gate, state, how)

    def _call_page(self, gate: Gate) -> int:
        """Call those who may come now, at most a page of them; how many there were to call."""
        most, now_ms = max(PAGE, 2 * (gate.concurrency or 0)), self._engine.clock.now_ms()
        calls = decide_calls(gate, self.read(gate, waiting=most), now_ms)
        rings = [
            Ring(each.lane, decode(each.message))
            for (_, each), is_called in zip(calls, self._called(gate, calls, now_ms), strict=True)
            if is_called
        ]
        ring_all(self._engine.lanes, rings, now_ms=now_ms, lead_ms=self._engine.settings.lead_ms)
        return len(calls)

    def _called(self, gate: Gate, calls: Sequence[tuple[int | None, Waiting]], now_ms: int) -> list[bool]:
        """Mark their places, and give them the slots that go with that; whether each was still there to be called."""

        def is_called(call: tuple[int | None, Waiting]) -> bool:
            number, each = call
            until_ms = now_ms + call_ms_of(each.lane)
            key, still = (gate.partition, each.sort_key), Below("called_ms", now_ms)
            writes: Writes = [("runs", Update(key, {"called_ms": until_ms}, when=still))]
            if number is not None:
                slot = slot_item(gate.partition, number, each.run_id, 0, until_ms)
                writes.append(("runs", Put(slot, open_to(each.run_id, 0, now_ms))))
            try:
                self._engine.db.transact(*writes)
            except ConditionFailed:
                return False
            return True

        return self._engine.fan(is_called, calls)

    def _withdraw(self, run: Run, place: str) -> None:
        """Take the run, if it is over, out of the queue, and back what it was handed; not what a later start holds."""
        pk, sk = place_key(run.tenant, place)
        with suppress(ConditionFailed):
            gone = Delete((pk, sk), Is("run", run.id))
            self._engine.db.transact(("runs", record.out_of_place(run)), ("runs", gone))
        for slot in decode_state(self._engine.db.runs.query(pk, high=PAST_SLOTS).items).slots:
            if slot.run_id == run.id:
                known = all_of(Is("run", run.id), Below("fence", run.fence + 1))
                self._try(Delete(slot_key(pk, slot.number), known))

    def _try(self, write: Write) -> None:
        with suppress(ConditionFailed):
            self._engine.db.runs.write(write)


def _is_wider(gate: Gate, others: Sequence[Passage]) -> bool:
    """Whether everybody at the others would have to wait at this gate too: then it is of no use to call them."""
    return gate.kind == "tenant" and bool(others)


def _own(run: Run) -> Condition:
    return all_of(Is("run", run.id), Is("fence", run.fence))
