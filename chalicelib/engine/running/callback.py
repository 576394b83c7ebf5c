"""Runs that work elsewhere: what a callback, or its absence, makes of them."""

from dataclasses import replace
from typing import Literal

from chalicelib.domain.callback_token import Claim
from chalicelib.domain.errors import AttemptOver, Conflict, RunCancelled
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Outcome, Succeeded
from chalicelib.domain.progress import Progress
from chalicelib.domain.retry import RetryPolicy
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.admission import Admission
from chalicelib.engine.ledger import record
from chalicelib.engine.ledger.settle import settle, silent_until, stopped
from chalicelib.engine.ledger.streak import write_end
from chalicelib.engine.records import encode_progress, run_key
from chalicelib.engine.running.conclude import Concluder, Ended
from chalicelib.ports.table import ConditionFailed, Item, Update

Verdict = Literal["succeeded", "failed"]
OPEN = (RunStatus.RUNNING, RunStatus.WAITING)
ONCE = RetryPolicy(max_attempts=1)
"""For the runs of a job that is gone."""
PROGRESS_EVERY_MS = 2_000
HEARTBEAT_EVERY_MS = 1_000
"""What comes sooner after the one before is answered, and not stored."""


def is_awaited(run: Run, claim: Claim, verdict: Verdict | None = None) -> bool:
    """Whether the attempt has yet to hear this (None: a sign of life); False if just this is recorded. Pure.

    AttemptOver or RunCancelled if nobody waits for it any more, Conflict if it contradicts what it said before.
    """
    if run.attempt != claim.attempt:
        raise AttemptOver("The attempt is over, and the run has gone on without it.")
    if run.status is RunStatus.CANCELLED or (verdict is None and run.cancel_ms is not None):
        raise RunCancelled("The run is cancelled: stop the work.")
    if run.status in OPEN:
        return True
    outcome = next((each.outcome for each in run.attempts if each.number == claim.attempt), None)
    if verdict is not None and outcome == verdict:
        return False
    if verdict is not None and outcome in ("succeeded", "failed"):
        raise Conflict(f"The attempt has {outcome}; that stays so.")
    raise AttemptOver("The attempt is over: it was not waited for any longer.")


def concluded(job: Job | None, run: Run, outcome: Outcome, *, now_ms: int, fraction: float) -> Run:
    """The run after what became of its work. What succeeded has succeeded, also when asked to stop. Pure.

    Where a worker repeats an attempt whose first one died, no other follows before that worker's lease is over.
    """
    quiet = replace(run, progress=None)  # as it is stored it stays
    if run.cancel_ms is not None and not isinstance(outcome, Succeeded):
        return stopped(quiet, now_ms=now_ms)
    after = settle(quiet, outcome, job.retry if job else ONCE, now_ms=now_ms, fraction=fraction)
    if after.retry_ms is None or run.status is not RunStatus.RUNNING or run.starts <= run.attempt:
        return after
    return replace(after, retry_ms=max(after.retry_ms, run.lease_ms + 1))


def conclude(engine: Engine, job: Job | None, run: Run, outcome: Outcome) -> Run | None:
    """Write down what became of the work: the run as it goes on, None if it has gone on otherwise since it was read.

    Unavailable if the tables are away: then nobody knows, and it may be tried again.
    """
    now_ms, fraction = engine.clock.now_ms(), engine.ids.fraction()
    after = concluded(job, run, outcome, now_ms=now_ms, fraction=fraction)
    recorded = (
        _ended(engine, run, after) if job is None else Concluder(engine).try_once(Ended(job, run, after))
    )
    if not recorded:
        return None
    follow_up(engine, job, after)
    return after


def follow_up(engine: Engine, job: Job | None, run: Run) -> None:
    """What else the end of a run brings about: it may be done twice, so that it is done if somebody dies before."""
    if not run.is_final:
        return
    if run.has_room:
        Admission(engine).leave(job, run)
    if run.backfill is not None:
        from chalicelib.engine.backfills import go_on

        go_on(engine, run.tenant, run.backfill)


def note(engine: Engine, run: Run, progress: Progress | None) -> Run:
    """The run after a sign of life, which is stored if the one before is older than a moment.

    ConditionFailed if the run has gone on since it was read.
    """
    after = heard(run, progress, now_ms=engine.clock.now_ms())
    changes: Item = {}
    if after.lease_ms != run.lease_ms:
        changes["lease_ms"] = after.lease_ms
    if after.progress is not None and after.progress is not run.progress:
        changes["progress"] = encode_progress(after.progress)
    if changes:
        engine.db.runs.write(Update(run_key(run.tenant, run.id), changes, when=record.mine(run)))
    return after


def heard(run: Run, progress: Progress | None, *, now_ms: int) -> Run:
    """The run after a sign of life. The lease of a running one is its worker's, of a followed one its look's. Pure."""
    is_silent = run.status is RunStatus.WAITING and run.handle is None
    lease_ms = silent_until(run, now_ms) if is_silent else run.lease_ms
    if lease_ms < run.lease_ms + HEARTBEAT_EVERY_MS:
        lease_ms = run.lease_ms
    if run.progress is not None and now_ms < run.progress.at_ms + PROGRESS_EVERY_MS:
        progress = None
    return replace(run, lease_ms=lease_ms, progress=progress or run.progress)


def _ended(engine: Engine, run: Run, after: Run) -> bool:
    try:
        write_end(engine, None, after, record.ending(after, run))
    except ConditionFailed:
        return False
    return True
