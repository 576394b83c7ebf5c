"""What the queue gave up: messages whose workers kept dying. The run's record decides how each one is settled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.start import refusal
from chalicelib.engine.ledger import record
from chalicelib.engine.ledger.settle import given_up, lost
from chalicelib.engine.ledger.streak import write_end
from chalicelib.engine.message import BadMessage, Delivery, RunMessage, decode
from chalicelib.engine.records import decode_job, decode_run, encode_run, job_key, run_key
from chalicelib.ports.table import Absent, ConditionFailed, Item, Put, Write

RETRY_LOOK_MS, PAST_MS = 60_000, 3_600_000
"""A look that could not begin is tried again after this; work whose deadline is so long over is given up."""


@dataclass(frozen=True, slots=True)
class Bury:
    """Write down that the run is given up: as failed, or as cancelled if that had been asked for."""

    run: Run
    write: Write


@dataclass(frozen=True, slots=True)
class LookAgain:
    """A worker still holds the lease; ring once more when it has run out."""

    at_ms: int


def decide_burial(
    existing: Run | None, message: RunMessage, *, now_ms: int, expires_at: int
) -> Bury | LookAgain | None:
    """What to do about a message that was received too often. Pure; None if the run has gone on without it."""
    if existing is None:
        dead = lost(replace(record.new_run(message), attempt=message.attempt), now_ms=now_ms)
        return Bury(dead, Put(encode_run(dead, expires_at=expires_at), Absent()))
    if existing.is_final:
        return None
    if existing.status in (RunStatus.RUNNING, RunStatus.WAITING):
        if existing.attempt != message.attempt:
            return None
        if existing.lease_ms >= now_ms:
            return LookAgain(existing.lease_ms + 1)
        is_followed = existing.status is RunStatus.WAITING and existing.handle is not None
        if is_followed and not _is_past(existing, now_ms):
            return LookAgain(now_ms + RETRY_LOOK_MS)
        after = given_up(existing, now_ms=now_ms)
        return Bury(after, record.ending(after, existing))
    if existing.attempt != message.attempt - 1 or existing.waits is not None:
        return None
    dead = lost(replace(existing, attempt=message.attempt, started_ms=None), now_ms=now_ms)
    return Bury(dead, record.ending(dead, existing))


def _is_past(existing: Run, now_ms: int) -> bool:
    """Whether the deadline of the work that the run follows is long over."""
    return (existing.callback_by_ms or 0) + PAST_MS < now_ms


def bury(engine: Engine, deliveries: Sequence[Delivery]) -> list[str]:
    """Settle a batch from a dead-letter queue; the ids of the deliveries that must come again."""
    failed = []
    for delivery in deliveries:
        try:
            _bury_one(engine, decode(delivery.body))
        except BadMessage as error:
            engine.telemetry.warning(
                "A message that is not ours is dropped.", error=str(error), body=delivery.body
            )
        except (Unavailable, ConditionFailed):
            failed.append(delivery.id)
    return failed


def _bury_one(engine: Engine, message: RunMessage) -> None:
    now_ms = engine.clock.now_ms()
    expires_at = engine.settings.expires_at(now_ms)
    stored = engine.db.runs.get(run_key(message.tenant, message.run_id))
    existing = decode_run(stored) if stored else None
    job, is_readable = _job(engine.db.catalog.get(job_key(message.tenant, message.job_id)))
    reason = refusal(job, message, now_ms=now_ms) if is_readable else None
    if existing is None and reason:
        engine.db.runs.write(record.skipping(message, reason, None, now_ms=now_ms, expires_at=expires_at))
        return
    decision = decide_burial(existing, message, now_ms=now_ms, expires_at=expires_at)
    if isinstance(decision, LookAgain):
        record.look_again(engine, message, decision.at_ms)
    elif isinstance(decision, Bury):
        write_end(engine, job, decision.run, decision.write)
        engine.telemetry.warning(
            "A run was given up: its workers died.", run_id=message.run_id, job_id=message.job_id
        )


def _job(item: Item | None) -> tuple[Job | None, bool]:
    """The job, and whether that can be known: one that cannot be read has not refused its run."""
    try:
        return (decode_job(item) if item else None), True
    except ValueError:
        return None, False
