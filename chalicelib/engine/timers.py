"""Timers: what lies in the timing wheel. A job's timer points at its next occurrence, a run's at its next attempt.

The partition is a shard, the sort key `due # tenant # job or run # revision or attempt`: writing the same timer twice
leaves one, and a timer of a former revision never meets one of the present.
"""

from dataclasses import dataclass

from chalicelib.engine.message import RunMessage, decode
from chalicelib.ports.table import Item, Key

_DUE_DIGITS = 15


@dataclass(frozen=True, slots=True)
class JobTimer:
    """The next occurrence of a job to dispatch. Jitter plays no part: it only delays the ring.

    While the job is paused until a moment, its timer is parked until then: `not_before_ms`.
    """

    shard: int
    tenant: str
    job_id: str
    schedule_revision: int
    nominal_ms: int
    not_before_ms: int = 0

    @property
    def due_ms(self) -> int:
        return max(self.nominal_ms, self.not_before_ms)


@dataclass(frozen=True, slots=True)
class RunTimer:
    """A run that is to be rung at `due_ms`: a retry, a trigger, or a look after a lease has run out."""

    shard: int
    message: RunMessage

    @property
    def due_ms(self) -> int:
        return self.message.due_ms


@dataclass(frozen=True, slots=True)
class BackfillTimer:
    """A backfill that the dispatcher is to look after at `due_ms`."""

    shard: int
    tenant: str
    backfill_id: str
    due_ms: int


DispatchedTimer = JobTimer | RunTimer
Timer = DispatchedTimer | BackfillTimer


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
    else:
        tail = f"{timer.message.tenant}#{timer.message.run_id}#{timer.message.attempt}"
    return partition(timer.shard), f"{due_bound(timer.due_ms)}#{tail}"


def encode_timer(timer: Timer) -> Item:
    pk, sk = timer_key(timer)
    if isinstance(timer, JobTimer) and timer.due_ms != timer.nominal_ms:
        return {"pk": pk, "sk": sk, "nominal_ms": timer.nominal_ms}
    if not isinstance(timer, RunTimer):
        return {"pk": pk, "sk": sk}
    return {"pk": pk, "sk": sk, "message": timer.message.encode()}


def decode_timer(item: Item) -> Timer:
    """ValueError if the item is no timer."""
    shard = int(str(item["pk"]).rpartition("#")[2])
    if "message" in item:
        return RunTimer(shard, decode(str(item["message"])))
    due, tenant, identifier, revision = str(item["sk"]).split("#")
    if identifier.startswith("backfill_"):
        return BackfillTimer(shard, tenant, identifier, int(due))
    nominal_ms, parked_ms = int(item.get("nominal_ms", due)), int(due) if "nominal_ms" in item else 0
    return JobTimer(shard, tenant, identifier, int(revision), nominal_ms, parked_ms)
