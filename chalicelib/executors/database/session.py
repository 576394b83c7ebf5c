"""What every engine offers to its users: a session that runs statements, and failures that say what they are."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from chalicelib.domain.outcome import Failed
from chalicelib.domain.retry import ErrorKind
from chalicelib.executors.database.placeholders import Parameters

MAX_MESSAGE = 300
END_SECONDS = 2.0
"""For a server to be told, after the time is up, that a statement is to end."""


class SqlFailure(Exception):
    """The database refuses, or cannot be reached. The message is fit for the job's owner, without any parameter.

    `code` is the engine's own: an SQLSTATE, or SQLite's name. `retryable` as in Failed.
    """

    def __init__(
        self, kind: ErrorKind, message: str, *, code: str | None = None, retryable: bool | None = None
    ) -> None:
        super().__init__(message)
        self.kind, self.message, self.code, self.retryable = kind, message[:MAX_MESSAGE], code, retryable

    def as_failed(self, result: dict[str, Any] | None = None) -> Failed:
        """The outcome of an attempt that ends by this."""
        told = {**(result or {}), **({"code": self.code} if self.code else {})}
        return Failed(self.kind, self.message, result=told or None, retryable=self.retryable)


class TooLate(Exception):
    """The time is up, or the attempt is to stop."""


@dataclass
class Answer:
    """Of a statement. `rows` must be used up, or nothing follows; they may raise SqlFailure or TooLate.

    `columns` is empty if it returns none. `changed` are the rows that it has changed, 0 if it only reads.
    """

    columns: Sequence[str] = ()
    rows: Iterator[Sequence[Any]] = field(default_factory=lambda: iter(()))
    changed: int = 0


class Session(Protocol):
    """A connection, in a transaction unless it was opened without. All may raise SqlFailure or TooLate."""

    def run(self, sql: str, parameters: Parameters) -> Answer:
        """Carry out one statement. The rows of the one before must have been used up."""
        ...

    def commit(self) -> None:
        """Make it lasting, if there is a transaction."""
        ...

    def end(self) -> None:
        """Hang up: what was not committed is rolled back, what still runs on the server is cancelled. Never raises."""
        ...


def without_values(text: str, values: Sequence[Any]) -> str:
    """A server's message in one line, where it quotes a parameter without that; long ones nowhere."""
    line = " ".join(text.split())
    for value in sorted({str(one) for one in values if one not in (None, "")}, key=len, reverse=True):
        told = " ".join(value.split())
        line = re.sub(rf"(['\"(=]){re.escape(told)}(['\")])", r"\1...\2", line)
        if len(told) >= 4:
            line = line.replace(told, "...")
    return line
