"""Executors are found by their folders."""

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

import chalicelib.executors as package
from chalicelib.domain.outcome import Failed, Succeeded
from chalicelib.executors import registry
from tests.support.calls import call_of, perform


def test_the_types_are_the_folders() -> None:
    assert {"dummy", "http"} <= set(registry.types())


@pytest.mark.parametrize(
    "name",
    ["ftp", "", "HTTP", "base", "registry", "http.run", "..domain", "../http", "http/spec", "__init__"],
)
def test_a_type_that_does_not_exist_has_neither_spec_nor_executor(name: str) -> None:
    assert registry.spec(name) is None
    assert registry.executor(name) is None


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    package.__path__.append(str(tmp_path))
    yield tmp_path
    package.__path__.remove(str(tmp_path))


def _add(folder: Path, type_: str, run: str) -> None:
    (folder / type_).mkdir()
    (folder / type_ / "__init__.py").write_text('LANE = "long"')
    (folder / type_ / "run.py").write_text(textwrap.dedent(run))
    spec = f"""
        from pydantic import BaseModel, ConfigDict
        from chalicelib.executors.base import ExecutorSpec

        class Config(BaseModel):
            model_config = ConfigDict(extra="forbid")

        SPEC = ExecutorSpec(type="{type_}", config=Config, title="T", description="D")
    """
    (folder / type_ / "spec.py").write_text(textwrap.dedent(spec))


def test_a_type_from_a_folder_elsewhere_is_found_and_run(folder: Path) -> None:
    _add(
        folder,
        "parrot",
        """
        from chalicelib.domain.outcome import Succeeded

        def execute(call):
            return Succeeded({"said": call.run_id})
        """,
    )
    spec = registry.spec("parrot")
    assert spec is not None
    assert registry.lane("parrot") == "long"
    assert perform(call_of("parrot", {}, run_id="run_1"), "parrot") == Succeeded({"said": "run_1"})


def test_a_surprise_of_an_executor_is_a_failure_that_tells_the_place_and_no_secret(folder: Path) -> None:
    _add(
        folder,
        "clumsy",
        """
        def execute(call):
            raise RuntimeError("password=hunter2")
        """,
    )
    expected = "The executor failed unexpectedly: RuntimeError at run.py:3."
    assert perform(call_of("clumsy", {}), "clumsy") == Failed("unknown", expected)


def test_the_specs_load_nothing_heavy() -> None:
    import subprocess
    import sys

    heavy = ("requests", "urllib3", "certifi", "ssl", "botocore", "boto3")
    program = (
        "import sys; from chalicelib.executors import registry; "
        "[registry.spec(one) for one in registry.types()]; "
        f"print([one for one in {heavy!r} if one in sys.modules])"
    )
    root = Path(__file__).parents[3]
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
