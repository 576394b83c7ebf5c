"""What a cold start of the api Lambda pays for imports, each in a fresh interpreter."""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMPORT = "import app"
CLIENTS = "import app; from chalicelib.aws.clients import client; client('dynamodb'); client('sqs')"
ROUNDS = 5


def figures() -> Iterable[tuple[str, float, str]]:
    yield "import_ms", _measure(IMPORT, bytecode=True), "ms"
    yield "import_without_bytecode_ms", _measure(IMPORT, bytecode=False), "ms"
    yield "import_with_clients_ms", _measure(CLIENTS, bytecode=True), "ms"
    yield "import_with_clients_without_bytecode_ms", _measure(CLIENTS, bytecode=False), "ms"


def _measure(statement: str, *, bytecode: bool) -> float:
    """The median of some fresh interpreters; without bytecode none is read for our code or its libraries."""
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    with tempfile.TemporaryDirectory() as empty:
        environment = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1"}
        if not bytecode:
            environment |= {"PYTHONPYCACHEPREFIX": empty, "PYTHONDONTWRITEBYTECODE": "1"}
        times = [
            float(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=environment))
            for _ in range(ROUNDS)
        ]
    return statistics.median(times) * 1000
