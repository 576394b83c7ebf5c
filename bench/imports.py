"""What a cold start of the api Lambda pays for imports: the packaged code, each time in a fresh interpreter.

`without_bytecode` is what a plain `chalice deploy` ships: neither our modules nor our libraries have been compiled. The
standard library's and the AWS SDK's bytecode is always there, as it is on Lambda, where both come with the runtime.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from infra import package
from infra.bundle import local_architecture
from infra.local import stack

APP = "import app"
CLIENTS = "import app; from chalicelib.aws.clients import client; client('dynamodb'); client('sqs')"
ROUNDS = 9


def figures() -> Iterable[tuple[str, float, str]]:
    with tempfile.TemporaryDirectory() as folder:
        code = unpacked(Path(folder))
        yield "import_ms", _measure(APP, code), "ms"
        yield "import_with_clients_ms", _measure(CLIENTS, code), "ms"
        for compiled in code.rglob("*.pyc"):
            compiled.unlink()
        yield "import_without_bytecode_ms", _measure(APP, code), "ms"
        yield "import_with_clients_without_bytecode_ms", _measure(CLIENTS, code), "ms"


def unpacked(folder: Path) -> Path:
    """The folder, with the packaged code in it."""
    package.package(stack.STAGE, local_architecture(), stack.PACKAGED)
    with zipfile.ZipFile(stack.PACKAGED / "deployment.zip") as bundle:
        bundle.extractall(folder)
    return folder


def _measure(statement: str, code: Path) -> float:
    """The median of some fresh interpreters, in ms."""
    program = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    environment = {**os.environ, "PYTHONPATH": str(code), "AWS_DEFAULT_REGION": "us-east-1"}
    command = [sys.executable, "-B", "-c", program]
    times = [float(subprocess.check_output(command, cwd=code, env=environment)) for _ in range(ROUNDS + 1)]
    return statistics.median(times[1:]) * 1000
