"""Carrying out what `slots.py` decides: entering a slot with the start, waiting for one, leaving it."""

from collections.abc import Sequence
from dataclasses import replace

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine import record
from chalicelib.engine.cancel import ask_to_stop
from chalicelib.engine.core import Engine, lane_of
from chalicelib.engine.message import RunMessage, decode
from chalicelib.engine.plan import Ring
from chalicelib.engine.records import decode_run, encode_run, run_key
from chalicelib.engine.ring import ring_all
from chalicelib.engine.slots import Candidate, Place, Refuse, Slot, Take, Wait, admit
from chalicelib.engine.timers import encode_timer
from chalicelib.ports.table import (
    Absent,
    Below,
    Condition,
    ConditionFailed,
    Delete,
    Is,
    Item,
    Key,
    Put,
    TableName,
    Write,
    any_of,
)

LOOK_AGAIN_MS = 60_000
"""Who waits is rung when a slot is left; should that ring be lost, it looks again by itself."""
PATIENCE_MS = 180_000
"""A run that waits, or lies between attempts, keeps its place or slot so much longer than it should need."""
_KEEP_SECONDS = 86_400


class Admission:
    """The door of every job whose concurrency policy is not `allow`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def enter(self, job: Job, message: RunMessage, existing: Run | None, started: Run) -> Run | None:
        """The run in its slot, started; None if it waits or is skipped. ConditionFailed if others were faster."""
        slots, places = self._read(job)
        now_ms = self._engine.clock.now_ms()
        wanted = Candidate(started.id, started.nominal_ms, started.starts > 1)
        decision = admit(job.concurrency, slots, places, wanted, now_ms=now_ms)
        match decision:
            case Take(slot, place):
                return self._take(job, existing, replace(started, slot=slot), place, now_ms)
            case Refuse(reason):
                expires_at = self._engine.settings.expires_at(now_ms)
                self._engine.db.runs.write(
                    record.skipping(message, reason, existing, now_ms=now_ms, expires_at=expires_at)
                )
            case Wait(place, victim, displaced):
                self._wait(job, message, existing, place, displaced)
                if victim:
                    self._cancel(job, victim)
        return None

    def keep(self, job: Job, run: Run, until_ms: int) -> None:
        """Hold the run's slot longer, as best it can; nothing happens if it is not its own any more."""
        if run.slot is None:
            return
        try:
            self._try(Put(_slot_item(job, run, until_ms), Is("run", run.id)))
        except Unavailable as error:
            self._engine.telemetry.warning("A slot is not held longer.", run_id=run.id, error=error.message)

    def leave(self, job: Job, run: Run) -> None:
        """Free the run's slot or place, and ring who waits longest. Best effort: leases and timers do it too, later."""
        if run.slot is None and job.concurrency.policy == "allow":
            return
        try:
            slots, places = self._read(job)
            held = [("slot", slot.number) for slot in slots if slot.run_id == run.id]
            held += [("wait", place.number) for place in places if place.run_id == run.id]
            for kind, number in held:
                self._try(Delete(_key(job, kind, number), Is("run", run.id)))
            self._ring_next(job, [place for place in places if place.run_id != run.id])
        except Unavailable as error:
            self._engine.telemetry.warning("A slot is left to its lease.", run_id=run.id, error=error.message)

    def _take(self, job: Job, existing: Run | None, run: Run, place: int | None, now_ms: int) -> Run:
        if existing:
            start: Write = record.takeover(run, existing)
        else:
            start = record.first_start(run, self._engine.settings.expires_at(now_ms))
        writes: list[tuple[TableName, Write]] = [
            ("runs", start),
            ("runs", Put(_slot_item(job, run, run.lease_ms), _free_for(run.id, now_ms))),
        ]
        if place is not None:
            writes.append(("runs", Delete(_key(job, "wait", place), Is("run", run.id))))
        self._engine.db.transact(*writes)
        return run

    def _wait(
        self, job: Job, message: RunMessage, existing: Run | None, place: int | None, displaced: Place | None
    ) -> None:
        """Take the place, with a record for people to see, and a timer that outlasts everybody."""
        now_ms = self._engine.clock.now_ms()
        expires_at = self._engine.settings.expires_at(now_ms)
        timer = record.timer_to_look_again(self._engine, message, now_ms + LOOK_AGAIN_MS)
        writes: list[tuple[TableName, Write]] = [("timers", Put(encode_timer(timer)))]
        if place is not None:
            free = _free_for(message.run_id, now_ms, displaced)
            writes.append(("runs", Put(_place_item(job, message, place, now_ms), free)))
        if existing is None:
            waiting = replace(record.new_run(message), looked_ms=now_ms)
            writes.append(("runs", Put(encode_run(waiting, expires_at=expires_at), Absent())))
        else:
            writes.append(("runs", record.looked_at(existing, now_ms)))
        if displaced:
            writes += self._skip(displaced)
        self._engine.db.transact(*writes)

    def _skip(self, displaced: Place) -> list[tuple[TableName, Write]]:
        message = decode(displaced.message)
        item = self._engine.db.runs.get(run_key(message.tenant, message.run_id))
        existing = decode_run(item) if item else None
        if existing is None or existing.status is not RunStatus.PENDING:
            return []
        now_ms = self._engine.clock.now_ms()
        return [("runs", record.skipping(message, "overlap", existing, now_ms=now_ms, expires_at=0))]

    def _cancel(self, job: Job, run_id: str) -> None:
        """Ask the victim to stop; the one who wants its slot looks again anyway."""
        item = self._engine.db.runs.get(run_key(job.tenant, run_id))
        if item is None:
            return
        victim = decode_run(item)
        try:
            after = ask_to_stop(self._engine, victim)
        except ConditionFailed:
            return
        if after.status is RunStatus.CANCELLED:
            self.leave(job, after)

    def _ring_next(self, job: Job, places: Sequence[Place]) -> None:
        now_ms = self._engine.clock.now_ms()
        waiting = [place for place in places if place.until_ms >= now_ms]
        if waiting:
            first = min(waiting, key=lambda place: place.rank)
            ring = Ring(lane_of(job), decode(first.message))
            lead_ms = self._engine.settings.lead_ms
            ring_all(self._engine.lanes, [ring], now_ms=now_ms, lead_ms=lead_ms)

    def _read(self, job: Job) -> tuple[list[Slot], list[Place]]:
        items = self._engine.db.runs.query(_partition(job)).items
        slots = [_slot(item) for item in items if str(item["sk"]).startswith("slot#")]
        return slots, [_place(item) for item in items if str(item["sk"]).startswith("wait#")]

    def _try(self, write: Put | Delete) -> None:
        try:
            self._engine.db.runs.write(write)
        except ConditionFailed:
            return


def _free_for(run_id: str, now_ms: int, displaced: Place | None = None) -> Condition:
    own: Sequence[Condition] = [Absent(), Below("until_ms", now_ms), Is("run", run_id)]
    return any_of(*own, Is("run", displaced.run_id)) if displaced else any_of(*own)


def _partition(job: Job) -> str:
    return f"{job.tenant}#{job.id}#slots"


def _key(job: Job, kind: str, number: int) -> Key:
    return _partition(job), f"{kind}#{number:03d}"


def _slot_item(job: Job, run: Run, until_ms: int) -> Item:
    pk, sk = _key(job, "slot", run.slot or 0)
    expires_at = until_ms // 1000 + _KEEP_SECONDS
    return {"pk": pk, "sk": sk, "run": run.id, "until_ms": until_ms, "expires_at": expires_at}


def _place_item(job: Job, message: RunMessage, number: int, now_ms: int) -> Item:
    pk, sk = _key(job, "wait", number)
    until_ms = now_ms + PATIENCE_MS
    return {
        "pk": pk,
        "sk": sk,
        "run": message.run_id,
        "nominal_ms": message.nominal_ms,
        "until_ms": until_ms,
        "message": message.encode(),
        "expires_at": until_ms // 1000 + _KEEP_SECONDS,
    }


def _slot(item: Item) -> Slot:
    return Slot(_number(item), str(item["run"]), int(item["until_ms"]))


def _place(item: Item) -> Place:
    return Place(
        _number(item),
        str(item["run"]),
        int(item["nominal_ms"]),
        int(item["until_ms"]),
        str(item["message"]),
    )


def _number(item: Item) -> int:
    return int(str(item["sk"]).rpartition("#")[2])
