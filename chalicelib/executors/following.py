"""Looking after work that goes on elsewhere: how it is going, and its end where nobody wants it any more."""

import json
from dataclasses import replace

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import Failed, Following, Outcome
from chalicelib.domain.run import Run
from chalicelib.executors.base import Call, Follower, Handle
from chalicelib.executors.registry import follower, told
from chalicelib.ports.cloud import CloudError

MAX_HANDLE_BYTES = 2_048
MAX_LATE_MS = 3_600_000
"""So long after the deadline nobody tries to look any more."""
BROKEN_OFF = ("timeout", "stopped")
"""Codes of what this look had no time for."""
UNTOLD = "It failed; what it said is not told, since the job's config cannot be filled in any more"
OVERDUE = "The work was not over within its deadline"


def followable(outcome: Outcome, type_: str) -> Outcome:
    """The outcome, with the type in its handle; a failure if it is to be followed, and cannot be."""
    if not isinstance(outcome, Following):
        return outcome
    if follower(type_) is None:
        return Failed("unknown", "Its type has begun work that it cannot follow.")
    if len(json.dumps(outcome.handle).encode()) > MAX_HANDLE_BYTES:
        return Failed("unknown", "What the work is found by is too large to be kept.")
    return replace(outcome, handle={"type": type_, "work": outcome.handle})


def begun(handle: Handle) -> tuple[str, Handle]:
    """The type that has begun the work, which its job may have no more; and by what the type finds it."""
    return str(handle["type"]), handle["work"]


def silenced(outcome: Outcome) -> Outcome:
    """The outcome without what the other side has said: it may hold secrets of the job that nobody knows any more."""
    if isinstance(outcome, Failed):
        return replace(outcome, message=f"{UNTOLD}.", result=None)
    return replace(outcome, result={})


def looked_after(call: Call, following: Follower, run: Run, handle: Handle) -> Outcome:
    """How the work is going. It is stopped if its run is to stop, or its deadline has passed. It never raises.

    What cannot be asked or stopped just now is asked again later, until the deadline.
    """
    outcome = _asked(call, following, handle)
    is_overdue = run.callback_by_ms is not None and call.clock.now_ms() >= run.callback_by_ms
    if is_overdue and isinstance(outcome, Failed):  # perhaps since a look before this one has stopped it
        return replace(outcome, kind="timeout", message=f"{OVERDUE}, and then: {outcome.message}")
    if not isinstance(outcome, Following) or not (is_overdue or run.cancel_ms is not None):
        return outcome
    trouble = _stopped(call, following, handle)
    if is_overdue:
        how = "it was stopped" if trouble is None else f"it could not be stopped: {trouble}"
        return Failed("timeout", f"{OVERDUE}; {how}.")
    return outcome if trouble else Failed("unknown", "It was asked to stop.")


def not_now(run: Run, failed: Failed) -> Outcome:
    """What becomes of a look that could not even begin: the next one may, if there is still time."""
    is_overdue = run.callback_by_ms is not None and run.lease_ms > run.callback_by_ms + MAX_LATE_MS
    if failed.retryable and run.handle is not None and not is_overdue:
        return Following(run.handle, {}, 0)  # with its type already
    return failed


def _asked(call: Call, following: Follower, handle: Handle) -> Outcome:
    try:
        return following.follow(call, handle)
    except (CloudError, Unavailable) as error:
        if isinstance(error, CloudError) and not error.retryable and error.code not in BROKEN_OFF:
            return Failed("cloud", error.message, status=error.status, retryable=False)
        call.log.warning("Nobody could say how the work is going.", error=error.message)
        return Following(handle, {}, 0)
    except Exception as surprise:  # noqa: BLE001 - as when an executor surprises
        return Failed("unknown", told(surprise))


def _stopped(call: Call, following: Follower, handle: Handle) -> str | None:
    """Why it could not be stopped, None if it was."""
    try:
        following.stop(call, handle)
    except (CloudError, Unavailable) as error:
        trouble = error.message
    except Exception as surprise:  # noqa: BLE001 - as when an executor surprises
        trouble = told(surprise)
    else:
        return None
    call.log.warning("The work could not be stopped.", error=trouble)
    return trouble
