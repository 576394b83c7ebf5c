"""The packages that go to Lambda: exact pins, as wheels for its machines, and only those that infra/hashes.json knows.

A hash is noted when a version is pinned (`make hashes`). From then on a wheel that was put in its place, on whatever
index, is refused. pip is asked for nothing that is not pinned, and builds nothing.
"""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from infra.errors import Stop
from infra.paths import INFRA, ROOT

HASHES = INFRA / "hashes.json"
RUNTIMES = ("python3.11", "python3.12", "python3.13")
Known = Mapping[str, Sequence[str]]
"""By `name==version`: the SHA-256 digests of its wheels."""
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)$")
_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
_OLDEST_GLIBC = 17


def pins(text: str) -> dict[str, str]:
    """Versions by canonical names, of the lines that are exact pins."""
    found = (_PIN.match(line.strip()) for line in text.splitlines())
    return {canonical(match[1]): match[2] for match in found if match}


def canonical(name: str) -> str:
    """A package's name as pip compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def known() -> Known:
    """What infra/hashes.json has."""
    found: Known = json.loads(HASHES.read_text())
    return found


def locked(text: str, hashes: Known) -> str:
    """The requirements with their hashes, as pip takes them. Stop if there are none for a pin."""
    return "".join(f"{_locked(line.strip(), hashes)}\n" for line in text.splitlines())


def _locked(line: str, hashes: Known) -> str:
    match = _PIN.match(line)
    if match is None:
        return line
    pin = f"{canonical(match[1])}=={match[2]}"
    if pin not in hashes:
        raise Stop(
            f"infra/hashes.json does not know {pin}: `make hashes` asks the index what its wheels are."
        )
    return " ".join([pin, *(f"--hash=sha256:{each}" for each in hashes[pin])])


def platforms_of(architecture: str, runtime: str) -> list[str]:
    """The wheels' platforms that Lambda's C library runs, the newest first: glibc 2.26 up to Python 3.11, then 2.34."""
    machine = _MACHINES[architecture]
    newest = 26 if int(runtime.rpartition(".")[2]) <= 11 else 34
    numbered = [f"manylinux_2_{minor}_{machine}" for minor in range(newest, _OLDEST_GLIBC - 1, -1)]
    return [*numbered, f"manylinux2014_{machine}"]


def install(source: Path, packages: Path, architecture: str, runtime: str, hashes: Known) -> None:
    """What the requirements file pins, unpacked into `packages`. Stop if there is no such wheel, or it is another."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / source.name
        wanted.write_text(locked(source.read_text(), hashes))
        said = _pip(["install", "--no-compile", "--target", str(packages)], wanted, architecture, runtime)
    if said:
        raise Stop(f"{source.name} cannot be made for {runtime} on Lambda ({architecture}):\n{said}")


def _pip(command: list[str], wanted: Path, architecture: str, runtime: str) -> str:
    """What pip complains of; nothing if it did as it was told."""
    exactly = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
    machine = ["--implementation=cp", f"--python-version={runtime.removeprefix('python')}"]
    machine += [f"--platform={each}" for each in platforms_of(architecture, runtime)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *command, *exactly, *machine, "-r", str(wanted)],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return ("\n".join(lines) or done.stderr.strip() or "pip failed") if done.returncode else ""


def sources() -> list[Path]:
    """The files of what goes to Lambda."""
    return [ROOT / "requirements.txt", *sorted((INFRA / "layers").glob("*.txt"))]


def note() -> None:
    """Ask the index for the wheels of every pin, on each machine and Python of Lambda's; keep their hashes."""
    found: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (source, architecture, runtime) in enumerate(_all()):
            into = Path(folder) / str(number)
            said = _pip(["download", "--dest", str(into)], source, architecture, runtime)
            if said:
                raise Stop(f"{source.name} for {runtime} on Lambda ({architecture}):\n{said}")
            for wheel in into.glob("*.whl"):
                name, version = wheel.name.split("-")[:2]
                digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
                found.setdefault(f"{canonical(name)}=={version}", set()).add(digest)
    HASHES.write_text(json.dumps({pin: sorted(found[pin]) for pin in sorted(found)}, indent=2) + "\n")
    print(f"{HASHES.relative_to(ROOT)}: {len(found)} packages, {sum(map(len, found.values()))} wheels")


def _all() -> Iterator[tuple[Path, str, str]]:
    for source in sources():
        if pins(source.read_text()):
            yield from ((source, machine, runtime) for machine in _MACHINES for runtime in RUNTIMES)
