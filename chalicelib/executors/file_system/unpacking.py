"""Archives into files. An archive is somebody else's: its names, sizes and kinds are judged before anything is written.

The reader of tar files is our own: the standard library's takes headers of any size into memory.
"""

import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase

from chalicelib.executors.file_system.codecs import Budget
from chalicelib.executors.file_system.locations import checked_path
from chalicelib.executors.trouble import Trouble

Unpacked = Iterator[tuple[str, Iterator[bytes]]]
"""Names, and chunks that are to be read to their end before the next name."""
MAX_HEADER_BYTES = 65_536
MAX_DIRECTORY_BYTES = 16 << 20
_CHUNK = 1 << 20
_BLOCK = tarfile.BLOCKSIZE


def refused(why: str) -> Trouble:
    return Trouble("file", f"The archive is refused: {why}.", retryable=False)


def safe_name(name: str) -> str:
    """A name below the folder that the archive is unpacked to. Trouble if it leads elsewhere."""
    try:
        return checked_path(name.removeprefix("./"))
    except ValueError as error:
        raise refused(f"it holds the name {name[:100]!r}, which {error}") from error


def unzipped(file: BufferedIOBase, size: int, budget: Budget, max_files: int) -> Unpacked:
    """The files of a zip archive of this size."""
    budget.feed(size)
    with _whole_zip():
        archive = zipfile.ZipFile(_Cautious(file))
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > max_files:
        raise refused(f"it holds over {max_files} files")
    names = [_zip_name(info) for info in infos]
    for name, info in zip(names, infos, strict=True):
        yield name, _member(archive, info, budget)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Iterator[bytes]:
    with _whole_zip(), archive.open(info) as member:
        while chunk := member.read(_CHUNK):
            budget.spend(len(chunk))
            yield chunk


@contextmanager
def _whole_zip() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, UnicodeDecodeError) as error:
        raise refused("it is no whole zip file that can be read") from error


def _zip_name(info: zipfile.ZipInfo) -> str:
    kind = info.external_attr >> 28
    if kind not in (0, 0o10):  # the type in the mode: nothing, or a plain file
        raise refused(f"{info.filename[:100]!r} is a link or a device")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise refused("it is compressed in another way than by deflating")
    if info.flag_bits & 1:
        raise refused("it is encrypted")
    return safe_name(info.filename)


class _Cautious:
    """The file, of which nobody takes too much into memory at once: the directory of a zip file is read whole."""

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file
        self.seek, self.tell, self.close, self.seekable = file.seek, file.tell, file.close, file.seekable

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size if 0 <= size <= MAX_DIRECTORY_BYTES else MAX_DIRECTORY_BYTES + 1)
        if len(content) > MAX_DIRECTORY_BYTES:
            raise refused("its directory is too large")
        return content


def untarred(chunks: Iterable[bytes], max_files: int) -> Unpacked:
    """The files of a tar archive, whose bytes are counted by whoever unpacks them."""
    stream, name, size = _Stream(chunks), None, None
    count = 0
    while header := stream.header():
        if header.type in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
            long_name, long_size = _extended(header, stream)
            name, size = long_name or name, long_size if long_size is not None else size
            continue
        if header.type in (tarfile.XGLTYPE, tarfile.DIRTYPE):
            stream.skip(header.size)
        elif header.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
            count += 1
            if count > max_files:
                raise refused(f"it holds over {max_files} files")
            left = header.size if size is None else size
            yield safe_name(name or header.name), stream.take(left)
            stream.finish()
        else:
            raise refused(f"{(name or header.name)[:100]!r} is a link or a device")
        name = size = None


def _extended(header: tarfile.TarInfo, stream: "_Stream") -> tuple[str | None, int | None]:
    """The name and the size that the next header is too small for."""
    if header.size > MAX_HEADER_BYTES:
        raise refused("a header is too large")
    content = b"".join(stream.take(header.size))
    stream.finish()
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return _text(content.rstrip(b"\0")), None
    records = _records(content)
    size = records.get(b"size")
    return _text(records[b"path"]) if b"path" in records else None, int(size) if size else None


def _records(content: bytes) -> dict[bytes, bytes]:
    """`length key=value` lines, as POSIX has them."""
    found: dict[bytes, bytes] = {}
    while content:
        length, _, _ = content.partition(b" ")
        if not length.isdigit() or not len(length) + 2 < int(length) <= len(content):
            raise refused("a header cannot be read")
        record, content = content[len(length) + 1 : int(length) - 1], content[int(length) :]
        key, _, value = record.partition(b"=")
        found[key] = value
    if not found.get(b"size", b"0").isdigit():
        raise refused("a header cannot be read")
    return found


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise refused("a name is not UTF-8") from error


class _Stream:
    """A tar archive's bytes, in order."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._rest = iter(chunks), b""
        self._left = self._padding = 0

    def header(self) -> tarfile.TarInfo | None:
        """The next one, None at the end."""
        block = b"".join(self._next(_BLOCK))
        if not block.strip(b"\0"):
            for _ in self._chunks:  # to its end, where its checksum is
                pass
            return None
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError) as error:
            raise refused("it is no whole tar file") from error

    def take(self, size: int) -> Iterator[bytes]:
        """The content that follows a header."""
        self._left, self._padding = size, -size % _BLOCK
        while self._left:
            chunk = self._some(self._left)
            self._left -= len(chunk)
            yield chunk

    def finish(self) -> None:
        """Past what is left of the content, and past what it is padded with."""
        for _ in self._next(self._left + self._padding):
            pass
        self._left = self._padding = 0

    def skip(self, size: int) -> None:
        for _ in self._next(size + -size % _BLOCK):
            pass

    def _next(self, size: int) -> Iterator[bytes]:
        while size:
            chunk = self._some(size)
            size -= len(chunk)
            yield chunk

    def _some(self, size: int) -> bytes:
        while not self._rest:
            found = next(self._chunks, None)
            if found is None:
                raise refused("it is cut off")
            self._rest = found
        out, self._rest = self._rest[:size], self._rest[size:]
        return out
