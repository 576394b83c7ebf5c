"""Files of a tenant's folder on the mount. Each folder on the way is opened by itself, never by a link."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedIOBase, BufferedReader, FileIO
from pathlib import Path
from secrets import token_hex

from chalicelib.executors.file_system.locations import Location, checked_path, matches
from chalicelib.executors.file_system.stores import CHUNK_BYTES, MAX_SCANNED, Entry
from chalicelib.executors.trouble import Trouble

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
UNFINISHED = ".chronos-"
"""How the names of files begin that are being written."""


class LocalStore:
    """Files below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def entries(self, place: Location) -> Iterator[Entry]:
        if not place.is_pattern:
            found = self.find(place.path)
            yield from [found] if found else ()
            return
        looked = [0]
        with _told(place.fixed):
            try:
                top = self._folder(place.fixed.split("/")[:-1])
            except FileNotFoundError:
                return
            try:
                yield from self._below(top, place.fixed, place.path, looked)
            finally:
                os.close(top)

    def find(self, path: str) -> Entry | None:
        with _told(path):
            try:
                with self._parent(path) as (folder, name):
                    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                return None
        if not stat.S_ISREG(found.st_mode):
            raise Trouble("file", f"{path[:300]} is no plain file.", retryable=False)
        return _entry(path, found)

    def read(self, path: str) -> Iterator[bytes]:
        with self.opened(path) as file, _told(path):
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def opened(self, path: str) -> BufferedIOBase:
        with _told(path), self._parent(path) as (folder, name):
            number = os.open(name, _READ, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.close(number)
            raise Trouble("file", f"{path[:300]} is no plain file.", retryable=False)
        return BufferedReader(FileIO(number), CHUNK_BYTES)

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        with _told(path), self._parent(path, make=True) as (folder, name):
            unfinished = f"{UNFINISHED}{token_hex(6)}"
            number = os.open(unfinished, _NEW, 0o640, dir_fd=folder)
            try:
                with FileIO(number, "w") as file:
                    _write_all(file, chunks)
                os.replace(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(unfinished, dir_fd=folder)
                raise

    def delete(self, path: str) -> None:
        with _told(path), suppress(FileNotFoundError), self._parent(path) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def _below(self, folder: int, prefix: str, pattern: str, looked: list[int]) -> Iterator[Entry]:
        """What matches in a folder and those in it, by path; looks at a bounded number of names."""
        for name in self._names(folder, looked):
            path = prefix + name.rstrip("/")
            if name.endswith("/"):
                try:
                    inner = os.open(name[:-1], _FOLDER, dir_fd=folder)
                except FileNotFoundError:
                    continue
                try:
                    yield from self._below(inner, path + "/", pattern, looked)
                finally:
                    os.close(inner)
            elif matches(pattern, path):
                with suppress(FileNotFoundError):
                    yield _entry(path, os.stat(name, dir_fd=folder, follow_symlinks=False))

    def _names(self, folder: int, looked: list[int]) -> list[str]:
        """Files and folders (with a slash) in the order of paths; no links, and nothing unfinished."""
        names: list[str] = []
        with os.scandir(folder) as found:
            for each in found:
                looked[0] += 1
                if looked[0] > MAX_SCANNED:
                    raise Trouble(
                        "file", f"There are over {MAX_SCANNED:,} names to look at.", retryable=False
                    )
                if each.is_dir(follow_symlinks=False):
                    names.append(each.name + "/")
                elif each.is_file(follow_symlinks=False) and not each.name.startswith(UNFINISHED):
                    names.append(each.name)
        return sorted(names)

    @contextmanager
    def _parent(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """The folder that the path is in, opened, and the name in it."""
        *folders, name = checked_path(path).split("/")
        folder = self._folder(folders, make=make)
        try:
            yield folder, name
        finally:
            os.close(folder)

    def _folder(self, parts: list[str], *, make: bool = False) -> int:
        if make:
            self._root.mkdir(mode=0o750, parents=True, exist_ok=True)
        at = os.open(self._root, _FOLDER & ~os.O_NOFOLLOW)
        for part in parts:
            before = at
            try:
                at = _step(before, part, make=make)
            finally:
                os.close(before)
        return at


def _step(folder: int, name: str, *, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, 0o750, dir_fd=folder)
    return os.open(name, _FOLDER, dir_fd=folder)


def _write_all(file: FileIO, chunks: Iterable[bytes]) -> None:
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            rest = rest[file.write(rest) or 0 :]
    os.fsync(file.fileno())


def _entry(path: str, found: os.stat_result) -> Entry:
    mark = f"{found.st_mtime_ns}-{found.st_size}-{found.st_ino}"
    return Entry(path, found.st_size, found.st_mtime_ns // 1_000_000, mark)


@contextmanager
def _told(path: str) -> Iterator[None]:
    """The operating system's refusals, and impossible paths, as Trouble."""
    try:
        yield
    except FileNotFoundError as error:
        raise Trouble("file", f"There is no file {path[:300]}.", retryable=False) from error
    except OSError as error:
        raise Trouble("file", f"{path[:300]}: {error.strerror or 'it cannot be used'}.") from error
    except ValueError as error:
        raise Trouble("file", f"{path[:300]} {error}.", retryable=False) from error
