"""`make check`'s part of the package: within Lambda's limits, complete, and clean to cfn-lint."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from infra.errors import Stop
from infra.layer_zips import layered, name_of, requirements
from infra.paths import BUILD, PACKAGE, ROOT
from infra.template import infra_template
from infra.wheels import canonical, pins

ZIPPED, UNZIPPED, TEMPLATE = 45_000_000, 250_000_000, 1_000_000
"""Bytes. Lambda takes 50 MB zipped by direct upload; the rest is headroom."""
_CODE, _TEMPLATE = PACKAGE / "deployment.zip", PACKAGE / "template.json"


def sizes(code: Path, template: Path, layers: Iterable[Path] = ()) -> Iterator[str]:
    """What is over a limit. A function's code and its layer are unzipped into one space."""
    unzipped = _unzipped(code)
    measured = [
        ("the zip", code.stat().st_size, ZIPPED),
        ("the unzipped code", unzipped, UNZIPPED),
        ("the template", template.stat().st_size, TEMPLATE),
    ]
    for layer in layers:
        measured.append((layer.name, layer.stat().st_size, ZIPPED))
        measured.append((f"the unzipped code with {layer.name}", unzipped + _unzipped(layer), UNZIPPED))
    for what, size, limit in measured:
        if size >= limit:
            yield f"{what} has {size:,} bytes; the limit is {limit:,}"


def missing(code: Path, requirements: str, source: str = "requirements.txt") -> Iterator[str]:
    """Requirements that are not in the zip in their version: Chalice leaves out what has no wheel, with exit code 0."""
    present = set(packages(code))
    for line in map(str.strip, requirements.splitlines()):
        pin = pins(line)
        if pin and not pin.items() <= present:
            yield f"{line} is not in the zip"
        elif not pin and line and not line.startswith("#"):
            yield f"{source}: {line!r} is no exact pin (name==version)"


def beside(layer: Path, requirements: str) -> Iterator[str]:
    """Packages in a layer that its file does not pin: something came along."""
    for name, version in sorted(set(packages(layer)) - pins(requirements).items()):
        yield f"{layer.name} has {name} {version}, which its file does not pin"


def twice(code: str, layer: str, source: str) -> Iterator[str]:
    """Packages that a layer repeats from the code's requirements: at work there would be two of them."""
    for name in sorted(pins(code).keys() & pins(layer).keys()):
        yield f"{source}: {name} is in requirements.txt already"


def packages(archive: Path) -> Iterator[tuple[str, str]]:
    """(name, version) of each package in a zip, of a layer or of code."""
    with zipfile.ZipFile(archive) as opened:
        folders = {part for name in opened.namelist() for part in name.split("/")[:2]}
    for folder in folders:
        if folder.endswith(".dist-info"):
            name, version = folder.removesuffix(".dist-info").rsplit("-", 1)
            yield canonical(name), version


def layers() -> Iterator[str]:
    """What is wrong with the layers of the package: each is complete, and repeats nothing of the code."""
    code = (ROOT / "requirements.txt").read_text()
    for lane in layered():
        text, source, zipped = (
            requirements(lane).read_text(),
            f"infra/layers/{lane}.txt",
            PACKAGE / name_of(lane),
        )
        yield from missing(zipped, text, source)
        yield from beside(zipped, text)
        yield from twice(code, text, source)


def _unzipped(archive: Path) -> int:
    with zipfile.ZipFile(archive) as opened:
        return sum(each.file_size for each in opened.infolist())


def linted(*templates: Path) -> Iterator[str]:
    """cfn-lint's findings."""
    command = [
        str(Path(sys.executable).with_name("cfn-lint")),
        "--regions",
        "us-east-1",
        "eu-central-1",
        "--",
    ]
    done = subprocess.run([*command, *map(str, templates)], capture_output=True, text=True, check=False)
    if done.returncode:
        yield done.stdout.strip() or done.stderr.strip()


def _first_pass() -> Path:
    """The template that `make deploy` begins with."""
    made = BUILD / "infra.json"
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text(json.dumps(infra_template("prod")))
    return made


CHECKS: dict[str, Callable[[], Iterator[str]]] = {
    "sizes": lambda: sizes(_CODE, _TEMPLATE, [PACKAGE / name_of(lane) for lane in layered()]),
    "every requirement in the zip": lambda: missing(_CODE, (ROOT / "requirements.txt").read_text()),
    "layers": layers,
    "cfn-lint": lambda: linted(_first_pass(), _TEMPLATE),
}


def main() -> None:
    """Run all of them; Stop with everything that was found."""
    found = []
    for name, check in CHECKS.items():
        problems = list(check())
        print(f"{name}: {'ok' if not problems else f'{len(problems)} problem(s)'}")
        found += problems
    if found:
        raise Stop("\n".join(found))
