"""`make audit`: whether anything that goes to Lambda has a known vulnerability, as osv.dev knows them."""

import subprocess
import tempfile
from pathlib import Path

from infra.errors import Stop
from infra.paths import ROOT
from infra.wheels import known, locked, sources

PROGRAM = ROOT / ".venv-audit" / "bin" / "pip-audit"
_SILENT = ("ConnectionError", "ServiceError", "Timeout")


def audit(program: Path = PROGRAM) -> None:
    """Stop with what is known, or if nothing could be asked: no answer is no good news."""
    text = "".join(source.read_text() for source in sources())
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "locked.txt"
        wanted.write_text(locked(text, known()))
        done = subprocess.run(
            [str(program), "--strict", "-s", "osv", "--disable-pip", "--require-hashes", "-r", str(wanted)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode and any(each in done.stderr for each in _SILENT):
        raise Stop("osv.dev did not answer, so nothing is known: ask again where it can be reached.")
    if done.returncode:
        raise Stop("\n".join(filter(None, (done.stdout.strip(), done.stderr.strip()))))
    print("osv.dev knows of no vulnerability in what goes to Lambda.")
