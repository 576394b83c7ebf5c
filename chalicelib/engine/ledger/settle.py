"""How a run goes on after an attempt. Pure."""

from dataclasses import replace
from typing import Any, Literal

from chalicelib.domain.outcome import Failed, Following, Outcome, Succeeded, Waiting
from chalicelib.domain.retry import RetryPolicy
from chalicelib.domain.run import Attempt, Run, RunStatus

WORKER_LOST = Failed(
    "worker_lost", "The workers that tried this attempt died before they could record a result."
)
NOT_ASKED = Failed("unknown", "It waits for a callback, which its job does not ask for.")
MAX_MESSAGE = 1000
FIRST_LOOK_MS, MOST_LOOK_MS = 5_000, 300_000
"""Work that is followed is looked after so soon at first, and at least so often: in between twice as late each time."""


def settle(run: Run, outcome: Outcome, policy: RetryPolicy, *, now_ms: int, fraction: float) -> Run:
    """The run after this outcome of its current attempt; RETRYING with `retry_ms` where another attempt follows."""
    if isinstance(outcome, Succeeded):
        return _ended(run, RunStatus.SUCCEEDED, "succeeded", now_ms, outcome=outcome)
    if isinstance(outcome, Following):
        return _following(run, outcome, now_ms)
    if isinstance(outcome, Waiting):
        if run.callback_by_ms is not None:
            return _waiting(run, outcome, now_ms)
        outcome = NOT_ASKED
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


def stopped(run: Run, *, now_ms: int, outcome: Outcome | None = None) -> Run:
    """The run, cancelled while it was under way. Work that was overdue by then may go on: its outcome says so."""
    message = "It was asked to stop."
    if run.handle is not None and isinstance(outcome, Failed) and outcome.kind == "timeout":
        message = f"{message} {outcome.message}"[:MAX_MESSAGE]
    error = {"kind": "cancelled", "message": message}
    return _ended(run, RunStatus.CANCELLED, "cancelled", now_ms, error=error)


def lost(run: Run, *, now_ms: int) -> Run:
    """The run, given up because its workers died."""
    return _failed(run, WORKER_LOST, now_ms)


def silent_until(run: Run, now_ms: int) -> int:
    """Until when a run that waits for its callback, and was heard of just now, may be silent."""
    by_ms = now_ms if run.callback_by_ms is None else run.callback_by_ms
    return by_ms if run.heartbeat_ms is None else min(by_ms, now_ms + run.heartbeat_ms)


def overdue(run: Run) -> Failed:
    """Why a run is not waited for any longer."""
    if run.handle is not None:
        return Failed("timeout", "The work that it followed was not over within its deadline.")
    if run.callback_by_ms is not None and run.lease_ms < run.callback_by_ms:
        seconds = (run.heartbeat_ms or 0) // 1000
        return Failed("callback_timeout", f"It gave no sign of life for {seconds} seconds.")
    return Failed("callback_timeout", "It did not call back within its deadline.")


def given_up(run: Run, *, now_ms: int) -> Run:
    """The run, ended because no worker could say what became of it; CANCELLED if that had been asked for."""
    if run.cancel_ms is not None:
        return stopped(run, now_ms=now_ms)
    return _failed(run, overdue(run), now_ms) if run.status is RunStatus.WAITING else lost(run, now_ms=now_ms)


def _waiting(run: Run, accepted: Waiting, now_ms: int) -> Run:
    begun_ms = run.started_ms or now_ms
    attempt = Attempt(run.attempt, begun_ms, None, "waiting", None, accepted.result, accepted.outputs)
    lease_ms = silent_until(run, now_ms)
    return replace(run, status=RunStatus.WAITING, lease_ms=lease_ms, attempts=(*run.attempts, attempt))


def look_again_seconds(waited_ms: int) -> float:
    """In how many seconds to look again after work that is this old: 5, 5, 10, 20, ... up to 300. Pure."""
    return min(MOST_LOOK_MS, max(FIRST_LOOK_MS, waited_ms)) / 1000


def _following(run: Run, following: Following, now_ms: int) -> Run:
    """The lease is until the next look."""
    begun_ms = run.started_ms or now_ms
    by_ms = run.callback_by_ms if run.handle is not None else None
    by_ms = by_ms or begun_ms + round(following.deadline_seconds * 1000)
    after = following.look_after_seconds
    seconds = look_again_seconds(now_ms - begun_ms) if after is None else after
    look_ms = now_ms + round(seconds * 1000)
    before = [attempt for attempt in run.attempts if attempt.finished_ms is not None]
    earlier = next((attempt for attempt in run.attempts if attempt.finished_ms is None), None)
    result, outputs = following.result, following.outputs
    if earlier is not None:
        result, outputs = result or earlier.result or {}, (*earlier.outputs, *outputs)
    attempt = Attempt(run.attempt, begun_ms, None, "waiting", None, result, outputs)
    return replace(
        run,
        status=RunStatus.WAITING,
        lease_ms=look_ms if now_ms >= by_ms else min(look_ms, by_ms),
        callback_by_ms=by_ms,
        handle=following.handle,
        attempts=(*before, attempt),
    )


def _failed(run: Run, failed: Failed, now_ms: int) -> Run:
    error: dict[str, Any] = {"kind": failed.kind, "message": failed.message[:MAX_MESSAGE]}
    if failed.status is not None:
        error["status"] = failed.status
    word = _WORDS.get(failed.kind, "failed")
    status = RunStatus.TIMED_OUT if word == "timed_out" else RunStatus.FAILED
    return replace(_ended(run, status, word, now_ms, error=error, outcome=failed), dead=True)


Word = Literal["succeeded", "failed", "timed_out", "lost", "cancelled"]
_WORDS: dict[str, Word] = {"timeout": "timed_out", "callback_timeout": "timed_out", "worker_lost": "lost"}


def _ended(
    run: Run,
    status: RunStatus,
    word: Word,
    now_ms: int,
    *,
    error: dict[str, Any] | None = None,
    outcome: Outcome | None = None,
) -> Run:
    before = [attempt for attempt in run.attempts if attempt.finished_ms is not None]
    accepted = next((attempt for attempt in run.attempts if attempt.finished_ms is None), None)
    result, outputs = (outcome.result, outcome.outputs) if outcome else (None, ())
    if accepted is not None:
        outputs = accepted.outputs + outputs
        result = result if accepted.result is None else {"accepted": accepted.result, **(result or {})}
    begun_ms = run.started_ms or now_ms
    attempt = Attempt(max(run.attempt, 1), begun_ms, now_ms, word, error, result, outputs)
    return replace(run, status=status, finished_ms=now_ms, attempts=(*before, attempt), handle=None)
