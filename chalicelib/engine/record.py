"""Writing down what a worker decided: each is one conditional write, or one transaction."""

from dataclasses import replace

from chalicelib.domain.ids import bucket_of
from chalicelib.domain.job import Job
from chalicelib.domain.run import Run, RunStatus, SkipReason
from chalicelib.engine.arm import message_of
from chalicelib.engine.core import Engine
from chalicelib.engine.message import RunMessage
from chalicelib.engine.records import dead_mark, encode_attempts, encode_run, run_key
from chalicelib.engine.timers import RunTimer, encode_timer
from chalicelib.ports.table import Absent, Condition, Is, Item, Put, TableName, Update, Write, all_of


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


def started(run: Run, job: Job, message: RunMessage, *, owner: str, now_ms: int, margin_ms: int) -> Run:
    """The run as it is while this attempt is executed: leased to `owner` for the attempt's time and a margin."""
    return replace(
        run,
        status=RunStatus.RUNNING,
        schedule_revision=message.schedule_revision,
        attempt=message.attempt,
        starts=run.starts + 1,
        fence=run.fence + 1,
        owner=owner,
        lease_ms=now_ms + round(job.timeout_seconds * 1000) + margin_ms,
        first_started_ms=now_ms if run.first_started_ms is None else run.first_started_ms,
        started_ms=now_ms,
        retry_ms=None,
        skip_reason=None,
        finished_ms=None,
    )


def unchanged(existing: Run) -> Condition:
    """The record still stands as it was read: every start moves the fence, everything else the status."""
    return all_of(Is("status", existing.status.value), Is("fence", existing.fence))


def first_start(run: Run, expires_at: int) -> Put:
    return Put(encode_run(run, expires_at=expires_at), Absent())


def takeover(run: Run, existing: Run) -> Update:
    """Start a run that has a record already."""
    changes: Item = {
        "status": run.status.value,
        "schedule_revision": run.schedule_revision,
        "attempt": run.attempt,
        "starts": run.starts,
        "fence": run.fence,
        "owner": run.owner,
        "lease_ms": run.lease_ms,
        "started_ms": run.started_ms or 0,
        "first_started_ms": run.first_started_ms or 0,
    }
    gone = ("retry_ms", "skip_reason", "finished_ms")
    return Update(run_key(run.tenant, run.id), changes, remove=gone, when=unchanged(existing))


def ending(run: Run, before: Run) -> Update:
    """Record how the attempt ended, if its fence and owner are still ours."""
    changes: Item = {"status": run.status.value, "attempts": encode_attempts(run.attempts)}
    for name, value in (("finished_ms", run.finished_ms), ("retry_ms", run.retry_ms)):
        if value is not None:
            changes[name] = value
    if run.dead:
        changes |= dead_mark(run.tenant, run.id)
    mine = all_of(unchanged(before), Is("owner", before.owner))
    return Update(run_key(run.tenant, run.id), changes, when=mine)


def skipping(
    message: RunMessage, reason: SkipReason, existing: Run | None, *, now_ms: int, expires_at: int
) -> Put | Update:
    """Record that the run does not take place, if nothing else is recorded."""
    if existing is None:
        skipped = replace(new_run(message), status=RunStatus.SKIPPED, skip_reason=reason, finished_ms=now_ms)
        return Put(encode_run(skipped, expires_at=expires_at), Absent())
    changes: Item = {"status": RunStatus.SKIPPED.value, "skip_reason": reason, "finished_ms": now_ms}
    return Update(run_key(existing.tenant, existing.id), changes, when=unchanged(existing))


def look_again(engine: Engine, message: RunMessage, at_ms: int) -> None:
    """A timer that rings this message once more: timers outlast whoever holds the lease."""
    shard = bucket_of(message.job_id, engine.settings.shards)
    timer = RunTimer(shard, replace(message, due_ms=at_ms))
    engine.db.timers.put_all([encode_timer(timer)])


def retry_timer(run: Run, shard: int) -> RunTimer:
    """Rings the attempt that follows a RETRYING run's last one."""
    return RunTimer(shard, message_of(run, due_ms=run.retry_ms or 0, attempt=run.attempt + 1))


def retrying(run: Run, before: Run, timer: RunTimer) -> tuple[tuple[TableName, Write], ...]:
    """The transaction that ends an attempt and sets the timer of the next."""
    return ("runs", ending(run, before)), ("timers", Put(encode_timer(timer)))
