"""The layers: a zip for each lane with a file in infra/layers, of exactly the packages that the file pins.

A lane's layer is part of its worker and of no other function. Wheels only, for Lambda's Python and C library, so that a
zip made on one machine runs on another; a package that has no such wheel is an error and is not left out.
"""

import compileall
import hashlib
import py_compile
import shutil
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from infra.bundle import RUNTIME, add
from infra.functions import APP, Json
from infra.paths import BUILD, INFRA
from infra.wheels import Known, install, known, pins

FOLDER = INFRA / "layers"
_TOP = "python"
"""Where Lambda looks for a layer's modules."""


def layered(folder: Path = FOLDER) -> tuple[str, ...]:
    """The lanes that have a layer, sorted: those whose file pins something."""
    return tuple(path.stem for path in sorted(folder.glob("*.txt")) if pins(path.read_text()))


def requirements(lane: str) -> Path:
    return FOLDER / f"{lane}.txt"


def name_of(lane: str) -> str:
    """The name of the lane's zip beside the code's."""
    return f"layer-{lane}.zip"


def resource_of(lane: str) -> str:
    """The layer's logical id in the template."""
    return f"{lane.capitalize()}Layer"


def resources(architecture: str) -> Json:
    """The layers in a template whose zips lie beside it."""
    return {
        resource_of(lane): {
            "Type": "AWS::Serverless::LayerVersion",
            "Properties": {
                "LayerName": {"Fn::Sub": f"{APP}-${{Stage}}-{lane}"},
                "Description": f"The packages of infra/layers/{lane}.txt.",
                "ContentUri": f"./{name_of(lane)}",
                "CompatibleRuntimes": [RUNTIME],
                "CompatibleArchitectures": [architecture],
                "RetentionPolicy": "Delete",
            },
        }
        for lane in layered()
    }


def fingerprint(lane: str, architecture: str) -> str:
    """A digest of what the lane's zip is made of."""
    return fingerprint_of(requirements(lane), architecture)


def build_all(architecture: str) -> Mapping[str, Path]:
    """The zips by their lanes."""
    return {lane: build(requirements(lane), architecture) for lane in layered()}


def build(source: Path, architecture: str, hashes: Known | None = None) -> Path:
    """The zip of a requirements file, made once for each content. Stop if a package has no wheel for Lambda.

    The wheels are those of infra/hashes.json, unless others are given.
    """
    target = BUILD / f"layer-{fingerprint_of(source, architecture)}.zip"
    if target.exists():
        return target
    print(f"    downloading the layer {source.stem} (once for each change of {source.name})", flush=True)
    packages = BUILD / f"layer-{source.stem}-packages"
    shutil.rmtree(packages, ignore_errors=True)
    packages.mkdir(parents=True)
    install(source, packages, architecture, RUNTIME, known() if hashes is None else hashes)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(packages, quiet=2, invalidation_mode=mode, stripdir=str(packages))
    partial = target.with_suffix(".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _wanted(packages):
            add(archive, f"{_TOP}/{path.relative_to(packages).as_posix()}", path.read_bytes())
    shutil.rmtree(packages)
    return partial.replace(target)


def fingerprint_of(source: Path, architecture: str) -> str:
    """The same of a file's zip."""
    text = source.read_text()
    return hashlib.sha256(f"{RUNTIME} {architecture} {sys.version} {text}".encode()).hexdigest()[:24]


def _wanted(packages: Path) -> Iterator[Path]:
    """All files but programs, and the packages' own tests."""
    for path in sorted(each for each in packages.rglob("*") if each.is_file()):
        parts = path.relative_to(packages).parts
        if parts[0] != "bin" and "tests" not in parts[:-1]:
            yield path
