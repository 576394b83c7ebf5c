"""How an attempt ended. Executors return one of these; exceptions are for surprises."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StoredOutput:
    """A file of an attempt. `sha256` in hex; `place`: where its store has put it among those of the run."""

    name: str
    bytes: int
    sha256: str
    media_type: str
    place: str = ""


PART_BYTES = 8 << 20
"""A file of so much is stored in parts, each of so much."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The effect took place; `result` is small JSON for people to read.

    `outputs` of every outcome are the files that the attempt has stored: whoever calls the executor fills them in.
    """

    result: dict[str, Any]
    outputs: tuple[StoredOutput, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The effect did not take place, or not as expected.

    `kind` is an error kind of `RetryPolicy`, `status` an HTTP status where there was one, `retry_after_seconds` what
    the other side asked for. `retryable`: what the other side says of another try, None if it says nothing.
    """

    kind: str
    message: str
    status: int | None = None
    retry_after_seconds: float | None = None
    result: dict[str, Any] | None = None
    retryable: bool | None = None
    outputs: tuple[StoredOutput, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """The other side has accepted the work, and will call back; `result` is what it answered until then."""

    result: dict[str, Any]
    outputs: tuple[StoredOutput, ...] = ()


@dataclass(frozen=True, slots=True)
class Following:
    """The work goes on elsewhere for long, and a worker looks now and then how it is going.

    `handle` is small JSON by which the work is found again; `result` is what is known of it until now, empty for
    nothing new. `deadline_seconds` count from the start of the attempt; those of its first such outcome hold.
    `look_after_seconds`: when to look again; None: soon at first, then less and less often.
    """

    handle: dict[str, Any]
    result: dict[str, Any]
    deadline_seconds: float
    look_after_seconds: float | None = None
    outputs: tuple[StoredOutput, ...] = ()


Outcome = Succeeded | Failed | Waiting | Following
