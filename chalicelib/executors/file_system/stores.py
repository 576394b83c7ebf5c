"""What files lie in. One protocol, so that each operation works on S3 and on the mount alike."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from typing import Protocol

from chalicelib.executors.base import Call
from chalicelib.executors.file_system.locations import Location
from chalicelib.executors.trouble import Trouble

CHUNK_BYTES = 1 << 20
MAX_SCANNED = 100_000


class TooLate(Exception):
    """The attempt's time is up, or it is to stop."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file. `mark` differs once it has changed."""

    path: str
    bytes: int
    modified_ms: int
    mark: str = ""


class Store(Protocol):
    """Files by their paths. What is refused is Trouble; on S3 also a CloudError."""

    def entries(self, place: Location) -> Iterator[Entry]:
        """The files that the place names, in the order of their paths. Links are no files."""
        ...

    def find(self, path: str) -> Entry | None: ...

    def read(self, path: str) -> Iterator[bytes]: ...

    def opened(self, path: str) -> BufferedIOBase:
        """To be read here and there, and closed."""
        ...

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        """The whole file or nothing of it; what was there is replaced."""
        ...

    def delete(self, path: str) -> None:
        """No error if it is gone."""
        ...


def in_time(call: Call, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same, as long as there is time. TooLate."""
    for chunk in chunks:
        check_time(call)
        yield chunk


def check_time(call: Call) -> None:
    if call.stop.is_wanted or call.remaining() <= 0:
        raise TooLate


def counted(entries: Iterable[Entry]) -> Iterator[Entry]:
    """No more than may be looked at. Trouble."""
    for number, entry in enumerate(entries):
        if number == MAX_SCANNED:
            raise Trouble(
                "file", f"More than {MAX_SCANNED:,} files would be looked at: name fewer.", retryable=False
            )
        yield entry


def missing(place: Location, path: str) -> Trouble:
    return Trouble("file", f"There is no file {place.text(path)[:300]}.", retryable=False)
