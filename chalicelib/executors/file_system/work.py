"""The operations on files, over any store."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import new
from itertools import islice
from typing import Any

from chalicelib.domain.instants import rfc3339
from chalicelib.executors.base import Call
from chalicelib.executors.file_system.codecs import Budget, Codec, compressed, decompressed
from chalicelib.executors.file_system.locations import Location, location
from chalicelib.executors.file_system.packing import packed
from chalicelib.executors.file_system.s3 import MAX_COPY_BYTES, S3Store
from chalicelib.executors.file_system.spec import (
    Archive,
    Check,
    Checksum,
    Compress,
    Copy,
    Delete,
    Extract,
    List,
)
from chalicelib.executors.file_system.stores import Entry, Store, check_time, counted, in_time, missing
from chalicelib.executors.file_system.unpacking import Unpacked, untarred, unzipped
from chalicelib.executors.trouble import Trouble

Result = dict[str, Any]
OfFiles = List | Check | Checksum | Delete | Copy | Archive | Compress
SHOWN_BYTES = 6_000
"""Of the list of files in a result."""


@dataclass(frozen=True, slots=True)
class Desk:
    """A call, and the stores that its operation names."""

    call: Call
    store_of: Callable[[Location], Store]


def listed(desk: Desk, wanted: List) -> Result:
    entries, complete = _selected(desk, wanted)
    rows = [
        {"path": each.path, "bytes": each.bytes, "modified": rfc3339(each.modified_ms)} for each in entries
    ]
    return {**_summary(entries, complete), **_shown(rows)}


def checked(desk: Desk, wanted: Check) -> Result:
    entries, complete = _selected(desk, wanted, may_be_missing=True)
    count = len(entries)
    if count < wanted.at_least:
        raise Trouble(
            "condition", f"There are {count} such files, and {wanted.at_least} should be there at least."
        )
    if wanted.at_most is not None and count > wanted.at_most:
        raise Trouble(
            "condition", f"There are {count} such files, and at most {wanted.at_most} should be there."
        )
    return _summary(entries, complete)


def checksums(desk: Desk, wanted: Checksum) -> Result:
    place = location(wanted.source)
    entries, complete = _selected(desk, wanted)
    rows = []
    for entry in _each(desk, entries):
        digest = _digest(wanted.algorithm, in_time(desk.call, desk.store_of(place).read(entry.path)))
        if wanted.expected is not None and digest != wanted.expected.lower():
            raise Trouble("condition", f"The {wanted.algorithm} of {entry.path[:300]} is {digest}.")
        rows.append({"path": entry.path, wanted.algorithm: digest})
    return {**_summary(entries, complete), **_shown(rows)}


def deleted(desk: Desk, wanted: Delete) -> Result:
    store = desk.store_of(location(wanted.source))
    entries, complete = _selected(desk, wanted, may_be_missing=True)
    if not wanted.dry_run:
        for entry in _each(desk, entries):
            store.delete(entry.path)
    return _done("deleted", wanted, entries, complete)


def copied(desk: Desk, wanted: Copy) -> Result:
    """Copies, or moves: a file goes only when its copy is there and it has not changed since."""
    source, to = location(wanted.source), location(wanted.to)
    entries, complete = _selected(desk, wanted, may_be_missing=_is_moved_already(desk, wanted))
    skipped = []
    for entry in _each(desk, entries):
        path = _target(source, to, entry)
        if (source.scheme, source.bucket, entry.path) == (to.scheme, to.bucket, path):
            raise Trouble("file", f"{entry.path[:300]} would be copied onto itself.", retryable=False)
        there = desk.store_of(to).find(path) if wanted.overwrite != "always" else None
        same = there is not None and there.bytes == entry.bytes
        if there is not None and (wanted.overwrite == "never" or same):
            skipped.append(entry)
        elif not wanted.dry_run:
            _transfer(desk, source, entry, to, path)
        if (
            wanted.do == "move"
            and not wanted.dry_run
            and (entry not in skipped or wanted.overwrite != "never")
        ):
            _remove_unchanged(desk.store_of(source), entry)
    done = [entry for entry in entries if entry not in skipped]
    word = "moved" if wanted.do == "move" else "copied"
    return {**_done(word, wanted, done, complete), "skipped": len(skipped)}


def archived(desk: Desk, wanted: Archive) -> Result:
    source, to = location(wanted.source), location(wanted.to)
    entries, complete = _selected(desk, wanted)
    entries = [
        each
        for each in entries
        if (source.scheme, source.bucket, each.path) != (to.scheme, to.bucket, to.path)
    ]
    if not complete:
        raise Trouble(
            "file", f"There are more than {wanted.max_files} files: raise max_files.", retryable=False
        )
    if not wanted.dry_run:
        store = desk.store_of(source)
        named = [(each.path.removeprefix(source.fixed), each) for each in _each(desk, entries)]
        chunks = packed(named, lambda entry: store.read(entry.path), wanted.format)
        desk.store_of(to).write(to.path, in_time(desk.call, chunks))
    return _done("archived", wanted, entries, complete)


def extracted(desk: Desk, wanted: Extract) -> Result:
    source, to = location(wanted.source), location(wanted.to)
    store, into = desk.store_of(source), desk.store_of(to)
    found = store.find(source.path)
    if found is None:
        raise missing(source, source.path)
    names, total = [], 0
    for name, chunks in _unpacked(desk, store, found, wanted):
        check_time(desk.call)
        size = [0]
        into.write(to.path + name, in_time(desk.call, _measured(chunks, size)))
        names.append(name)
        total += size[0]
    return {"extracted": len(names), "bytes": total, **_shown(names)}


def recoded(desk: Desk, wanted: Compress) -> Result:
    """Compresses or decompresses each file into one of its own."""
    source, to = location(wanted.source), location(wanted.to)
    entries, complete = _selected(desk, wanted)
    for entry in _each(desk, [] if wanted.dry_run else entries):
        chunks = in_time(desk.call, desk.store_of(source).read(entry.path))
        path = _target(source, to, entry)
        if wanted.do == "compress":
            path, chunks = f"{path}.{wanted.format}", compressed(chunks, wanted.format)
        else:
            path = path.removesuffix(f".{wanted.format}")
            chunks = decompressed(chunks, wanted.format, Budget(wanted.max_unpacked_bytes))
        if (source.scheme, source.bucket, entry.path) == (to.scheme, to.bucket, path):
            raise Trouble("file", f"{entry.path[:300]} would be written onto itself.", retryable=False)
        desk.store_of(to).write(path, in_time(desk.call, chunks))
    return _done(f"{wanted.do}ed", wanted, entries, complete)


def _selected(desk: Desk, wanted: OfFiles, *, may_be_missing: bool = False) -> tuple[list[Entry], bool]:
    """The files that are wanted, and whether these are all. Trouble if a single one that is named is not there."""
    place, now_ms = location(wanted.source), desk.call.clock.now_ms()
    every = _checking(desk, counted(desk.store_of(place).entries(place)))
    seen = [False]
    fitting = (entry for entry in _noted(every, seen) if _fits(entry, wanted, now_ms))
    found = list(islice(fitting, wanted.max_files + 1))
    if not place.is_pattern and not seen[0] and not may_be_missing:
        raise missing(place, place.path)
    return found[: wanted.max_files], len(found) <= wanted.max_files


def _checking(desk: Desk, entries: Iterable[Entry]) -> Iterator[Entry]:
    for entry in entries:
        check_time(desk.call)
        yield entry


def _noted(entries: Iterable[Entry], seen: list[bool]) -> Iterator[Entry]:
    for entry in entries:
        seen[0] = True
        yield entry


def _fits(entry: Entry, wanted: OfFiles, now_ms: int) -> bool:
    age_ms = now_ms - entry.modified_ms
    return (
        (wanted.min_bytes is None or entry.bytes >= wanted.min_bytes)
        and (wanted.max_bytes is None or entry.bytes <= wanted.max_bytes)
        and (wanted.older_than_seconds is None or age_ms > wanted.older_than_seconds * 1000)
        and (wanted.newer_than_seconds is None or age_ms <= wanted.newer_than_seconds * 1000)
    )


def _each(desk: Desk, entries: list[Entry]) -> Iterator[Entry]:
    """One after the other, with a word about how far it is."""
    for number, entry in enumerate(entries):
        check_time(desk.call)
        desk.call.progress(100 * number / len(entries), entry.path)
        yield entry


def _target(source: Location, to: Location, entry: Entry) -> str:
    return to.path + entry.path.removeprefix(source.fixed) if to.is_folder else to.path


def _is_moved_already(desk: Desk, wanted: Copy) -> bool:
    """Whether an earlier attempt has moved the one file, and died before it could say so."""
    source, to = location(wanted.source), location(wanted.to)
    if wanted.do != "move" or source.is_pattern:
        return False
    return desk.store_of(to).find(_target(source, to, Entry(source.path, 0, 0))) is not None


def _transfer(desk: Desk, source: Location, entry: Entry, to: Location, path: str) -> None:
    from_, into = desk.store_of(source), desk.store_of(to)
    if isinstance(from_, S3Store) and isinstance(into, S3Store) and entry.bytes <= MAX_COPY_BYTES:
        from_.copy_within(entry, into.bucket, path)
    else:
        into.write(path, in_time(desk.call, from_.read(entry.path)))
    written = into.find(path)
    if written is None or written.bytes != entry.bytes:
        raise Trouble("file", f"{entry.path[:300]} changed while it was copied.", retryable=True)


def _remove_unchanged(store: Store, entry: Entry) -> None:
    now = store.find(entry.path)
    if now is not None and now.mark != entry.mark:
        raise Trouble("file", f"{entry.path[:300]} changed while it was moved: it stays.", retryable=True)
    store.delete(entry.path)


def _unpacked(desk: Desk, store: Store, found: Entry, wanted: Extract) -> Unpacked:
    budget = Budget(wanted.max_bytes, wanted.max_ratio)
    if wanted.format == "zip":
        with store.opened(found.path) as file:
            yield from unzipped(file, found.bytes, budget, wanted.max_files)
        return
    codec: Codec = "gz" if wanted.format == "tar.gz" else "zst"
    chunks = decompressed(in_time(desk.call, store.read(found.path)), codec, budget)
    yield from untarred(chunks, wanted.max_files)


def _measured(chunks: Iterable[bytes], size: list[int]) -> Iterator[bytes]:
    for chunk in chunks:
        size[0] += len(chunk)
        yield chunk


def _digest(algorithm: str, chunks: Iterable[bytes]) -> str:
    if algorithm == "crc32":
        value = 0
        for chunk in chunks:
            value = zlib.crc32(chunk, value)
        return f"{value:08x}"
    digest = new(algorithm, usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _done(
    word: str, wanted: Delete | Copy | Archive | Compress, entries: list[Entry], complete: bool
) -> Result:
    plan = {"dry_run": True} if wanted.dry_run else {}
    paths = [entry.path for entry in entries]
    total = sum(entry.bytes for entry in entries)
    return {word: len(entries), "bytes": total, "complete": complete, **plan, **_shown(paths)}


def _summary(entries: list[Entry], complete: bool) -> Result:
    return {"count": len(entries), "bytes": sum(entry.bytes for entry in entries), "complete": complete}


def _shown(rows: list[Any]) -> Result:
    """The first of the files, as many as a result has room for."""
    shown: list[Any] = []
    size = 0
    for row in rows:
        size += len(str(row).encode()) + 4
        if size > SHOWN_BYTES:
            return {"files": shown, "truncated": True}
        shown.append(row)
    return {"files": shown, "truncated": False}
