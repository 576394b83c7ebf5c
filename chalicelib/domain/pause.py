"""Pauses: whether a job rests at a moment, and what pausing and resuming make of it. Pure."""

from typing import Protocol, TypedDict

from chalicelib.domain.job import Job, JobStatus, PauseCause

MAX_NOTE = 500


class Pausable(Protocol):
    """Anything that knows of a job's latest pause."""

    @property
    def status(self) -> JobStatus: ...
    @property
    def paused_ms(self) -> int | None: ...
    @property
    def paused_until_ms(self) -> int | None: ...


class PauseFields(TypedDict, total=False):
    """What a pause is given. While a job is paused, what is left out stays as it is."""

    pause_note: str | None
    paused_until_ms: int | None


def is_paused(job: Pausable, now_ms: int) -> bool:
    """Whether nothing of the job's schedule may start now. A pause ends at its moment without any write."""
    return job.status == "paused" and (job.paused_until_ms is None or now_ms < job.paused_until_ms)


def status_at(job: Pausable, now_ms: int) -> JobStatus:
    """What the job is at a moment, whatever was stored when it was paused."""
    return "paused" if is_paused(job, now_ms) else "active"


def falls_into_pause(job: Pausable, nominal_ms: int, jitter_ms: int) -> bool:
    """Whether the occurrence would have started during the job's latest pause, or was still to start as it began."""
    if job.paused_ms is None or nominal_ms <= job.paused_ms - jitter_ms:
        return False
    return job.paused_until_ms is None or nominal_ms < job.paused_until_ms


def paused(job: Job, now_ms: int, fields: PauseFields, *, cause: PauseCause = "request") -> Job:
    """The job at rest; one that rests already gets what differs, or stays the same object.

    Another end makes older messages stale: what was rung for the former end must not stand in the way of the new one.
    """
    if is_paused(job, now_ms):
        update = dict(fields)
        if all(getattr(job, name) == value for name, value in update.items()):
            return job
        ends_anew = update.get("paused_until_ms", job.paused_until_ms) != job.paused_until_ms
    else:
        begun = {"status": "paused", "paused_ms": now_ms, "pause_cause": cause}
        update = {"pause_note": None, "paused_until_ms": None, **fields, **begun}
        ends_anew = update["paused_until_ms"] is not None
    return _changed(job, now_ms, update, ends_anew=ends_anew)


def resumed(job: Job, now_ms: int) -> Job:
    """The job at work again, an active one as it is. It remembers its pause: what that missed is yet to be judged."""
    if not is_paused(job, now_ms):
        return job
    update = {"status": "active", "paused_until_ms": now_ms, "pause_note": None, "pause_cause": None}
    return _changed(job, now_ms, update, ends_anew=True)


def _changed(job: Job, now_ms: int, update: dict[str, object], *, ends_anew: bool) -> Job:
    counted = {
        "revision": job.revision + 1,
        "schedule_revision": job.schedule_revision + ends_anew,
        "updated_ms": now_ms,
    }
    return job.model_copy(update={**update, **counted})
