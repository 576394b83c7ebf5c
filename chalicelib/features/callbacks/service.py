"""Carrying out what a callback says: each is decided by the run's record, and decided anew if that has changed."""

from chalicelib.domain.callback_token import Claim
from chalicelib.domain.errors import AttemptOver, Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Succeeded
from chalicelib.domain.progress import Progress
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.records import decode_job, decode_run, job_key, run_key
from chalicelib.engine.running.callback import Verdict, conclude, follow_up, is_awaited, note
from chalicelib.engine.running.signing import claim
from chalicelib.ports.table import ConditionFailed

TRIES = 5
"""How often it is decided anew when the run goes on in between."""
_BUSY = "The run changes faster than it can be read; try again."


def end(engine: Engine, token: str, outcome: Succeeded | Failed) -> Run:
    """The run, whose attempt ends so. Saying the same again changes nothing.

    NotFound if the token is none; CallbackExpired, AttemptOver or RunCancelled if nobody waits; Conflict if it said
    otherwise before; Unavailable.
    """
    claimed = _claim(engine, token)
    verdict: Verdict = "succeeded" if isinstance(outcome, Succeeded) else "failed"
    for _ in range(TRIES):
        run = _find(engine, claimed)
        job = _job(engine, run)
        if not is_awaited(run, claimed, verdict):
            follow_up(engine, job, run)
            return run
        after = conclude(engine, job, run, outcome)
        if after is not None:
            is_awaited(after, claimed, verdict)
            return after
    raise Unavailable(_BUSY)


def alive(engine: Engine, token: str, progress: Progress | None = None) -> Run:
    """The run, of which this is a sign of life, perhaps with progress. As `end`, but there is nothing to contradict."""
    claimed = _claim(engine, token)
    for _ in range(TRIES):
        run = _find(engine, claimed)
        is_awaited(run, claimed)
        try:
            return note(engine, run, progress)
        except ConditionFailed:
            continue
    raise Unavailable(_BUSY)


def _claim(engine: Engine, token: str) -> Claim:
    return claim(engine.secrets, token, now_ms=engine.clock.now_ms())


def _find(engine: Engine, claimed: Claim) -> Run:
    item = engine.db.runs.get(run_key(claimed.tenant, claimed.run_id))
    if item is None:
        raise AttemptOver("The run is over, and not kept any more.")
    return decode_run(item)


def _job(engine: Engine, run: Run) -> Job | None:
    """The run's job, None if it is gone. Unavailable if it cannot be read: how to go on is then not known."""
    item = engine.db.catalog.get(job_key(run.tenant, run.job_id))
    try:
        return decode_job(item) if item else None
    except ValueError:
        raise Unavailable("The run's job cannot be read.") from None
