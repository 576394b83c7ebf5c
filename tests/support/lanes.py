"""Queues as their event sources work them off: visibility, receptions, dead letters, on a clock that is passed in."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.support.memory import FakeClock

BATCH = 10
_NUMBERS = count(1)


@dataclass(slots=True)
class Message:
    """A message: from when on it is visible, and how often it has been received."""

    body: str
    visible_ms: int
    received: int = 0
    id: str = field(default_factory=lambda: f"m{next(_NUMBERS)}")


@dataclass(slots=True)
class Lane:
    """A queue. What was received `most` times goes to `dead`; the times as in infra/lanes.yaml."""

    clock: FakeClock
    visibility_ms: int
    most: int = 0
    dead: "Lane | None" = None
    messages: list[Message] = field(default_factory=list)

    def next_ms(self) -> int | None:
        """When the next message becomes visible."""
        return min((message.visible_ms for message in self.messages), default=None)

    def receive(self) -> list[Message]:
        """Up to ten visible messages, the longest visible first; hidden from now on until their visibility ends."""
        now_ms = self.clock.now_ms()
        visible = sorted(
            (message for message in self.messages if message.visible_ms <= now_ms),
            key=lambda message: message.visible_ms,
        )
        if self.dead is not None:
            given_up = [message for message in visible if message.received >= self.most]
            self._move(given_up, self.dead)
            visible = [message for message in visible if message not in given_up]
        for message in visible[:BATCH]:
            message.received += 1
            message.visible_ms = now_ms + self.visibility_ms
        return visible[:BATCH]

    def delete(self, messages: list[Message]) -> None:
        self.messages = [message for message in self.messages if message not in messages]

    def _move(self, messages: list[Message], dead: "Lane") -> None:
        self.delete(messages)
        dead.messages += [Message(message.body, self.clock.now_ms()) for message in messages]


def event_of(messages: list[Message]) -> dict[str, Any]:
    """What Lambda hands to the function."""
    return {"Records": [{"messageId": message.id, "body": message.body} for message in messages]}
