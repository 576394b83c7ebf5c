"""A message on its way, whatever brings it, and what is said of those that do not arrive."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_HEADERS = 50
_HEADER = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_VALUE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{0,1024}")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """`id` stays the same when the message is sent again: where the protocol can, the broker drops the second."""

    id: str
    body: bytes = field(repr=False)
    key: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that was read, and is the reader's until it confirms it by its `handle`."""

    message: Outgoing
    handle: Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """The broker did not take the message at `index`. `retryable`: whether it may later, None if nobody says."""

    index: int
    code: str
    message: str
    retryable: bool | None = None


def is_header(name: str, value: str) -> bool:
    """Whether every protocol here can carry it."""
    return bool(_HEADER.fullmatch(name) and _VALUE.fullmatch(value))


def carried(headers: Mapping[Any, Any]) -> dict[str, str]:
    """The headers that can go on to any other protocol: at most 50; what is no text, or too long, is left."""
    pairs = ((_text(name), _text(value)) for name, value in headers.items())
    kept = [(name, value) for name, value in pairs if is_header(name, value)]
    return dict(kept[:MAX_HEADERS])


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value)


def batches(messages: Sequence[Outgoing], size: int) -> Iterator[tuple[int, Sequence[Outgoing]]]:
    """So many at a time, each with the index of its first."""
    for start in range(0, len(messages), size):
        yield start, messages[start : start + size]
