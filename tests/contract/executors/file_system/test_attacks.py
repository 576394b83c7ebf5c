"""What must not happen: archives that lead out, hold links or unpack to too much; paths and links that leave it."""

import gzip
import io
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard

from chalicelib.domain.outcome import Failed, Succeeded
from chalicelib.executors.file_system import local as local_store
from tests.contract.executors.file_system.conftest import Files
from tests.support.calls import LOOPBACK, call_of, perform


def zipped(
    *names: str, content: bytes = b"x", change: Callable[[zipfile.ZipInfo], Any] = lambda info: None
) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            change(info)
            archive.writestr(info, content)
    return packed.getvalue()


def tarred(
    *names: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, form: int = tarfile.PAX_FORMAT
) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(content) if info.size else None)
    return packed.getvalue()


def raw_header(name: str, size: int, kind: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.USTAR_FORMAT)


def link(info: zipfile.ZipInfo) -> None:
    info.external_attr = 0o120777 << 16


def encrypted(content: bytes) -> bytes:
    """The zip file, with the sign of encryption in its directory."""
    place = content.index(b"PK\x01\x02")
    return content[: place + 8] + struct.pack("<H", 1) + content[place + 10 :]


OUTSIDE = ["../x", "a/../../x", "/etc/x", "a//x", "..", "a/./x", "a\\x", "C:\\x", "x\x01", "x" * 1025]
ZIPS = [
    *((zipped(name), f"the name {name[:20]!r}") for name in OUTSIDE if "\x00" not in name),
    (zipped("a", change=link), "a link"),
    (encrypted(zipped("a")), "encrypted"),
    (
        zipped("a", change=lambda info: setattr(info, "compress_type", zipfile.ZIP_LZMA)),
        "another way of packing",
    ),
    (zipped(*(str(number) for number in range(11))), "more files than are allowed"),
    (zipped("a", content=bytes(3_000_000)), "many times its size"),
    (zipped("a", "b", content=os.urandom(600_000)), "more bytes than are allowed"),
    (zipped("a", content=b"abc")[:-10], "cut off"),
    (b"", "empty"),
    (b"no archive at all" * 100, "something else"),
]
TARS = [
    *((tarred(name), f"the name {name[:20]!r}") for name in OUTSIDE if not name.startswith("/")),
    (tarred("/etc/x", form=tarfile.GNU_FORMAT), "an absolute name"),
    *(
        (tarred("a", kind=kind), why)
        for kind, why in [
            (tarfile.SYMTYPE, "a symbolic link"),
            (tarfile.LNKTYPE, "a hard link"),
            (tarfile.CHRTYPE, "a device"),
            (tarfile.FIFOTYPE, "a pipe"),
        ]
    ),
    (raw_header("a", 1 << 30, tarfile.XHDTYPE) + bytes(1 << 20), "a header of a gigabyte"),
    (
        raw_header("a", 12, tarfile.XHDTYPE) + b"99 path=x\n".ljust(512, b"\0"),
        "a header that lies of its length",
    ),
    (raw_header("a", 13, tarfile.XHDTYPE) + b"13 size=-100\n".ljust(512, b"\0"), "a size below nothing"),
    (tarred(*(str(number) for number in range(11))), "more files than are allowed"),
    (tarred("a", content=bytes(3_000_000)), "many times its size"),
    (tarred("a", "b", content=os.urandom(600_000)), "more bytes than are allowed"),
    (tarred("a", content=os.urandom(5000))[:2000], "cut off"),
    (b"x" * 1024, "something else"),
]
LIMITS = {"max_files": 10, "max_bytes": 1_000_000, "max_ratio": 100}


def is_refused(files: Files, content: bytes, form: str) -> None:
    files.put("in/archive", content)
    before = set(files.mount.rglob("*"))
    failed = files.failure(do="extract", source="in/archive", to="out/", format=form, **LIMITS)
    assert (failed.kind, failed.retryable) == ("file", False), failed
    new = {path for path in set(files.mount.rglob("*")) - before if path.is_file()}
    assert all(path.is_relative_to(files.root / "out") for path in new)
    assert not [path for path in new if path.name.startswith(local_store.UNFINISHED)]


@pytest.mark.parametrize(("content", "why"), ZIPS, ids=[why for _, why in ZIPS])
def test_a_zip_file_is_refused_that_holds(local: Files, content: bytes, why: str) -> None:
    is_refused(local, content, "zip")


@pytest.mark.parametrize(("content", "why"), TARS, ids=[why for _, why in TARS])
@pytest.mark.parametrize("form", ["tar.gz", "tar.zst"])
def test_a_tar_file_is_refused_that_holds(local: Files, content: bytes, why: str, form: str) -> None:
    packed = gzip.compress(content) if form == "tar.gz" else zstandard.ZstdCompressor().compress(content)
    is_refused(local, packed, form)


@pytest.mark.parametrize(
    ("content", "form", "why"),
    [
        (gzip.compress(bytes(100_000_000)), "gz", "a bomb"),
        (zstandard.ZstdCompressor().compress(bytes(100_000_000)), "zst", "a bomb"),
        (gzip.compress(b"abc" * 1000)[:-9], "gz", "cut off"),
        (zstandard.ZstdCompressor().compress(os.urandom(3000))[:-9], "zst", "cut off"),
        (gzip.compress(b"abc")[:-8] + bytes(8), "gz", "a wrong checksum"),
        (b"abc", "gz", "something else"),
        (b"abc", "zst", "something else"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",
)
def test_a_compressed_file_is_refused_that_is(local: Files, content: bytes, form: str, why: str) -> None:
    local.put("in/a", content)
    failed = local.failure(
        do="decompress", source="in/a", to="out/", format=form, max_unpacked_bytes=1_000_000
    )
    assert (failed.kind, failed.retryable) == ("file", False), why
    assert list(local.all()) == ["in/a"], "nothing of it is there"


def test_several_members_and_frames_are_read_as_one(local: Files) -> None:
    local.put("in/a.gz", gzip.compress(b"one ") + gzip.compress(b"two"))
    local.put("in/a.zst", b"".join(zstandard.ZstdCompressor().compress(each) for each in (b"one ", b"two")))
    for form in ("gz", "zst"):
        local.result(do="decompress", source=f"in/*.{form}", to=f"{form}/", format=form)
        assert local.all()[f"{form}/a"] == b"one two"


def test_archives_of_others_are_unpacked(local: Files) -> None:
    local.put("a.zip", zipped("x/y.txt", "z"))
    local.put("a.tar.gz", gzip.compress(tarred("./x/y.txt", "d" * 150 + "/z", form=tarfile.GNU_FORMAT)))
    assert local.result(do="extract", source="a.zip", to="zip/")["extracted"] == 2
    assert local.result(do="extract", source="a.tar.gz", to="tar/", format="tar.gz")["extracted"] == 2
    assert {"zip/x/y.txt", "zip/z", "tar/x/y.txt", "tar/" + "d" * 150 + "/z"} <= local.all().keys()


@pytest.fixture
def outside(local: Files) -> Path:
    """A file of another tenant, to which links in this tenant's folder lead."""
    secret = local.mount / "rival" / "secret"
    secret.parent.mkdir()
    secret.write_bytes(b"secret")
    (local.root / "link").symlink_to(secret)
    (local.root / "folder").symlink_to(secret.parent)
    (local.root / "up").symlink_to("..")
    os.mkfifo(local.root / "pipe")
    return secret


@pytest.mark.parametrize("source", ["link", "folder/secret", "up/rival/secret", "pipe"])
@pytest.mark.parametrize("do", ["checksum", "copy", "move", "archive"])
def test_links_and_pipes_are_not_read(local: Files, outside: Path, source: str, do: str) -> None:
    to = {"archive": {"to": "a.zip"}, "checksum": {}}.get(do, {"to": "out/"})
    assert local.failure(do=do, source=source, **to).kind == "file"
    assert outside.read_bytes() == b"secret"


def test_links_and_pipes_are_not_listed_nor_followed(local: Files, outside: Path) -> None:
    local.put("plain")
    assert [row["path"] for row in local.result(do="list", source="**")["files"]] == ["plain"]


@pytest.mark.parametrize("to", ["folder/", "folder/secret", "up/rival/secret", "folder/new/"])
def test_links_are_not_written_through(local: Files, outside: Path, to: str) -> None:
    local.put("plain")
    assert local.failure(do="copy", source="plain", to=to).kind == "file"
    assert outside.read_bytes() == b"secret"
    assert [path.name for path in outside.parent.iterdir()] == ["secret"]


def test_a_link_is_replaced_and_not_what_it_leads_to(local: Files, outside: Path) -> None:
    local.put("plain", b"new")
    local.result(do="copy", source="plain", to="link")
    assert (outside.read_bytes(), (local.root / "link").read_bytes()) == (b"secret", b"new")


def test_a_link_is_not_deleted_as_the_file_that_it_leads_to(local: Files, outside: Path) -> None:
    assert local.failure(do="delete", source="link").kind == "file"
    assert local.result(do="delete", source="**")["deleted"] == 0
    assert outside.exists()


def test_an_unpacked_archive_does_not_go_through_links(local: Files, outside: Path) -> None:
    local.put("a.zip", zipped("folder/secret", content=b"overwritten"))
    assert local.failure(do="extract", source="a.zip", to="").kind == "file"
    assert outside.read_bytes() == b"secret"


def test_what_is_being_written_is_not_listed_and_nothing_of_it_stays(local: Files) -> None:
    local.put(f"in/{local_store.UNFINISHED}abc")
    assert local.result(do="list", source="**")["count"] == 0
    local.put("in/a.gz", gzip.compress(b"abc" * 1000)[:-9])
    local.failure(do="decompress", source="in/a.gz", to="in/")
    assert sorted(local.all()) == [f"in/{local_store.UNFINISHED}abc", "in/a.gz"]


def test_without_a_mount_there_are_no_files_of_it() -> None:
    config = {"operation": {"do": "list", "source": "file:///**"}}
    settings = replace(LOOPBACK, mount=None)
    failed = perform(call_of("file_system", config, settings=settings), "file_system")
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.retryable) == ("file", False)
    assert "mounted" in failed.message


def test_a_tenants_folder_is_made_when_it_is_first_written_to(local: Files) -> None:
    local.root.rmdir()
    assert local.result(do="list", source="**")["count"] == 0
    (local.mount / "default").mkdir()
    local.put("a")
    assert isinstance(local.run(do="copy", source="a", to="b/c/"), Succeeded)


def test_a_crc_that_is_wrong_is_found(local: Files) -> None:
    content = zipped("a", content=b"abc" * 100)
    wrong = content.replace(struct.pack("<I", zlib.crc32(b"abc" * 100)), struct.pack("<I", 1))
    local.put("a.zip", wrong)
    assert "no whole zip" in local.failure(do="extract", source="a.zip", to="out/").message
