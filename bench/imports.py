"""What a cold start of the api Lambda, and of each worker, pays for imports: the packaged code, in fresh interpreters.

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

from chalicelib.domain.lanes import LANES, Lane
from chalicelib.executors import registry
from infra import package
from infra.bundle import local_architecture
from infra.layer_zips import layered, name_of
from infra.local import stack

APP = "import app"
CLIENTS = "import app; from chalicelib.aws.clients import client; client('dynamodb'); client('sqs')"
WORKER = (
    CLIENTS + "; from chalicelib.executors import registry; [registry.executor(type_) for type_ in {types!r}]"
)
"""A worker with all that its lane's types run with."""
ROUNDS = 9


def figures() -> Iterable[tuple[str, float, str]]:
    with tempfile.TemporaryDirectory() as folder:
        code = unpacked(Path(folder))
        yield "import_ms", _measure(APP, code), "ms"
        yield "import_with_clients_ms", _measure(CLIENTS, code), "ms"
        for lane in LANES:
            layer = unpacked_layer(lane, Path(folder)) if lane in layered() else None
            yield f"import_{lane}_worker_ms", _measure(WORKER.format(types=types_of(lane)), code, layer), "ms"
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


def unpacked_layer(lane: Lane, folder: Path) -> Path:
    """The folder in which the lane's packages are, unpacked there."""
    with zipfile.ZipFile(stack.PACKAGED / name_of(lane)) as layer:
        layer.extractall(folder / "layers" / lane)
    return folder / "layers" / lane / "python"


def types_of(lane: Lane) -> list[str]:
    """The types whose jobs the lane's worker may run."""
    wanted = "fast" if lane in ("urgent", "long") else lane
    return [type_ for type_ in registry.types() if registry.lane(type_) == wanted]


def _measure(statement: str, code: Path, layer: Path | None = None) -> float:
    """The median of some fresh interpreters, in ms."""
    program = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    paths = os.pathsep.join(map(str, filter(None, (code, layer))))
    environment = {**os.environ, "PYTHONPATH": paths, "AWS_DEFAULT_REGION": "us-east-1"}
    command = [sys.executable, "-B", "-c", program]
    times = [float(subprocess.check_output(command, cwd=code, env=environment)) for _ in range(ROUNDS + 1)]
    return statistics.median(times[1:]) * 1000
