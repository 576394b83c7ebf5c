"""Each worker's zip and layer have all that its types run with: they are loaded from there, and from nowhere else."""

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from bench.imports import types_of
from chalicelib.domain.lanes import LANES, Lane
from infra.layer_zips import layered, name_of
from infra.package import CODE

pytestmark = pytest.mark.e2e
OF_THE_RUNTIME = ("boto3", "botocore", "s3transfer")
"""Lambda brings them."""
PROGRAM = (
    "import app; from chalicelib.executors import registry; [registry.executor(type_) for type_ in {types!r}]"
)


@pytest.fixture(scope="module")
def unpacked(stack_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opt")
    for name, target in {CODE: "code", **{name_of(lane): lane for lane in layered()}}.items():
        with zipfile.ZipFile(stack_package / name) as archive:
            archive.extractall(folder / target)
    (folder / "runtime").mkdir()
    for name in OF_THE_RUNTIME:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        (folder / "runtime" / name).symlink_to(Path(spec.origin).parent)
    return folder


@pytest.mark.parametrize("lane", LANES)
def test_a_workers_zip_and_layer_load_its_types(lane: Lane, unpacked: Path) -> None:
    paths = [unpacked / "code", unpacked / lane / "python", unpacked / "runtime"]
    done = subprocess.run(
        [
            sys.executable,
            "-S",
            "-B",
            "-W",
            "error::ImportWarning",
            "-c",
            PROGRAM.format(types=types_of(lane)),
        ],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, paths))},
        cwd=unpacked / "code",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
