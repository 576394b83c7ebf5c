"""How a run goes on after an attempt. Pure."""

from dataclasses import replace
from typing import Any, Literal

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.retry import RetryPolicy
from chalicelib.domain.run import Attempt, Run, RunStatus

WORKER_LOST = Failed(
    "worker_lost", "The workers that tried this attempt died before they could record a result."
)
MAX_MESSAGE = 1000


def settle(run: Run, outcome: Outcome, policy: RetryPolicy, *, now_ms: int, fraction: float) -> Run:
    """The run after this outcome of its current attempt; RETRYING with `retry_ms` where another attempt follows."""
    if isinstance(outcome, Succeeded):
        return _ended(run, RunStatus.SUCCEEDED, "succeeded", now_ms, result=outcome.result)
    retry_ms = policy.next_attempt_ms(
        run.attempt,
        outcome,
        first_started_ms=run.first_started_ms or now_ms,
        now_ms=now_ms,
        fraction=fraction,
    )
    ended = _failed(run, outcome, now_ms)
    if retry_ms is None:
        return ended
    return replace(ended, status=RunStatus.RETRYING, retry_ms=retry_ms, finished_ms=None, dead=False)


def stopped(run: Run, *, now_ms: int) -> Run:
    """The run, cancelled while it was under way."""
    error = {"kind": "cancelled", "message": "It was asked to stop."}
    return _ended(run, RunStatus.CANCELLED, "cancelled", now_ms, error=error)


def lost(run: Run, *, now_ms: int) -> Run:
    """The run, given up because its workers died."""
    return _failed(run, WORKER_LOST, now_ms)


def _failed(run: Run, failed: Failed, now_ms: int) -> Run:
    error: dict[str, Any] = {"kind": failed.kind, "message": failed.message[:MAX_MESSAGE]}
    if failed.status is not None:
        error["status"] = failed.status
    timed_out = failed.kind == "timeout"
    status = RunStatus.TIMED_OUT if timed_out else RunStatus.FAILED
    word = _WORDS.get(failed.kind, "failed")
    return replace(_ended(run, status, word, now_ms, error=error, result=failed.result), dead=True)


Word = Literal["succeeded", "failed", "timed_out", "lost", "cancelled"]
_WORDS: dict[str, Word] = {"timeout": "timed_out", "worker_lost": "lost"}


def _ended(
    run: Run,
    status: RunStatus,
    word: Word,
    now_ms: int,
    *,
    error: dict[str, Any] | None = None,
    result: dict[str, Any] | None = None,
) -> Run:
    attempt = Attempt(max(run.attempt, 1), run.started_ms or now_ms, now_ms, word, error, result)
    return replace(run, status=status, finished_ms=now_ms, attempts=(*run.attempts, attempt))
