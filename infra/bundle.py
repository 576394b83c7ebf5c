"""The code zip, built where Chalice looks for it: dependencies once for each requirements.txt, bytecode included.

Chalice by itself downloads everything again after each change of code (10 s), ships no bytecode (twice the cold
start), takes whatever file an index has for a version, and leaves out a requirement that has no wheel with exit code
0. It uses a zip that it finds at that path.
"""

import compileall
import hashlib
import inspect
import platform
import py_compile
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from infra.errors import Stop
from infra.paths import BUILD, ROOT
from infra.wheels import install, known

RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
_EPOCH = (2020, 1, 1, 0, 0, 0)


def local_architecture() -> str:
    """Lambda's name for this machine's architecture: the emulator runs the zip's compiled parts right here."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def bundle(project: Path, architecture: str) -> Path:
    """The deployment zip of a Chalice project, at the path where `chalice` reuses it."""
    target = _expected(project, architecture)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".part")
        shutil.copy(_dependencies(project / "requirements.txt", architecture), partial)
        with zipfile.ZipFile(partial, "a", zipfile.ZIP_DEFLATED) as archive:
            for name, content in sorted(_application(project)):
                add(archive, name, content)
        for former in target.parent.glob("*.zip"):
            former.unlink()
        partial.replace(target)
    return target


def _dependencies(requirements: Path, architecture: str) -> Path:
    """A zip of everything in requirements.txt, with bytecode; made once for each content of the file."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    target = BUILD / f"dependencies-{digest}-{RUNTIME}-{architecture}.zip"
    if target.exists():
        return target
    print("    downloading what goes into the zip (once for each change of requirements.txt)", flush=True)
    packages = BUILD / "site-packages"
    shutil.rmtree(packages, ignore_errors=True)
    packages.mkdir(parents=True)
    install(requirements, packages, architecture, RUNTIME, known())
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(packages, quiet=2, invalidation_mode=mode, stripdir=str(packages))
    partial = target.with_suffix(".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(each for each in packages.rglob("*") if each.is_file()):
            add(archive, path.relative_to(packages).as_posix(), path.read_bytes())
    shutil.rmtree(packages)
    return partial.replace(target)


def _expected(project: Path, architecture: str) -> Path:
    """Where Chalice looks for a zip of exactly these files."""
    from chalice.deploy.packager import DependencyBuilder, LambdaDeploymentPackager
    from chalice.utils import UI, OSUtils

    packager = LambdaDeploymentPackager(OSUtils(), DependencyBuilder(OSUtils()), UI(), architecture)
    return Path(packager.deployment_package_filename(str(project), RUNTIME))


def _application(project: Path) -> Iterator[tuple[str, bytes]]:
    """(name in the zip, content) of Chalice's runtime, app.py and chalicelib, each module with its bytecode."""
    import chalice
    from chalice import app

    sources = {
        "chalice/app.py": Path(inspect.getfile(app)),
        "chalice/__init__.py": Path(inspect.getfile(chalice)),
    }
    sources["app.py"] = project / "app.py"
    for path in (project / "chalicelib").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            sources[path.relative_to(project).as_posix()] = path
    for name, path in sources.items():
        yield name, path.read_bytes()
        if path.suffix == ".py":
            yield _bytecode(name, path, project)


def _bytecode(name: str, path: Path, project: Path) -> tuple[str, bytes]:
    parent, _, module = name.rpartition("/")
    cached = f"{parent}/__pycache__/{Path(module).stem}.{sys.implementation.cache_tag}.pyc".lstrip("/")
    target = project / ".bytecode"
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    try:
        py_compile.compile(str(path), str(target), dfile=name, doraise=True, invalidation_mode=mode)
    except py_compile.PyCompileError as error:
        raise Stop(f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else name}: {error.msg}") from error
    return cached, target.read_bytes()


def add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """With a fixed date, so that the same files make the same zip and nothing is deployed in vain."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o100755 << 16 if name.endswith(".so") else 0o100644 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)
