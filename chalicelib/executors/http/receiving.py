"""The body of an answer: as much of it as is wanted is read, and all of it where it is stored."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import requests

from chalicelib.executors.base import Call
from chalicelib.executors.http.conditions import MAX_READ_BYTES
from chalicelib.executors.http.spec import Config

FILE = "answer"
_CHUNK = 65_536
_MEDIA_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}(\s?;[\x20-\x7e]{1,80})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Body:
    """The beginning of a body; `whole`: it is all of it. `file` is where all of it is stored, if it is."""

    content: bytes
    whole: bool
    file: str | None = None


def received(call: Call, response: requests.Response) -> Body:
    """Read it within the exchange's time; the caller closes the connection.

    urllib3's HTTPError; what `call.outputs.store` raises.
    """
    config: Config = call.config
    keep = max(call.settings.max_result_bytes + 1, MAX_READ_BYTES if config.expect else 0)
    reading = _Reading(response, keep)
    if not config.store_answer:
        for _ in reading.chunks(at_most=keep + 1):
            pass
        return Body(bytes(reading.head[:keep]), reading.read <= keep)
    stored = call.outputs.store(FILE, reading.chunks(None), _media_type(response))
    return Body(bytes(reading.head[:keep]), reading.read <= keep, stored.name)


class _Reading:
    """`head` is the beginning of what was `read` (bytes), a little over `keep`."""

    def __init__(self, response: requests.Response, keep: int) -> None:
        self._raw, self._keep = response.raw, keep
        self.head, self.read = bytearray(), 0

    def chunks(self, at_most: int | None) -> Iterator[bytes]:
        while at_most is None or self.read < at_most:
            wanted = _CHUNK if at_most is None else min(_CHUNK, at_most - self.read)
            chunk: bytes = self._raw.read(wanted, decode_content=False)
            if not chunk:
                return
            self.read += len(chunk)
            if len(self.head) < self._keep:
                self.head += chunk
            yield chunk


def _media_type(response: requests.Response) -> str:
    named = response.headers.get("content-type", "")
    return named if _MEDIA_TYPE.fullmatch(named) else "application/octet-stream"
