"""Timers: what lies in the timing wheel. A job's timer points at its next occurrence, a run's at its next attempt.

The partition is a shard, the sort key `due # tenant # job or run # revision or attempt`: writing the same timer twice
leaves one, and a timer of a former revision never meets one of the present.
"""

from dataclasses import dataclass

from chalicelib.engine.message import RunMessage, decode
from chalicelib.ports.table import Item, Key

_DUE_DIGITS = 15
_GATE = "gate:"


@dataclass(frozen=True, slots=True)
class JobTimer:
    """What comes of a job at `nominal_ms` or later. Jitter plays no part: it only delays the ring.

    While the job is paused until a moment, its timer is parked until then: `not_before_ms`. `since_ms`: the nominal
    time from which on a calendar has skipped every occurrence; they are recorded as one range.
    """

    shard: int
    tenant: str
    job_id: str
    schedule_revision: int
    nominal_ms: int
    not_before_ms: int = 0
    since_ms: int | None = None

    @property
    def due_ms(self) -> int:
        return max(self.nominal_ms, self.not_before_ms)


@dataclass(frozen=True, slots=True)
class RunTimer:
    """A run that is to be rung at `due_ms`: a retry, a trigger, what a rate put off, or a look after a lease's end."""

    shard: int
    message: RunMessage

    @property
    def due_ms(self) -> int:
        return self.message.at_ms


@dataclass(frozen=True, slots=True)
class BackfillTimer:
    """A backfill that the dispatcher is to look after at `due_ms`."""

    shard: int
    tenant: str
    backfill_id: str
    due_ms: int


@dataclass(frozen=True, slots=True)
class GateTimer:
    """A gate with runs that wait: the dispatcher is to see at `due_ms` that they are called.

    `writer` tells who wrote it: only as it was read may it be removed.
    """

    shard: int
    tenant: str
    gate: str
    due_ms: int
    writer: str = ""


DispatchedTimer = JobTimer | RunTimer
TendedTimer = BackfillTimer | GateTimer
Timer = DispatchedTimer | TendedTimer


def partition(shard: int) -> str:
    return f"shard#{shard:03d}"


def due_bound(due_ms: int) -> str:
    """Sorts after every timer due before `due_ms`, and before all others."""
    return f"{due_ms:0{_DUE_DIGITS}d}"


def timer_key(timer: Timer) -> Key:
    if isinstance(timer, JobTimer):
        tail = f"{timer.tenant}#{timer.job_id}#{timer.schedule_revision}"
    elif isinstance(timer, BackfillTimer):
        tail = f"{timer.tenant}#{timer.backfill_id}#0"
    elif isinstance(timer, GateTimer):
        tail = f"{timer.tenant}#{_GATE}{timer.gate}#0"
    else:
        tail = f"{timer.message.tenant}#{timer.message.run_id}#{timer.message.attempt}"
    return partition(timer.shard), f"{due_bound(timer.due_ms)}#{tail}"


def encode_timer(timer: Timer) -> Item:
    pk, sk = timer_key(timer)
    if isinstance(timer, JobTimer):
        return {"pk": pk, "sk": sk, **_attributes(timer)}
    if isinstance(timer, BackfillTimer):
        return {"pk": pk, "sk": sk}
    if isinstance(timer, GateTimer):
        return {"pk": pk, "sk": sk, "writer": timer.writer}
    return {"pk": pk, "sk": sk, "message": timer.message.encode()}


def _attributes(timer: JobTimer) -> Item:
    """What the key does not say."""
    parked: Item = {"nominal_ms": timer.nominal_ms} if timer.due_ms != timer.nominal_ms else {}
    return parked if timer.since_ms is None else {**parked, "since_ms": timer.since_ms}


def decode_timer(item: Item) -> Timer:
    """ValueError if the item is no timer."""
    shard = int(str(item["pk"]).rpartition("#")[2])
    if "message" in item:
        return RunTimer(shard, decode(str(item["message"])))
    due, tenant, identifier, revision = str(item["sk"]).split("#")
    if identifier.startswith("backfill_"):
        return BackfillTimer(shard, tenant, identifier, int(due))
    if identifier.startswith(_GATE):
        gate, writer = identifier.removeprefix(_GATE), str(item.get("writer", ""))
        return GateTimer(shard, tenant, gate, int(due), writer)
    parked = "nominal_ms" in item
    return JobTimer(
        shard,
        tenant,
        identifier,
        int(revision),
        int(item.get("nominal_ms", due)),
        int(due) if parked else 0,
        int(item["since_ms"]) if "since_ms" in item else None,
    )
