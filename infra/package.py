"""`make package`: the one CloudFormation template and its code zip, by `chalice package` with our merge template."""

import hashlib
import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

from infra import checks, layer_zips
from infra.bundle import bundle
from infra.chalice_cli import chalice
from infra.errors import Stop
from infra.paths import BUILD, CHRONOS, PACKAGE, ROOT
from infra.project import architecture, for_package
from infra.template import merge_template

TEMPLATE, CODE = "template.json", "deployment.zip"
_SOURCES = ("app.py", "requirements.txt", "chalicelib", "infra", ".chalice/config.json")
_SUFFIXES = {".py", ".yaml", ".txt", ".json"}


def fingerprint(stage: str, chosen: str) -> str:
    """A digest of everything that a package or deployment is made of."""
    digest = hashlib.sha256(f"{stage} {chosen} {sys.version}".encode())
    for name in _SOURCES:
        top = ROOT / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and (path.suffix in _SUFFIXES or "__pycache__" not in path.parts):
                digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def package(stage: str, chosen: str = "", out: Path = PACKAGE) -> bool:
    """Write template.json, deployment.zip and the layers' zips into `out`; False if there is nothing to do.

    `chosen` is an architecture, that of the environment or of .chalice/config.json if empty.
    """
    chosen = chosen or architecture()
    mark, now = out / "fingerprint", fingerprint(stage, chosen)
    if mark.exists() and mark.read_text() == now:
        return False
    if not (ROOT / "app.py").exists():
        raise Stop("There is no app.py to package; run this from a complete checkout.")
    project = for_package(stage, chosen)
    code = bundle(project, chosen)
    merge, built = BUILD / f"merge-{stage}.json", BUILD / f"out-{stage}"
    merge.write_text(json.dumps(merge_template(stage, chosen)))
    region = {"AWS_DEFAULT_REGION": os.environ.get("AWS_DEFAULT_REGION", "us-east-1")}
    arguments = ["--stage", stage, "--merge-template", str(merge), str(built)]
    chalice(project, "package", *arguments, quiet=True, env=region)
    _publish(built / "sam.json", code, out)
    for lane, layer in layer_zips.build_all(chosen).items():
        shutil.copy(layer, out / layer_zips.name_of(lane))
    mark.write_text(now)
    return True


def _publish(template: Path, code: Path, out: Path) -> None:
    """Both files into `out`, the template minified: CloudFormation takes 1 MB."""
    text = json.dumps(json.loads(template.read_text()), separators=(",", ":"))
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / TEMPLATE).write_text(text)
    shutil.copy(code, out / CODE)


def main(stage: str) -> None:
    """Package and say what came of it."""
    made = package(stage)
    where = PACKAGE.relative_to(CHRONOS.parent)
    print(f"{where}/{TEMPLATE} ({(PACKAGE / TEMPLATE).stat().st_size / 1e3:.0f} kB)")
    for name in (CODE, *map(layer_zips.name_of, layer_zips.layered())):
        with zipfile.ZipFile(PACKAGE / name) as archive:
            unzipped = sum(each.file_size for each in archive.infolist())
        zipped = (PACKAGE / name).stat().st_size
        print(f"{where}/{name} ({zipped / 1e6:.1f} MB zipped, {unzipped / 1e6:.1f} MB unzipped)")
    print("up to date" if not made else f"packaged; checked by `make check` ({len(checks.CHECKS)} checks)")
