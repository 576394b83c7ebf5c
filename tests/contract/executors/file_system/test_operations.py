"""Each operation, on S3 and on the mount alike."""

import hashlib
import os
import random
import time
from typing import Any

import pytest

from chalicelib.domain.outcome import Failed
from tests.contract.executors.file_system.conftest import BUCKET, ROLE, Files

FOUR = {"in/a.csv": b"a", "in/b.csv": b"bb", "in/deep/c.csv": b"ccc", "in/d.txt": b"d"}


@pytest.fixture
def four(files: Files) -> Files:
    for path, content in FOUR.items():
        files.put(path, content)
    return files


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("in/*.csv", ["in/a.csv", "in/b.csv"]),
        ("in/**/*.csv", ["in/a.csv", "in/b.csv", "in/deep/c.csv"]),
        ("**", ["in/a.csv", "in/b.csv", "in/d.txt", "in/deep/c.csv"]),
        ("in/?.txt", ["in/d.txt"]),
        ("in/a.csv", ["in/a.csv"]),
        ("out/*", []),
    ],
)
def test_files_are_found_by_patterns_in_the_order_of_their_paths(
    four: Files, source: str, found: list[str]
) -> None:
    result = four.result(do="list", source=source)
    assert [row["path"] for row in result["files"]] == found
    assert (result["count"], result["complete"], result["truncated"]) == (len(found), True, False)


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ({"min_bytes": 2}, 2),
        ({"max_bytes": 1}, 2),
        ({"older_than_seconds": 3600}, 0),
        ({"newer_than_seconds": 3600}, 4),
        ({"max_files": 3}, 3),
    ],
)
def test_files_are_chosen_by_size_age_and_number(four: Files, condition: dict[str, int], count: int) -> None:
    result = four.result(do="list", source="in/**", **condition)
    assert (result["count"], result["complete"]) == (count, "max_files" not in condition)


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        ({"source": "in/*.csv"}, None),
        ({"source": "in/*.csv", "at_least": 2, "at_most": 2}, None),
        ({"source": "in/*.csv", "at_least": 3}, "condition"),
        ({"source": "in/**", "at_most": 1}, "condition"),
        ({"source": "in/gone.csv"}, "condition"),
        ({"source": "in/a.csv", "min_bytes": 100}, "condition"),
        ({"source": "in/gone.csv", "at_least": 0, "at_most": 0}, None),
    ],
)
def test_a_check_fails_unless_there_is_what_should_be(
    four: Files, wanted: dict[str, Any], kind: str | None
) -> None:
    outcome = four.run(do="check", **wanted)
    assert (outcome.kind if isinstance(outcome, Failed) else None) == kind


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "md5"])
def test_checksums_are_told(four: Files, algorithm: str) -> None:
    result = four.result(do="checksum", source="in/*.csv", algorithm=algorithm)
    assert [row[algorithm] for row in result["files"]] == [
        hashlib.new(algorithm, content).hexdigest() for content in (b"a", b"bb")
    ]


def test_another_checksum_than_expected_fails(four: Files) -> None:
    asked = {"do": "checksum", "source": "in/a.csv", "algorithm": "crc32"}
    assert four.result(**asked, expected="E8B7BE43")["count"] == 1
    assert four.failure(**asked, expected="00000000").kind == "condition"


def test_files_are_copied_into_a_folder_by_their_paths(four: Files) -> None:
    result = four.result(do="copy", source="in/**/*.csv", to="out/")
    assert (result["copied"], result["bytes"], result["skipped"]) == (3, 6, 0)
    copies = {path: content for path, content in four.all().items() if path.startswith("out/")}
    assert copies == {"out/a.csv": b"a", "out/b.csv": b"bb", "out/deep/c.csv": b"ccc"}


def test_one_file_is_copied_under_another_name(four: Files) -> None:
    four.result(do="copy", source="in/a.csv", to="out/z.csv")
    assert four.all() == {**FOUR, "out/z.csv": b"a"}


@pytest.mark.parametrize(
    ("overwrite", "content", "skipped"),
    [("always", b"a", 0), ("never", b"other", 1), ("if_different", b"a", 0)],
)
def test_what_is_there_is_overwritten_as_it_is_said(
    four: Files, overwrite: str, content: bytes, skipped: int
) -> None:
    four.put("out/a.csv", b"other")
    assert four.result(do="copy", source="in/a.csv", to="out/", overwrite=overwrite)["skipped"] == skipped
    assert four.all()["out/a.csv"] == content


def test_files_are_moved_and_a_repeat_finds_them_moved(four: Files) -> None:
    asked = {"do": "move", "source": "in/a.csv", "to": "out/"}
    assert four.result(**asked)["moved"] == 1
    assert four.result(**asked)["moved"] == 0
    assert four.all() == {**{k: v for k, v in FOUR.items() if k != "in/a.csv"}, "out/a.csv": b"a"}
    assert four.result(do="move", source="in/**", to="done/")["moved"] == 3


def test_a_move_that_was_broken_off_after_its_copy_is_ended(four: Files) -> None:
    four.put("out/a.csv", b"a")
    assert four.result(do="move", source="in/a.csv", to="out/", overwrite="if_different")["skipped"] == 1
    assert "in/a.csv" not in four.all()


def test_files_are_deleted_and_a_repeat_is_no_error(four: Files) -> None:
    asked = {"do": "delete", "source": "in/a.csv"}
    assert [four.result(**asked)["deleted"] for _ in range(2)] == [1, 0]
    assert four.result(do="delete", source="in/**")["deleted"] == 3
    assert four.all() == {}


@pytest.mark.parametrize(
    "operation",
    [
        {"do": "delete", "source": "in/**"},
        {"do": "move", "source": "in/**", "to": "out/"},
        {"do": "archive", "source": "in/**", "to": "a.zip"},
        {"do": "compress", "source": "in/**", "to": "out/"},
    ],
    ids=lambda operation: operation["do"],
)
def test_a_dry_run_changes_nothing(four: Files, operation: dict[str, Any]) -> None:
    result = four.result(**operation, dry_run=True)
    assert (result["dry_run"], len(result["files"]), four.all()) == (True, 4, FOUR)


@pytest.mark.parametrize("form", ["zip", "tar.gz", "tar.zst"])
def test_an_archive_holds_what_was_put_into_it(four: Files, form: str) -> None:
    long_name = "in/" + "x" * 120 + "/" + "ü" * 60 + ".bin"
    content = random.Random(1).randbytes(3_000_000)
    four.put(long_name, content)
    assert four.result(do="archive", source="in/**", to=f"all.{form}", format=form)["archived"] == 5
    unpacked = four.result(do="extract", source=f"all.{form}", to="out/", format=form)
    assert (unpacked["extracted"], unpacked["bytes"]) == (5, 7 + 3_000_000)
    found = four.all()
    for path, each in {**FOUR, long_name: content}.items():
        assert found["out/" + path.removeprefix("in/")] == each


@pytest.mark.parametrize("form", ["gz", "zst"])
def test_files_are_compressed_and_back(four: Files, form: str) -> None:
    assert four.result(do="compress", source="in/*.csv", to="packed/", format=form)["compressed"] == 2
    assert four.result(do="decompress", source="packed/*", to="out/", format=form)["decompressed"] == 2
    assert {k: v for k, v in four.all().items() if k.startswith("out/")} == {
        "out/a.csv": b"a",
        "out/b.csv": b"bb",
    }


@pytest.mark.parametrize(
    "operation",
    [
        {"do": "list", "source": "gone"},
        {"do": "checksum", "source": "gone"},
        {"do": "copy", "source": "gone", "to": "out/"},
        {"do": "move", "source": "gone", "to": "out/"},
        {"do": "archive", "source": "gone", "to": "a.zip"},
        {"do": "extract", "source": "gone", "to": "out/"},
    ],
    ids=lambda operation: operation["do"],
)
def test_a_file_that_is_named_and_not_there_fails(files: Files, operation: dict[str, Any]) -> None:
    failed = files.failure(**operation)
    assert (failed.kind, failed.retryable) == ("file", False)
    assert "gone" in failed.message


@pytest.mark.parametrize(
    "operation",
    [{"do": "copy", "source": "in/**", "to": "in/"}, {"do": "copy", "source": "in/a.csv", "to": "in/"}],
    ids=lambda operation: operation["do"],
)
def test_nothing_is_written_onto_itself(four: Files, operation: dict[str, Any]) -> None:
    assert "itself" in four.failure(**operation).message
    assert four.all() == FOUR


def test_an_archive_does_not_hold_itself_nor_less_than_was_asked_for(four: Files) -> None:
    for _ in range(2):
        assert four.result(do="archive", source="**", to="all.zip")["archived"] == 4
    assert "raise max_files" in four.failure(do="archive", source="**", to="all.zip", max_files=3).message


@pytest.mark.parametrize(
    "operation", [{"do": "list", "source": "**"}, {"do": "copy", "source": "**", "to": "out/"}]
)
def test_after_the_deadline_nothing_is_done(four: Files, operation: dict[str, Any]) -> None:
    assert four.failure(**operation, seconds=0).kind == "timeout"
    assert four.all() == FOUR


def test_files_go_between_the_mount_and_s3(s3: Files) -> None:
    s3.put("in/a.csv", b"a" * 9_000_000)
    s3.result(do="move", source="in/*.csv", to="file:///from/s3/")
    assert (s3.root / "from/s3/a.csv").read_bytes() == b"a" * 9_000_000
    s3.result(do="copy", source="file:///from/**", to="back/")
    assert s3.all() == {"back/s3/a.csv": b"a" * 9_000_000}
    assert set(s3.cloud.roles) == {ROLE}  # type: ignore[attr-defined]


def test_a_bucket_that_is_not_there_is_a_failure_of_the_cloud(s3: Files) -> None:
    failed = s3.failure(do="list", source=f"s3://{BUCKET}-of-nobody/*")
    assert (failed.kind, failed.status, failed.retryable) == ("cloud", 404, False)


def test_a_result_stays_small(files: Files) -> None:
    for number in range(150):
        files.put(f"in/{number:03d}-{'x' * 60}")
    result = files.result(do="list", source="in/*")
    assert (result["count"], result["truncated"]) == (150, True)
    assert len(str(result)) < 8000


def test_age_is_judged_by_the_last_change(local: Files) -> None:
    local.put("old")
    local.put("new")
    then = time.time() - 7200
    os.utime(local.root / "old", (then, then))
    assert [row["path"] for row in local.result(do="list", source="*", older_than_seconds=3600)["files"]] == [
        "old"
    ]
