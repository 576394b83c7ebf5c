"""Paths on the mount lead to the tenant's own files, and nowhere else."""

from pathlib import Path

import pytest

from chalicelib.executors.base import ExecutorSettings
from chalicelib.executors.mount import ForbiddenPath, inside


@pytest.fixture
def settings(tmp_path: Path) -> ExecutorSettings:
    for tenant in ("one", "two"):
        (tmp_path / "mount" / tenant).mkdir(parents=True)
        (tmp_path / "mount" / tenant / "file").write_text(tenant)
    (tmp_path / "outside").write_text("secret")
    return ExecutorSettings(mount=str(tmp_path / "mount"))


@pytest.mark.parametrize("path", ["file", "./file", "new/deep/file", "new/../file", "..file"])
def test_a_path_below_the_tenants_folder_is_followed(settings: ExecutorSettings, path: str) -> None:
    assert (Path(settings.mount or "") / "one") in inside(settings, "one", path).parents


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../two/file", "another tenant's"),
        ("../../outside", "outside of the mount"),
        ("a/../../two/file", "another tenant's, by a detour"),
        ("/etc/passwd", "an absolute name"),
        (".", "the folder itself"),
        ("", "the folder itself"),
        ("a\x00b", "a NUL"),
        ("a" * 256, "too long a name"),
        ("a/" * 2000, "too long a path"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(settings: ExecutorSettings, path: str, why: str) -> None:
    with pytest.raises(ForbiddenPath):
        inside(settings, "one", path)


@pytest.mark.parametrize("link", ["../two/file", "../../outside", "/etc/passwd", "loop"])
def test_a_link_that_leads_elsewhere_is_refused(settings: ExecutorSettings, link: str) -> None:
    (Path(settings.mount or "") / "one" / "loop").symlink_to(link)
    with pytest.raises(ForbiddenPath):
        inside(settings, "one", "loop")


def test_a_link_to_a_file_of_its_own_is_followed(settings: ExecutorSettings) -> None:
    (Path(settings.mount or "") / "one" / "link").symlink_to("file")
    assert inside(settings, "one", "link").read_text() == "one"


def test_without_a_mount_there_are_no_files() -> None:
    with pytest.raises(ForbiddenPath, match="No file system is mounted"):
        inside(ExecutorSettings(), "one", "file")
