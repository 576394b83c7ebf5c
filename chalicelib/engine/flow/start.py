"""May this message start a run? Pure decisions; the worker carries them out as conditional writes."""

from dataclasses import dataclass, replace

from chalicelib.domain.job import Job
from chalicelib.domain.pause import is_paused
from chalicelib.domain.run import Run, RunStatus, SkipReason
from chalicelib.domain.skip_next import is_unwanted
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
    """Its workers died too often, or its job was deleted since: there is nothing to start again."""

    existing: Run


@dataclass(frozen=True, slots=True)
class Cancel:
    """It was asked to stop, and nobody works on it any more."""

    existing: Run


@dataclass(frozen=True, slots=True)
class Drop:
    """There is nothing left to do for this message."""


@dataclass(frozen=True, slots=True)
class StillWaiting:
    """It waits for its callback, and may."""

    run: Run


@dataclass(frozen=True, slots=True)
class Overdue:
    """Its callback has not come, or no sign of life."""

    existing: Run


@dataclass(frozen=True, slots=True)
class Look:
    """The work that it follows is to be looked after; to be stopped, if its job was deleted since."""

    existing: Run


Decision = Start | Mine | Skip | Later | GiveUp | Cancel | Drop | StillWaiting | Overdue | Look


def refusal(job: Job | None, message: RunMessage, *, now_ms: int) -> SkipReason | None:
    """Why the job does not want this run, None if it does.

    A schedule's occurrence needs its job at work, of the same schedule revision, and not told to leave it out. Triggers
    and later attempts need only the job: they were asked for, or have begun.
    """
    if job is None:
        return "superseded"
    if message.trigger != "schedule" or message.attempt > 1:
        return None
    if is_paused(job, now_ms):
        return "paused"
    if job.schedule_revision != message.schedule_revision:
        return "superseded"
    return "skip_next" if is_unwanted(job, message.nominal_ms) else None


def is_too_late(job: Job, message: RunMessage, due_ms: int, *, now_ms: int) -> bool:
    """Whether the job's start deadline has passed. It is for first attempts; a backfill is about the past anyway."""
    if job.start_deadline_seconds is None or message.attempt > 1 or message.trigger == "backfill":
        return False
    return now_ms > due_ms + job.start_deadline_seconds * 1000


def decide_start(
    job: Job | None,
    existing: Run | None,
    message: RunMessage,
    *,
    owner: str,
    now_ms: int,
    has_room: bool = True,
) -> Decision:
    """What to do about a message that is due now. `has_room`: the month's executions are not used up.

    A run that waits is what its record says: a backfill's, though the schedule's own message may ring it too.
    """
    reason = _unwanted(job, message, message.due_ms, now_ms) or (None if has_room else "quota")
    if existing is None:
        return Skip(reason) if reason else Start()
    if existing.is_final:
        return Start(existing) if reason is None and _is_revived(existing, message) else Drop()
    if existing.status is RunStatus.RUNNING:
        return _beside_a_running_one(job, existing, message, owner, now_ms)
    if existing.status is RunStatus.WAITING:
        if existing.attempt != message.attempt:
            return Drop()
        if existing.handle is not None:
            return Look(existing) if _is_to_be_looked_after(existing, now_ms) else Drop()
        return StillWaiting(existing) if existing.lease_ms >= now_ms else Overdue(existing)
    if existing.attempt != message.attempt - 1:
        return Drop()
    reason = _unwanted(job, replace(message, trigger=existing.trigger), existing.due_ms, now_ms)
    reason = reason or (None if has_room else "quota")
    return Skip(reason, existing) if reason else Start(existing)


def _unwanted(job: Job | None, message: RunMessage, due_ms: int, now_ms: int) -> SkipReason | None:
    reason = refusal(job, message, now_ms=now_ms)
    if reason is None and job is not None and is_too_late(job, message, due_ms, now_ms=now_ms):
        return "start_deadline"
    return reason


def _is_revived(existing: Run, message: RunMessage) -> bool:
    """A skip of an earlier revision gives way when a later one has the same occurrence, unless it was done again.

    Only one that lay in the revision or in a pause: what did not find a place (overlap, ...) has had its moment.
    """
    if existing.redriven_as is not None or existing.skip_reason not in ("superseded", "paused"):
        return False
    return existing.status is RunStatus.SKIPPED and existing.schedule_revision < message.schedule_revision


def _is_to_be_looked_after(existing: Run, now_ms: int) -> bool:
    """Its lease is until the next look, whose timer was set with it; a wish to stop does not wait so long."""
    return existing.cancel_ms is not None or existing.lease_ms <= now_ms


def _beside_a_running_one(
    job: Job | None, existing: Run, message: RunMessage, owner: str, now_ms: int
) -> Decision:
    if existing.attempt != message.attempt:
        return Drop()
    if existing.owner == owner:
        return Mine(existing)
    if existing.lease_ms >= now_ms:
        return Later(existing.lease_ms + 1)
    if existing.handle is not None:
        return Look(existing)
    if existing.cancel_ms is not None:
        return Cancel(existing)
    if job is None or existing.starts - existing.attempt >= MAX_EXTRA_STARTS:
        return GiveUp(existing)
    return Start(existing)
