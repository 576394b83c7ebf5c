"""`make check`'s part of the package: within Lambda's limits, complete, and clean to cfn-lint."""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from infra.errors import Stop
from infra.paths import BUILD, PACKAGE, ROOT
from infra.template import infra_template

ZIPPED, UNZIPPED, TEMPLATE = 45_000_000, 250_000_000, 1_000_000
"""Bytes. Lambda takes 50 MB zipped by direct upload; the rest is headroom."""
_CODE, _TEMPLATE = PACKAGE / "deployment.zip", PACKAGE / "template.json"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)$")


def sizes(code: Path, template: Path) -> Iterator[str]:
    """What is over a limit."""
    with zipfile.ZipFile(code) as archive:
        unzipped = sum(each.file_size for each in archive.infolist())
    measured = [
        ("the zip", code.stat().st_size, ZIPPED),
        ("the unzipped code", unzipped, UNZIPPED),
        ("the template", template.stat().st_size, TEMPLATE),
    ]
    for what, size, limit in measured:
        if size >= limit:
            yield f"{what} has {size:,} bytes; the limit is {limit:,}"


def missing(code: Path, requirements: str) -> Iterator[str]:
    """Requirements that are not in the zip in their version: Chalice leaves out what has no wheel, with exit code 0."""
    with zipfile.ZipFile(code) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    present = {
        _canonical(*top.removesuffix(".dist-info").rsplit("-", 1))
        for top in tops
        if top.endswith(".dist-info")
    }
    for line in requirements.splitlines():
        pin = _PIN.match(line.strip())
        if pin and _canonical(pin[1], pin[2]) not in present:
            yield f"{line.strip()} is not in the zip"
        elif not pin and line.strip() and not line.startswith("#"):
            yield f"requirements.txt: {line.strip()!r} is no exact pin (name==version)"


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
    "sizes": lambda: sizes(_CODE, _TEMPLATE),
    "every requirement in the zip": lambda: missing(_CODE, (ROOT / "requirements.txt").read_text()),
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


def _canonical(name: str, version: str) -> tuple[str, str]:
    return re.sub(r"[-_.]+", "-", name).lower(), version
