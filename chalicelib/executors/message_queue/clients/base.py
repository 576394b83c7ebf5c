"""What the clients of the kinds offer."""

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chalicelib.executors.base import Call
from chalicelib.executors.guarded_loop import GuardedLoop
from chalicelib.executors.message_queue.messages import Incoming, Outgoing, Refusal
from chalicelib.executors.tls import TLS, context_of

CLOSE_SECONDS = 0.4


@dataclass(frozen=True, slots=True)
class Site:
    """Where a client works: its call, and the loop that dials for it."""

    call: Call
    loop: GuardedLoop

    def tls(self, options: TLS | None) -> ssl.SSLContext | None:
        """The context of these options; None for plain text. UnusableTLS."""
        return None if options is None else context_of(options, self.call.settings.ca_file)


class Sink(ABC):
    """An open queue that takes messages."""

    refusal_kind = "broker"

    @abstractmethod
    async def publish(self, messages: Sequence[Outgoing]) -> list[Refusal]:
        """Send them, and wait until the broker has confirmed; those that it did not take. Trouble."""


class Source(ABC):
    """An open queue that gives messages."""

    @abstractmethod
    async def receive(self, limit: int, seconds: float) -> list[Incoming]:
        """At most so many messages; none if none has come for so many seconds. Trouble."""

    @abstractmethod
    async def settle(self, taken: Sequence[Incoming], left: Sequence[Incoming]) -> None:
        """Of what was received: confirm what was taken, give back what was left. Trouble."""


class Purgeable(ABC):
    """An open queue that can be emptied."""

    @abstractmethod
    async def purge(self) -> int | None:
        """Drop all messages; how many, if the broker says so. Trouble."""


class Measurable(ABC):
    """An open queue that knows its depth."""

    @abstractmethod
    async def depth(self) -> int:
        """How many messages wait. Trouble."""


Client = Sink | Source | Purgeable | Measurable
"""One open queue, of as many of these as its kind offers: a config asks for nothing else."""


async def closed(closing: Coroutine[Any, Any, Any]) -> None:
    """Take leave politely, but briefly: the loop cuts what is left."""
    with suppress(Exception):
        await asyncio.wait_for(closing, CLOSE_SECONDS)
