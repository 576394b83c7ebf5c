"""The chalice command, on a project that project.py has made."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.errors import Stop
from infra.paths import INFRA

_WAITERS = INFRA / "aws_data"
"""botocore reads it: whether a function is ready is asked every second instead of five, twelve times a deployment."""


def chalice(
    project: Path, *arguments: str, quiet: bool = False, env: Mapping[str, str] | None = None
) -> None:
    """Run it to its end, with `env` added to the environment; Stop with what it said if it fails."""
    command = [sys.executable, "-c", "import sys; from chalice.cli import main; sys.exit(main())"]
    done = subprocess.run(
        [*command, "--project-dir", str(project), *arguments],
        env={**_environment(), **(env or {})},
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Stop(f"`chalice {arguments[0]}` failed:\n{without_frames((done.stdout or '') + done.stderr)}")


def without_frames(text: str) -> str:
    """What a Python program said at its end, without the frames of its traceback."""
    last = text.rpartition("Traceback (most recent call last):\n")[2]
    return "\n".join(line for line in last.splitlines() if line.strip() and not line.startswith("  "))


def _environment() -> dict[str, str]:
    """The caller's. No bytecode is written: Chalice takes it for changed code, and makes a zip of its own."""
    paths = [str(_WAITERS), *filter(None, [os.environ.get("AWS_DATA_PATH")])]
    return {**os.environ, "AWS_DATA_PATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
