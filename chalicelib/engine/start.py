"""May this message start a run? Pure decisions; the worker carries them out as conditional writes."""

from dataclasses import dataclass, replace

from chalicelib.domain.job import Job
from chalicelib.domain.run import Run, RunStatus, SkipReason
from chalicelib.engine.message import RunMessage

MAX_EXTRA_STARTS = 3
"""How often an attempt whose worker died is started again, before the run is given up."""


@dataclass(frozen=True, slots=True)
class Start:
    """Start it; `existing` is the record to take over, None for a first start."""

    existing: Run | None = None


@dataclass(frozen=True, slots=True)
class Mine:
    """It is already started by this very worker: an answer was lost on the way."""

    run: Run


@dataclass(frozen=True, slots=True)
class Skip:
    """It must not start; the ledger says why."""

    reason: SkipReason
    existing: Run | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """Somebody holds the lease: look again when it has run out."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Its workers died too often."""

    existing: Run


@dataclass(frozen=True, slots=True)
class Cancel:
    """It was asked to stop, and nobody works on it any more."""

    existing: Run


@dataclass(frozen=True, slots=True)
class Drop:
    """There is nothing left to do for this message."""


Decision = Start | Mine | Skip | Later | GiveUp | Cancel | Drop


def refusal(job: Job | None, message: RunMessage) -> SkipReason | None:
    """Why the job does not want this run, None if it does.

    A schedule's occurrence needs its job active and of the same schedule revision. Triggers and later attempts need
    only the job: they were asked for, or have begun.
    """
    if job is None:
        return "superseded"
    if message.trigger != "schedule" or message.attempt > 1:
        return None
    if job.schedule_revision != message.schedule_revision:
        return "superseded"
    return "paused" if job.status == "paused" else None


def decide_start(
    job: Job | None, existing: Run | None, message: RunMessage, *, owner: str, now_ms: int
) -> Decision:
    """What to do about a message that is due now.

    A run that waits is what its record says: a backfill's, though the schedule's own message may ring it too.
    """
    reason = refusal(job, message)
    if existing is None:
        return Skip(reason) if reason else Start()
    if existing.is_final:
        return Start(existing) if reason is None and _is_revived(existing, message) else Drop()
    if existing.status is RunStatus.RUNNING:
        return _beside_a_running_one(existing, message, owner, now_ms)
    if existing.attempt != message.attempt - 1:
        return Drop()
    reason = refusal(job, replace(message, trigger=existing.trigger))
    return Skip(reason, existing) if reason else Start(existing)


def _is_revived(existing: Run, message: RunMessage) -> bool:
    """A skip of an earlier revision gives way when a later one has the same occurrence, unless it was done again."""
    if existing.redriven_as is not None:
        return False
    return existing.status is RunStatus.SKIPPED and existing.schedule_revision < message.schedule_revision


def _beside_a_running_one(existing: Run, message: RunMessage, owner: str, now_ms: int) -> Decision:
    if existing.attempt != message.attempt:
        return Drop()
    if existing.owner == owner:
        return Mine(existing)
    if existing.lease_ms >= now_ms:
        return Later(existing.lease_ms + 1)
    if existing.cancel_ms is not None:
        return Cancel(existing)
    if existing.starts - existing.attempt >= MAX_EXTRA_STARTS:
        return GiveUp(existing)
    return Start(existing)
