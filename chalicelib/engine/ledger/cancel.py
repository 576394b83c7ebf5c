"""Cancelling a run: at once where nobody works on it, by asking where somebody does."""

from dataclasses import replace

from chalicelib.domain.errors import Conflict, Unavailable
from chalicelib.domain.ids import bucket_of
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.ledger.record import unchanged, wait_timer
from chalicelib.engine.ledger.settle import stopped
from chalicelib.engine.records import encode_attempts, run_key
from chalicelib.engine.wheel.timers import encode_timer
from chalicelib.ports.table import Item, Put, Update


def cancelled(run: Run, *, now_ms: int) -> Run:
    """The run after a request to cancel it. Conflict if it is over. Pure.

    A running one keeps its state: its worker learns of the wish by the next heartbeat. So does one that follows its
    work: a worker stops that first. What works elsewhere for one that waits learns of it when it next calls back.
    """
    keeps_state = run.status is RunStatus.RUNNING or (
        run.status is RunStatus.WAITING and run.handle is not None
    )
    if run.status is RunStatus.CANCELLED or (keeps_state and run.cancel_ms is not None):
        return run
    if run.is_final:
        raise Conflict(f"The run is over: it is {run.status.value}.")
    if keeps_state:
        return replace(run, cancel_ms=now_ms)
    if run.status is RunStatus.WAITING:
        return replace(stopped(run, now_ms=now_ms), cancel_ms=now_ms)
    return replace(run, status=RunStatus.CANCELLED, cancel_ms=now_ms, finished_ms=now_ms, retry_ms=None)


def ask_to_stop(engine: Engine, run: Run) -> Run:
    """Carry it out on the run as it was read. Conflict if it is over, ConditionFailed if it has gone on since.

    Who follows its work is rung to stop that.
    """
    now_ms = engine.clock.now_ms()
    after = cancelled(run, now_ms=now_ms)
    if after is not run:
        changes: Item = {"status": after.status.value, "cancel_ms": after.cancel_ms or 0}
        if after.is_final:
            changes["finished_ms"] = after.finished_ms or 0
            changes["attempts"] = encode_attempts(after.attempts)
        gone = ("retry_ms",) if after.is_final else ()
        write = Update(run_key(run.tenant, run.id), changes, remove=gone, when=unchanged(run))
        if run.handle is None:
            engine.db.runs.write(write)
        else:
            _ring_with(engine, write, after, now_ms)
    return after


def _ring_with(engine: Engine, write: Update, run: Run, now_ms: int) -> None:
    """The wish, with a timer for the look that carries it out; rung at once if that is possible."""
    from chalicelib.engine.ringing.dispatch import dispatch

    shard = bucket_of(run.job_id, engine.settings.shards)
    timer = wait_timer(replace(run, lease_ms=now_ms), shard, now_ms)
    engine.db.transact(("runs", write), ("timers", Put(encode_timer(timer))))
    try:
        dispatch(engine, [timer])
    except Unavailable as error:
        engine.telemetry.warning("A ring is left to the dispatcher.", error=error.message)
