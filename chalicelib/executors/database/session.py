"""What every engine offers to its users: a session that runs statements, and failures that say what they are."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from chalicelib.domain.outcome import Failed
from chalicelib.domain.retry import ErrorKind
from chalicelib.executors.base import Call
from chalicelib.executors.database.placeholders import Parameters

MAX_MESSAGE = 300
END_SECONDS = 2.0
"""For a server to be told, after the time is up, that a statement is to end."""
GRACE_SECONDS = 5.0
"""By how much a server's own time limit is later than the attempt's: it is for workers that die.

If it came first, MariaDB would end `sleep`, `benchmark` and the like early, and answer as if they had been carried out.
"""


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


@contextmanager
def committing(call: Call) -> Iterator[None]:
    """TooLate if the time is up before it begins; SqlFailure that tells of the doubt if its end is not known."""
    if call.remaining() <= 0 or call.stop.is_wanted:
        raise TooLate
    doubt = "while the transaction was committed: it may or may not have been."
    try:
        yield
    except TooLate as error:
        raise SqlFailure("timeout", f"The time was up {doubt}") from error
    except SqlFailure as error:
        if error.kind != "connection":
            raise
        raise SqlFailure("connection", f"The connection was lost {doubt}") from error


def without_values(text: str, values: Sequence[Any]) -> str:
    """A server's message in one line, where it quotes a parameter without that; long ones nowhere."""
    line = " ".join(text.split())
    for value in sorted({str(one) for one in values if one not in (None, "")}, key=len, reverse=True):
        told = " ".join(value.split())
        line = re.sub(rf"(['\"(=]){re.escape(told)}(['\")])", r"\1...\2", line)
        if len(told) >= 4:
            line = line.replace(told, "...")
    return line
