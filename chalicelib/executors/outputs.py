"""Output of attempts: small in the run's result, large in a file, and a list of the files for the run's record."""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from chalicelib.executors.base import Call
from chalicelib.ports.outputs import Outputs, StoredOutput

MAX_FILES = 20
"""Of an attempt: their list is a part of the run's record."""
MAX_INLINE_BYTES = 16_384


class Noted:
    """The port Outputs over another, which notes what was stored. Any thread may use it."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._stored: dict[str, StoredOutput] = {}

    def store(self, name: str, chunks: Iterable[bytes], media_type: str) -> StoredOutput:
        """As the port says; also a ValueError beyond 20 names."""
        if name not in self._stored and len(self._stored) >= MAX_FILES:
            raise ValueError(f"an attempt stores at most {MAX_FILES} files")
        stored = self._outputs.store(name, chunks, media_type)
        self._stored[name] = stored
        return stored

    @property
    def files(self) -> tuple[StoredOutput, ...]:
        """What was stored, by the first storing of each name."""
        return tuple(self._stored.values())


def captured(
    call: Call, name: str, chunks: Iterable[bytes], media_type: str, inline_limit: int = 4096
) -> dict[str, Any]:
    """Output for a result: up to `inline_limit` bytes (at most 16,384) as they are, more of it as a file.

    `{"text"}` or `{"base64"}`, else `{"output", "bytes", "sha256", "media_type"}`, where `output` is the file's name.
    Raises what `call.outputs.store` raises, and what `chunks` raises.
    """
    limit = min(inline_limit, MAX_INLINE_BYTES)
    rest = iter(chunks)
    head = _head(rest, limit)
    if len(head) <= limit:
        return _inline(head)
    stored = call.outputs.store(name, chain((head,), rest), media_type)
    return {
        "output": stored.name,
        "bytes": stored.bytes,
        "sha256": stored.sha256,
        "media_type": stored.media_type,
    }


def _head(chunks: Iterator[bytes], limit: int) -> bytes:
    """What comes first, until it is over the limit; all if it stays within."""
    head = bytearray()
    for chunk in chunks:
        head += chunk
        if len(head) > limit:
            break
    return bytes(head)


def _inline(content: bytes) -> dict[str, Any]:
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": b64encode(content).decode()}
