"""What the queue-driven Lambdas share: SQS batches in, failed ids out, and the function's own time limit."""

from collections.abc import Iterable
from typing import Any

from chalicelib.engine.message import Delivery
from chalicelib.ports.clock import Clock

RESERVE_SECONDS = 2.0
"""Kept free at the end of a function's time for its own answer."""


def deadline_of(context: Any, clock: Clock) -> float:
    """The monotonic second at which the function should be done."""
    remaining_ms: int = context.get_remaining_time_in_millis()
    return clock.monotonic() + remaining_ms / 1000 - RESERVE_SECONDS


def deliveries(event: dict[str, Any]) -> list[Delivery]:
    return [Delivery(record["messageId"], record["body"]) for record in event.get("Records", ())]


def partial_failure(failed: Iterable[str]) -> dict[str, Any]:
    """The answer of ReportBatchItemFailures: these messages come again, all others are deleted."""
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}
