"""Writing down what a worker decided: each is one conditional write, or one transaction."""

from dataclasses import replace

from chalicelib.domain.ids import bucket_of
from chalicelib.domain.job import Job
from chalicelib.domain.run import FINAL, Run, RunStatus, SkipReason
from chalicelib.engine.core import Engine
from chalicelib.engine.message import STARTS_NOTHING, RunMessage
from chalicelib.engine.records import (
    dead_mark,
    encode_attempts,
    encode_handle,
    encode_leases,
    encode_progress,
    encode_run,
    measured,
    run_key,
)
from chalicelib.engine.wheel.arm import message_of
from chalicelib.engine.wheel.timers import RunTimer, encode_timer
from chalicelib.ports.table import (
    Absent,
    Condition,
    Is,
    Item,
    Lacks,
    Put,
    TableName,
    Update,
    Write,
    all_of,
    any_of,
)

MAX_LEASE_MS = 60_000
"""A dead worker's run and slot are free after a minute and the margin, however long the job may take."""
LOOK_MS = 300_000
"""So often a run that waits for its callback is looked at while it holds a slot."""
KEEP_SLOT_MS = 900_000
"""So long it holds the slot after each look: two may fail. Freed by time alone, as ever, should nobody leave it."""


LOOK_SECONDS = 30
"""So long a look after the work that a run follows may take."""


def new_run(message: RunMessage) -> Run:
    """A run as the message describes it, before its first start."""
    return Run(
        id=message.run_id,
        tenant=message.tenant,
        job_id=message.job_id,
        status=RunStatus.PENDING,
        trigger=message.trigger,
        nominal_ms=message.nominal_ms,
        due_ms=message.due_ms,
        schedule_revision=message.schedule_revision,
    )


def lease_until(job: Job, *, started_ms: int, now_ms: int, margin_ms: int) -> int:
    """Until when a worker that is alive now holds the run: for its time limit, or until a few heartbeats are missed."""
    limit_ms = round(job.timeout_seconds * 1000)
    return min(started_ms + limit_ms, now_ms + MAX_LEASE_MS) + margin_ms


def to_start(message: RunMessage, existing: Run | None) -> Run:
    """The run that is to start: as it is on record, if it is. A skipped one is due when its new message says."""
    if existing is None:
        return new_run(message)
    return replace(existing, due_ms=message.due_ms) if existing.status is RunStatus.SKIPPED else existing


def started(run: Run, job: Job, message: RunMessage, *, owner: str, now_ms: int, margin_ms: int) -> Run:
    """The run as it is while this attempt is executed: leased to `owner`, who renews the lease of a long attempt."""
    return replace(
        run,
        status=RunStatus.RUNNING,
        schedule_revision=message.schedule_revision,
        attempt=message.attempt,
        starts=run.starts + 1,
        fence=run.fence + 1,
        owner=owner,
        lease_ms=lease_until(job, started_ms=now_ms, now_ms=now_ms, margin_ms=margin_ms),
        first_started_ms=now_ms if run.first_started_ms is None else run.first_started_ms,
        started_ms=now_ms,
        retry_ms=None,
        skip_reason=None,
        finished_ms=None,
        progress=None,
        callback_by_ms=now_ms + job.callback.deadline_seconds * 1000 if job.callback else None,
        heartbeat_ms=_milliseconds(job.callback.heartbeat_seconds) if job.callback else None,
        leases=(),
        waits=None,
        trial=False,
        handle=None,
    )


def looking(run: Run, *, owner: str, now_ms: int, margin_ms: int) -> Run:
    """The run while `owner` looks after its work: the same start of the same attempt, under a fence of its own."""
    lease_ms = look_lease(now_ms, margin_ms)
    return replace(run, status=RunStatus.RUNNING, fence=run.fence + 1, owner=owner, lease_ms=lease_ms)


def look_lease(now_ms: int, margin_ms: int) -> int:
    """Until when a worker that is alive now holds a run that it looks after."""
    return now_ms + LOOK_SECONDS * 1000 + margin_ms


def _milliseconds(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1000


def postponed(run: Run, by_ms: int) -> Run:
    """A run that was to start, so much later."""
    is_first = run.first_started_ms == run.started_ms
    started_ms = (run.started_ms or 0) + by_ms
    return replace(
        run,
        started_ms=started_ms,
        first_started_ms=started_ms if is_first else run.first_started_ms,
        lease_ms=run.lease_ms + by_ms,
        callback_by_ms=None if run.callback_by_ms is None else run.callback_by_ms + by_ms,
    )


def unchanged(existing: Run) -> Condition:
    """The record still stands as it was read: every start moves the fence, everything else the status."""
    return all_of(Is("status", existing.status.value), Is("fence", existing.fence))


def in_place(existing: Run) -> Condition:
    """Likewise, and the run waits where it did: whoever changes its place at a gate goes by the one it knows."""
    waits = Lacks("waits") if existing.waits is None else Is("waits", existing.waits)
    return all_of(unchanged(existing), waits)


def out_of_place(run: Run) -> Update:
    """Note of a run that is over that it waits nowhere."""
    over = any_of(*(Is("status", status.value) for status in FINAL))
    return Update(run_key(run.tenant, run.id), {}, remove=("waits",), when=over)


def out_of_queue(existing: Run) -> Update:
    """Note that the run waits at no gate any more."""
    return Update(run_key(existing.tenant, existing.id), {}, remove=("waits",), when=in_place(existing))


def first_start(run: Run, expires_at: int) -> Put:
    return Put(encode_run(run, expires_at=expires_at), Absent())


def takeover(run: Run, existing: Run) -> Update:
    """Start a run that has a record already."""
    changes: Item = {
        "status": run.status.value,
        "due_ms": run.due_ms,
        "schedule_revision": run.schedule_revision,
        "attempt": run.attempt,
        "starts": run.starts,
        "fence": run.fence,
        "owner": run.owner,
        "lease_ms": run.lease_ms,
        "started_ms": run.started_ms or 0,
        "first_started_ms": run.first_started_ms or 0,
    }
    gone = ["retry_ms", "skip_reason", "finished_ms", "progress"]
    for name in ("slot", "callback_by_ms", "heartbeat_ms"):
        value = getattr(run, name)
        if value is not None:
            changes[name] = value
        elif name != "slot":
            gone.append(name)
    for name, value in (("leases", encode_leases(run.leases)), ("trial", int(run.trial))):
        if value:
            changes[name] = value
        elif getattr(existing, name):
            gone.append(name)
    if existing.waits is not None:
        gone.append("waits")
    if existing.handle is not None:
        gone.append("handle")
    return Update(run_key(run.tenant, run.id), changes, remove=tuple(gone), when=in_place(existing))


def look(run: Run, existing: Run) -> Update:
    """Begin to look: of two who want to, one can."""
    changes: Item = {
        "status": run.status.value,
        "fence": run.fence,
        "owner": run.owner,
        "lease_ms": run.lease_ms,
    }
    if run.cancel_ms is not None:
        changes["cancel_ms"] = run.cancel_ms
    return Update(run_key(run.tenant, run.id), changes, when=unchanged(existing))


def ending(run: Run, before: Run) -> Update:
    """Record how the attempt ended, if its fence and owner are still ours."""
    changes: Item = {"status": run.status.value, "attempts": encode_attempts(run.attempts), **measured(run)}
    for name, value in (("finished_ms", run.finished_ms), ("retry_ms", run.retry_ms)):
        if value is not None:
            changes[name] = value
    if run.progress is not None:
        changes["progress"] = encode_progress(run.progress)
    if run.dead:
        changes |= dead_mark(run.tenant, run.id)
    gone = ("handle",) if before.handle is not None and run.handle is None else ()
    return Update(run_key(run.tenant, run.id), changes, remove=gone, when=mine(before))


def mine(run: Run) -> Condition:
    """The run is still under way as this very start of it."""
    return all_of(unchanged(run), Is("owner", run.owner))


def skipping(
    message: RunMessage, reason: SkipReason, existing: Run | None, *, now_ms: int, expires_at: int
) -> Put | Update:
    """Record that the run does not take place, if nothing else is recorded."""
    if existing is None:
        skipped = replace(new_run(message), status=RunStatus.SKIPPED, skip_reason=reason, finished_ms=now_ms)
        return Put(encode_run(skipped, expires_at=expires_at), Absent())
    changes: Item = {"status": RunStatus.SKIPPED.value, "skip_reason": reason, "finished_ms": now_ms}
    return Update(run_key(existing.tenant, existing.id), changes, when=unchanged(existing))


def looked_at(existing: Run, now_ms: int) -> Update:
    """Note that a worker has looked at it. With its timer in the same transaction, the auditor need not ring it."""
    return Update(run_key(existing.tenant, existing.id), {"looked_ms": now_ms}, when=unchanged(existing))


def left_place(existing: Run, now_ms: int) -> Update:
    """Likewise, and it waits at no gate any more."""
    key = run_key(existing.tenant, existing.id)
    return Update(key, {"looked_ms": now_ms}, remove=("waits",), when=in_place(existing))


def look_again(engine: Engine, message: RunMessage, at_ms: int) -> None:
    """A timer that rings this message once more: timers outlast whoever holds the lease."""
    engine.db.timers.put_all([encode_timer(timer_to_look_again(engine, message, at_ms))])


def timer_to_look_again(engine: Engine, message: RunMessage, at_ms: int) -> RunTimer:
    return RunTimer(bucket_of(message.job_id, engine.settings.shards), replace(message, due_ms=at_ms))


def waiting(message: RunMessage, existing: Run | None, place: str, expires_at: int) -> Put | Update:
    """Say on the record at which place of a gate's queue the run waits."""
    if existing is None:
        return Put(encode_run(replace(new_run(message), waits=place), expires_at=expires_at), Absent())
    return Update(run_key(existing.tenant, existing.id), {"waits": place}, when=in_place(existing))


def put_off(message: RunMessage, expires_at: int, *, is_known: bool) -> Put | Update:
    """Say on the record when a run starts that a rate has put off; a scheduled occurrence gets its record by that.

    For `write_each`. Refused where the run has gone on, which is no harm.
    """
    if not is_known and message.attempt == 1 and message.trigger == "schedule":
        waiting = replace(new_run(message), retry_ms=message.at_ms)
        return Put(encode_run(waiting, expires_at=expires_at), Absent())
    waits = any_of(Is("status", RunStatus.PENDING.value), Is("status", RunStatus.RETRYING.value))
    return Update(
        run_key(message.tenant, message.run_id),
        {"retry_ms": message.at_ms},
        when=all_of(waits, Is("attempt", message.attempt - 1)),
    )


def retry_timer(run: Run, shard: int) -> RunTimer:
    """Rings the attempt that follows a RETRYING run's last one."""
    return RunTimer(shard, message_of(run, due_ms=run.retry_ms or 0, attempt=run.attempt + 1))


def wait_timer(run: Run, shard: int, now_ms: int) -> RunTimer:
    """Rings when somebody is to look at a run that waits for its callback."""
    message = message_of(run, due_ms=look_ms(run, now_ms), attempt=run.attempt)
    return RunTimer(shard, replace(message, passed=(STARTS_NOTHING,)))


def still_waiting(run: Run, shard: int, now_ms: int) -> tuple[tuple[TableName, Write], ...]:
    """The transaction after a look at a run that may go on waiting for its callback."""
    return ("timers", Put(encode_timer(wait_timer(run, shard, now_ms)))), ("runs", looked_at(run, now_ms))


def look_ms(run: Run, now_ms: int) -> int:
    """When a waiting run is looked at: when it is overdue, and every five minutes if it has slots to keep.

    One that follows its work, when that is to be looked after.

    Messages that come twice agree on the moment, so that they become one again.
    """
    if run.handle is not None:
        return run.lease_ms
    overdue_ms = run.lease_ms + 1
    next_ms = (now_ms // LOOK_MS + 1) * LOOK_MS
    return next_ms if run.has_room and next_ms < overdue_ms - LOOK_MS // 5 else overdue_ms


def going_on(
    run: Run, before: Run, timer: RunTimer, more: Item | None = None
) -> tuple[tuple[TableName, Write], ...]:
    """The transaction after which a run waits: for another attempt, or (with `more` attributes) for its work elsewhere.

    It is refused if the run was asked to stop, unless it follows its work: then the next look stops that. That somebody
    has looked at it before says nothing of the next attempt.
    """
    ended = ending(run, before)
    gone = ("looked_ms",) if before.looked_ms is not None and not more else ()
    followed: Item = {} if run.handle is None else {"handle": encode_handle(run.handle)}
    wanted = replace(
        ended,
        set={**ended.set, **followed, **(more or {})},
        remove=(*ended.remove, *gone),
        when=mine(before) if followed else all_of(mine(before), Lacks("cancel_ms")),
    )
    return ("runs", wanted), ("timers", Put(encode_timer(timer)))
