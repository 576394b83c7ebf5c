"""The Makefile's first steps where the machine has no fitting Python, or a broken one."""

import shutil
import subprocess
from pathlib import Path

import pytest

from infra.paths import ROOT

TOOLS = ("sh", "make", "rm", "touch", "grep", "awk")
FAKE = """#!/bin/sh
case "$1 $2" in
  "-c "*) exit 0 ;;
  "-m venv") {venv} ;;
esac
exit 1
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A checkout's makefile and requirements, and a PATH without any Python."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / "bin" / tool).symlink_to(found)
    return tmp_path


def test_a_machine_without_python_is_told_which_and_how(place: Path) -> None:
    said = _make(place, "run")
    assert "Chronos needs Python 3.11, 3.12 or 3.13" in said
    assert "make run PYTHON=/path/to/python3" in said


def test_a_python_that_makes_no_virtualenv_is_named(place: Path) -> None:
    fake = _fake(place, venv="exit 1")
    assert f"Could not create .venv with {fake}" in _make(place, "run", f"PYTHON={fake}")


def test_an_installation_that_fails_says_what_to_check(place: Path) -> None:
    fake = _fake(place, venv='mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; exit 0')
    for tool in ("mkdir", "cp"):
        (place / "bin" / tool).symlink_to(str(shutil.which(tool)))
    said = _make(place, "run", f"PYTHON={fake}")
    assert "Installing requirements-dev.txt failed" in said
    assert "pip's index setting" in said


def test_a_virtualenv_whose_python_is_gone_is_made_anew(place: Path) -> None:
    fake = _fake(place, venv="exit 1")
    (place / ".venv" / "bin").mkdir(parents=True)
    (place / ".venv" / "bin" / "python").symlink_to(place / "gone")
    (place / ".venv" / ".ready").touch()
    assert "Could not create .venv" in _make(place, "deploy", f"PYTHON={fake}"), "the old one is not used"


def _fake(place: Path, *, venv: str) -> Path:
    path = place / "python"
    path.write_text(FAKE.format(venv=venv))
    path.chmod(0o755)
    return path


def _make(place: Path, *arguments: str) -> str:
    """What a failing make says on stderr."""
    done = subprocess.run(
        ["make", *arguments],
        cwd=place,
        env={"PATH": str(place / "bin"), "HOME": str(place)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    return done.stderr
