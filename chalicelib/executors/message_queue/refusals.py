"""What it means that a broker took some messages, and others not. Pure."""

from collections.abc import Sequence
from typing import Any

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.message_queue.messages import Refusal

MAX_TOLD = 20


def published(count: int, refusals: Sequence[Refusal], kind: str) -> Outcome:
    """The outcome of publishing `count` messages; `kind` is that of the failure, if there are refusals."""
    if not refusals:
        return Succeeded({"published": count})
    told: dict[str, Any] = {
        "published": count - len(refusals),
        "refused": [_told(one) for one in refusals[:MAX_TOLD]],
    }
    return Failed(kind, summary(count, refusals), result=told, retryable=may_pass(refusals))


def summary(count: int, refusals: Sequence[Refusal]) -> str:
    """One line about them."""
    first = refusals[0]
    return (
        f"{len(refusals)} of {count} messages were refused; the first, number {first.index}: {first.message}."
    )


def may_pass(refusals: Sequence[Refusal]) -> bool | None:
    """Whether another try may help: False if one of them lasts, True if all are said to pass."""
    said = {one.retryable for one in refusals}
    return False if False in said else (None if None in said else True)


def _told(refusal: Refusal) -> dict[str, Any]:
    return {"index": refusal.index, "code": refusal.code[:100], "message": refusal.message[:200]}
