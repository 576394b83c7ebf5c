"""gzip and Zstandard as streams of chunks; what unpacks to too much is refused on the way."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol

from chalicelib.executors.trouble import Trouble

Codec = Literal["gz", "zst"]
_GZIP, _OUT, _IN = 31, 1 << 20, 1024
_MAX_WINDOW = 1 << 26


class Budget:
    """How much may come out of an archive: so many bytes, and so many times what has gone in."""

    def __init__(self, max_bytes: int, max_ratio: int = 1100) -> None:
        self._max_bytes, self._max_ratio = max_bytes, max_ratio
        self._in = self._out = 0

    def feed(self, size: int) -> None:
        self._in += size

    def spend(self, size: int) -> None:
        """Trouble if it is too much."""
        self._out += size
        if self._out > self._max_bytes:
            raise Trouble("file", f"It unpacks to more than {self._max_bytes:,} bytes.", retryable=False)
        if self._out > (1 << 20) + self._max_ratio * self._in:
            raise Trouble(
                "file", f"It unpacks to more than {self._max_ratio} times its size.", retryable=False
            )


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def compressed(chunks: Iterable[bytes], codec: Codec) -> Iterator[bytes]:
    made = _compressor(codec)
    for chunk in chunks:
        if packed := made.compress(chunk):
            yield packed
    yield made.flush()


def _compressor(codec: Codec) -> _Compressor:
    if codec == "gz":
        return zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    import zstandard

    made: _Compressor = zstandard.ZstdCompressor().compressobj()
    return made


def decompressed(chunks: Iterable[bytes], codec: Codec, budget: Budget) -> Iterator[bytes]:
    """Trouble if it is broken, cut off, or too much."""
    try:
        yield from (_gunzipped if codec == "gz" else _unzstd)(chunks, budget)
    except zlib.error as error:
        raise _broken(codec) from error


def _broken(codec: str) -> Trouble:
    return Trouble("file", f"It is no whole {codec} file.", retryable=False)


def _gunzipped(chunks: Iterable[bytes], budget: Budget) -> Iterator[bytes]:
    """Member after member, as gzip files may have several."""
    unpacker: Any = None
    for chunk in chunks:
        budget.feed(len(chunk))
        rest = chunk
        while rest:
            unpacker = unpacker or zlib.decompressobj(_GZIP)
            out = unpacker.decompress(rest, _OUT)
            budget.spend(len(out))
            yield out
            rest = unpacker.unconsumed_tail
            if unpacker.eof:
                rest, unpacker = unpacker.unused_data.lstrip(b"\0"), None
    if unpacker is not None:
        raise _broken("gz")


def _unzstd(chunks: Iterable[bytes], budget: Budget) -> Iterator[bytes]:
    """Frame after frame. A little at a time goes in, since a little may become a hundred thousand times as much."""
    import zstandard

    frames = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    unpacker: Any = None
    try:
        for chunk in _sliced(chunks, budget):
            rest = chunk
            while rest:
                unpacker = unpacker or frames.decompressobj()
                out = unpacker.decompress(rest)
                budget.spend(len(out))
                yield out
                rest = unpacker.unused_data if unpacker.eof else b""
                unpacker = None if unpacker.eof else unpacker
    except zstandard.ZstdError as error:
        raise _broken("zst") from error
    if unpacker is not None:
        raise _broken("zst")


def _sliced(chunks: Iterable[bytes], budget: Budget) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), _IN):
            piece = chunk[start : start + _IN]
            budget.feed(len(piece))
            yield piece
