"""A copy of what is deployed, in which the commands run without touching this checkout's .chalice and .chronos."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.stack import PACKAGED
from infra.paths import BUILD, ROOT


@dataclass(frozen=True)
class Checkout:
    """`run` gives a finished command, `start` a running one."""

    folder: Path

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """python -m <arguments>, to its end."""
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.folder,
            env=self.env(env),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """python -m <arguments>, as a person's terminal would run it."""
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=self.folder,
            env=self.env(None),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @staticmethod
    def env(more: Mapping[str, str] | None) -> dict[str, str]:
        usual = {"PATH", "HOME", "SSL_CERT_FILE"}
        inherited = {k: v for k, v in os.environ.items() if k in usual or k.startswith("PIP_")}
        return {**inherited, "PYTHONUNBUFFERED": "1", **(more or {})}


def checkout(folder: Path) -> Checkout:
    """A copy of the code, and of the local package, which is used if it is of this code; downloads are shared."""
    for name in ("app.py", "requirements.txt"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("chalicelib", "infra", ".chalice"):
        shutil.copytree(
            ROOT / name,
            folder / name,
            ignore=shutil.ignore_patterns("__pycache__", "deployed", "deployments"),
        )
    (folder / ".venv-emulator").symlink_to(ROOT / ".venv-emulator")
    if PACKAGED.exists():
        shutil.copytree(PACKAGED, folder / PACKAGED.relative_to(ROOT))
    (folder / ".chronos" / "build").mkdir(parents=True)
    for kind in ("dependencies-*.zip", "layer-*.zip"):
        for cached in BUILD.glob(kind):
            (folder / ".chronos" / "build" / cached.name).symlink_to(cached)
    return Checkout(folder)
