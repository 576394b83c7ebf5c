"""A lane: a queue of run messages for one class of work."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

MAX_DELAY_SECONDS = 900
"""SQS's limit for DelaySeconds."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send: its body, and the whole seconds (0 to 900) for which it stays invisible."""

    body: str
    delay_seconds: int = 0


class Queue(Protocol):
    """Sending only: receiving is the event source's work."""

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Send all of them, ten a call. Unavailable if any was refused in the end; those sent before it stay sent."""
        ...
