"""Cancelling a run: at once where nobody works on it, by asking where somebody does."""

from dataclasses import replace

from chalicelib.domain.errors import Conflict
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.ledger.record import unchanged
from chalicelib.engine.ledger.settle import stopped
from chalicelib.engine.records import encode_attempts, run_key
from chalicelib.ports.table import Item, Update


def cancelled(run: Run, *, now_ms: int) -> Run:
    """The run after a request to cancel it. Conflict if it is over. Pure.

    A running one keeps its state: its worker learns of the wish by the next heartbeat. What works elsewhere for
    one that waits learns of it when it next calls back.
    """
    if run.status is RunStatus.CANCELLED or (run.status is RunStatus.RUNNING and run.cancel_ms is not None):
        return run
    if run.is_final:
        raise Conflict(f"The run is over: it is {run.status.value}.")
    if run.status is RunStatus.RUNNING:
        return replace(run, cancel_ms=now_ms)
    if run.status is RunStatus.WAITING:
        return replace(stopped(run, now_ms=now_ms), cancel_ms=now_ms)
    return replace(run, status=RunStatus.CANCELLED, cancel_ms=now_ms, finished_ms=now_ms, retry_ms=None)


def ask_to_stop(engine: Engine, run: Run) -> Run:
    """Carry it out on the run as it was read. Conflict if it is over, ConditionFailed if it has gone on since."""
    after = cancelled(run, now_ms=engine.clock.now_ms())
    if after is not run:
        changes: Item = {"status": after.status.value, "cancel_ms": after.cancel_ms or 0}
        if after.is_final:
            changes["finished_ms"] = after.finished_ms or 0
            changes["attempts"] = encode_attempts(after.attempts)
        gone = ("retry_ms",) if after.is_final else ()
        engine.db.runs.write(Update(run_key(run.tenant, run.id), changes, remove=gone, when=unchanged(run)))
    return after
