"""Small packages of a test's own, as wheels in a folder, and requirements files that take packages from there alone."""

import hashlib
import zipfile
from pathlib import Path

NAME = "chronos_parrot"


def parrot(folder: Path, version: str = "1.0", *, platform: str = "any") -> Path:
    """A wheel of a package with one module, a program and a test."""
    info = f"{NAME}-{version}.dist-info"
    tag = f"py3-none-{platform}"
    files = {
        f"{NAME}/__init__.py": f"VERSION = {version!r}\n",
        f"{NAME}/tests/test_parrot.py": "assert False\n",
        f"{NAME}-{version}.data/scripts/parrot": "#!python\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAME}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    return path


def hashes_of(wheel: Path) -> dict[str, list[str]]:
    """As infra/hashes.json would know it, and any other version of it."""
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return {f"chronos-parrot=={version}": [digest] for version in ("1.0", "1.1")}


def requiring(path: Path, wheels: Path, *pins: str) -> Path:
    """A requirements file whose packages are in `wheels`, and nowhere else."""
    path.write_text("\n".join(["--no-index", f"--find-links {wheels}", *pins]) + "\n")
    return path
