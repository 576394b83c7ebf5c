"""The code zip that Chalice finds where it looks for one."""

import zipfile
from pathlib import Path

import pytest

from infra.bundle import bundle
from infra.errors import Stop


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "chalicelib").mkdir()
    (tmp_path / "chalicelib" / "__init__.py").write_text("ANSWER = 42\n")
    (tmp_path / "app.py").write_text("import chalicelib\n")
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    return tmp_path


def test_every_module_comes_with_its_bytecode(project: Path) -> None:
    with zipfile.ZipFile(bundle(project, "x86_64")) as archive:
        names = archive.namelist()
    assert {"app.py", "chalicelib/__init__.py", "chalice/app.py"} <= set(names)
    assert len([name for name in names if name.endswith(".pyc")]) == len(
        [name for name in names if name.endswith(".py")]
    )


def test_the_same_code_makes_the_same_zip(project: Path) -> None:
    made = bundle(project, "x86_64")
    content = made.read_bytes()
    made.unlink()
    assert bundle(project, "x86_64").read_bytes() == content


def test_other_code_makes_another_zip(project: Path) -> None:
    made = bundle(project, "x86_64")
    (project / "app.py").write_text("import chalicelib  # changed\n")
    assert bundle(project, "x86_64") != made


def test_code_that_does_not_compile_is_named(project: Path) -> None:
    (project / "app.py").write_text("def broken(:\n")
    with pytest.raises(Stop, match=r"app\.py"):
        bundle(project, "x86_64")
