"""A pytest plugin: `stack`, the packaged app on a fresh emulator enforcing IAM; `stock_stack`, without our patches."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from infra import package
from infra.bundle import local_architecture
from infra.errors import Stop
from infra.local import process, stack

ALLOWED = "allowed.txt"


@dataclass
class Stack:
    """The app under test. `api` is what a client calls, `aws` the endpoint for AWS clients."""

    emulator: process.Emulator
    deployed: stack.Deployed
    folder: Path
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def api(self) -> str:
        return self.deployed.api

    @property
    def aws(self) -> str:
        return self.deployed.aws

    @property
    def key(self) -> str:
        """The first tenant's API key."""
        assert self.deployed.opened, "a fresh emulator has no tenant before it is deployed to"
        return self.deployed.opened.api_key

    @property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs: names of tables, URLs of queues, ..."""
        return dict(self.deployed.outputs)

    def client(self, service: str) -> Any:
        """A boto3 client for the emulator."""
        if service not in self._clients:
            self._clients[service] = stack.client(service, self.aws)
        return self._clients[service]

    def invoke(self, function: str, event: Any) -> Any:
        """Call a function by its name in functions.yaml, such as "dispatcher", and give its answer."""
        name = f"chronos-{stack.STAGE}" if function == "api" else f"chronos-{stack.STAGE}-{function}"
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        return json.loads(answer["Payload"].read())

    def warm(self, workers: int) -> None:
        """Have so many processes of the fast lane's worker ready, and tick once."""
        stack.warm(self.aws, workers)

    def workers(self, function: str) -> list[int]:
        """The process ids of a function's warm workers, for tests that kill them."""
        return process.workers(self.emulator, f"chronos-{stack.STAGE}-{function}")

    def allowed(self) -> list[tuple[str, str, str]]:
        """What functions were allowed so far: (role session, which is the function's full name; action; resource)."""
        lines = [line.split() for line in self._allowed.read_text().splitlines()]
        return [(principal.rpartition("/")[2], action, resource) for principal, action, resource in lines]

    @property
    def _allowed(self) -> Path:
        return self.folder / ALLOWED

    def restart(self, *, kill: bool = False) -> None:
        """Stop the emulator (or kill it outright) and start it again on its saved state and port."""
        if kill:
            self.emulator.process.kill()
        self.emulator.stop()
        self.emulator = process.start(self.emulator.port, self.folder, allowed=self._allowed)


@pytest.fixture(scope="session")
def stack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("emulator")


@pytest.fixture(scope="session")
def stack_parameters() -> dict[str, str]:
    """Parameters of the template to override; override the fixture."""
    return {}


@pytest.fixture(scope="session")
def stack_package() -> Path:
    """The packaged app."""
    _require_emulator()
    package.package(stack.STAGE, local_architecture(), stack.PACKAGED)
    return stack.PACKAGED


@pytest.fixture(name="stack", scope="session")
def stack_fixture(
    stack_package: Path, stack_folder: Path, stack_parameters: dict[str, str]
) -> Iterator[Stack]:
    """The packaged app on an emulator shared by the session's tests, warm, with IAM enforced."""
    with _running(stack_package, stack_folder, stack_parameters) as running:
        running.warm(4)
        yield running


@pytest.fixture
def own_stack(stack_package: Path, tmp_path: Path) -> Iterator[Stack]:
    """A stack for one test alone, which may stop or kill its emulator."""
    with _running(stack_package, tmp_path, {}) as running:
        yield running


@pytest.fixture(scope="session")
def stock_stack(stack_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The packaged app on the emulator as its makers ship it; without IAM, whose batch actions it names wrongly."""
    folder = tmp_path_factory.mktemp("stock")
    emulator = process.start(process.free_port(), folder, stock=True, auth=False)
    try:
        yield Stack(emulator, stack.deploy(emulator.url, stack_package, stock=True), folder)
    finally:
        emulator.stop()


@contextmanager
def _running(packaged: Path, folder: Path, parameters: dict[str, str]) -> Iterator[Stack]:
    emulator = process.start(process.free_port(), folder, allowed=folder / ALLOWED)
    running = Stack(emulator, stack.Deployed("", emulator.url, {}), folder)
    try:
        running.deployed = stack.deploy(emulator.url, packaged, parameters)
        yield running
    finally:
        running.emulator.stop()


def _require_emulator() -> None:
    if process.PYTHON.exists():
        return
    if os.environ.get("CHRONOS_REQUIRE_SERVICES"):
        raise Stop("The emulator's virtualenv is missing: run `make .venv-emulator/.ready`.")
    pytest.skip("the emulator's virtualenv is missing (make .venv-emulator/.ready)")
