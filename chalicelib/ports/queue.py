"""A lane: a queue of run messages for one class of work."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

MAX_DELAY_SECONDS = 900
"""SQS's limit for DelaySeconds."""
MAX_BODY_BYTES = 25_600
"""Ten such bodies fit into the 256 KiB that SQS has always taken in one call; ours have some 200 bytes."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send: its body, and the whole seconds (0 to 900) for which it stays invisible.

    `group` (at most 128 visible ASCII characters): messages of one group must not delay those of others, as far as the
    queue can help it. Empty: a group by itself.

    ValueError beyond these limits: not every queue would tell.
    """

    body: str
    delay_seconds: int = 0
    group: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.delay_seconds <= MAX_DELAY_SECONDS:
            raise ValueError(f"a delay of {self.delay_seconds} s is not within 0 to {MAX_DELAY_SECONDS} s")
        if not 0 < len(self.body.encode()) <= MAX_BODY_BYTES:
            raise ValueError(
                f"a body of {len(self.body)} characters is empty, or over {MAX_BODY_BYTES} bytes"
            )


class Queue(Protocol):
    """Sending only: receiving is the event source's work."""

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Send all of them, ten a call. Unavailable if any was refused in the end; those sent before it stay sent.

        After an error nobody knows which were sent; sending all again may double some.
        """
        ...
