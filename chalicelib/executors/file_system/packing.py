"""Archives from files, as streams of chunks: nothing but the chunk at hand is in memory."""

import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from io import RawIOBase
from typing import Any, Literal

from chalicelib.executors.file_system.codecs import compressed
from chalicelib.executors.file_system.stores import Entry
from chalicelib.executors.trouble import Trouble

Format = Literal["zip", "tar.gz", "tar.zst"]
Read = Callable[[Entry], Iterable[bytes]]
_BLOCK = tarfile.BLOCKSIZE


def packed(files: Iterable[tuple[str, Entry]], read: Read, form: Format) -> Iterator[bytes]:
    """An archive of the files under their names. Trouble if one changes meanwhile."""
    if form == "zip":
        return _zipped(files, read)
    return compressed(_tarred(files, read), "gz" if form == "tar.gz" else "zst")


def _zipped(files: Iterable[tuple[str, Entry]], read: Read) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, entry in files:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o640 << 16
            with archive.open(info, "w", force_zip64=entry.bytes >= 1 << 31) as into:
                for chunk in _exactly(entry, read):
                    into.write(chunk)
                    yield sink.drained()
            yield sink.drained()
    yield sink.drained()


def _tarred(files: Iterable[tuple[str, Entry]], read: Read) -> Iterator[bytes]:
    for name, entry in files:
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = entry.bytes, entry.modified_ms // 1000, 0o640
        yield info.tobuf(tarfile.PAX_FORMAT)
        yield from _exactly(entry, read)
        yield bytes(-entry.bytes % _BLOCK)
    yield bytes(2 * _BLOCK)


def _exactly(entry: Entry, read: Read) -> Iterator[bytes]:
    """As many bytes as were listed: an archive says beforehand how many there are."""
    left = entry.bytes
    for chunk in read(entry):
        left -= len(chunk)
        if left < 0:
            break
        yield chunk
    if left:
        raise Trouble("file", f"{entry.path[:300]} changed while it was read.", retryable=True)


class _Sink(RawIOBase):
    """Where an archive is written to: what has come is taken away chunk by chunk."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def drained(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)
