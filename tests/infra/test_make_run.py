"""`make run` from start to end, in a checkout of its own."""

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.local.process import free_port
from infra.local.stack import client
from tests.support.account import CHALICE
from tests.support.checkout import Checkout, checkout
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e
JOB = {"name": "kept", "type": "dummy", "schedule": {"kind": "manual"}}


class Running:
    """A `make run` that can be stopped and started again."""

    def __init__(self, place: Checkout) -> None:
        self.place, self.port = place, free_port()
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = self.place.start("infra.local", "run", "--port", str(self.port))
        eventually(self.endpoints, seconds=60)

    def greeting(self) -> str:
        """What it prints until it is up."""
        assert self.process is not None
        assert self.process.stdout is not None
        lines = iter(self.process.stdout.readline, "")
        return "".join(itertools.takewhile(lambda line: "After a change:" not in line, lines))

    def endpoints(self) -> Any:
        assert self.process is not None
        assert self.process.poll() is None, self.process.stdout.read() if self.process.stdout else ""
        path = self.place.folder / ".chronos" / "endpoints.json"
        return json.loads(path.read_text()) if path.exists() else None

    def stop(self, how: signal.Signals = signal.SIGTERM) -> str:
        """Send the signal and wait for the end; what it said."""
        assert self.process is not None
        self.process.send_signal(how)
        said, _ = self.process.communicate(timeout=30)
        return said

    def call(self, path: str, body: Any = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        found = self.endpoints()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {found['api_key']}"}
        request = urllib.request.Request(found["api"] + path, data, headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def others(self) -> list[str]:
        """The processes that still run from its folder."""
        listing = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True).stdout
        return [line for line in listing.splitlines() if str(self.place.folder) in line]


@contextmanager
def _running(folder: Path) -> Iterator[Running]:
    made = Running(checkout(folder))
    yield made
    if made.process is not None and made.process.poll() is None:
        os.killpg(made.process.pid, signal.SIGKILL)
        made.process.wait()
        eventually(lambda: not made.others())
    if made.process is not None and made.process.stdout:
        made.process.stdout.close()


@pytest.fixture
def running(stack_package: Path, tmp_path: Path) -> Iterator[Running]:
    """Not started yet."""
    with _running(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def up(stack_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Started, for tests that leave it running."""
    with _running(tmp_path_factory.mktemp("up")) as made:
        made.start()
        yield made


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_data_survives_a_stop_and_nothing_is_left_running(running: Running, how: signal.Signals) -> None:
    running.start()
    job, key = running.call("/jobs", JOB), running.endpoints()["api_key"]
    said = running.stop(how)
    assert "Chronos is up" in said
    assert not running.others()
    assert not (running.place.folder / ".chronos" / "endpoints.json").exists()
    running.start()
    assert running.call(f"/jobs/{job['id']}")["name"] == "kept"
    assert running.endpoints()["api_key"] == key, "it is known as long as the data is there"
    assert "deploying" not in running.stop(), "nothing has changed"


def test_a_reload_brings_in_changed_code_and_keeps_the_data(running: Running) -> None:
    running.start()
    job = running.call("/jobs", JOB)
    version = running.place.folder / "chalicelib" / "__init__.py"
    version.write_text(version.read_text() + "\nRELOADED = True\n")
    health = running.place.folder / "chalicelib" / "features" / "health" / "api.py"
    health.write_text(health.read_text().replace('"degraded"', '"degraded!"').replace('"ok"', '"fine"'))
    done = running.place.run("infra.local", "reload")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fine" in json.dumps(running.call("/health"))
    assert running.call(f"/jobs/{job['id']}")["name"] == "kept"
    running.stop()


def test_a_killed_run_leaves_no_emulator_behind(running: Running) -> None:
    running.start()
    assert running.process is not None
    running.process.kill()
    running.process.wait()
    eventually(lambda: not running.others(), seconds=20)


def test_a_second_run_in_the_same_checkout_is_refused(up: Running) -> None:
    second = up.place.run("infra.local", "run", "--port", str(free_port()))
    assert second.returncode == 1
    assert "is running already in this checkout" in second.stderr


def test_a_port_in_use_is_named_with_another_to_choose(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = checkout(tmp_path).run("infra.local", "run", "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port} is in use" in done.stderr
    assert f"make run PORT={port + 1}" in done.stderr


@pytest.mark.skipif(
    shutil.which("curl") is None, reason="the printed commands are for curl, which is not here"
)
def test_the_first_commands_that_it_prints_work_when_pasted(up: Running) -> None:
    said = up.greeting()
    export, commands = said.partition("its runs:\n\n")[2].partition("\n\n")[0].split("\n", 1)
    create, _, read = commands.rpartition("\n")
    assert "next_run_at" in _pasted(f"{export}\n{create}")
    assert eventually(
        lambda: [run for run in _pasted(f"{export}\n{read}")["items"] if run["status"] == "SUCCEEDED"]
    )
    found = up.endpoints()
    assert f"API key:         {found['api_key']}\n" in said
    assert f"{found['owner']['email']}, password {found['owner']['password']}\n" in said


def test_the_first_key_and_the_owners_password_are_for_their_user_alone(up: Running) -> None:
    folder = up.place.folder / ".chronos"
    for secret in (folder / "endpoints.json", folder / "local" / "opened.json"):
        assert secret.stat().st_mode & 0o777 == 0o600
    stored = client("dynamodb", up.endpoints()["aws"]).scan(
        TableName=up.endpoints()["outputs"]["ChronosCatalogTable"]
    )
    secret = up.endpoints()["api_key"].rpartition("_")[2]
    assert stored["Items"]
    assert secret not in str(stored)
    assert up.endpoints()["owner"]["password"] not in str(stored)


def test_its_addresses_are_in_a_file_while_it_runs(up: Running) -> None:
    found, url = up.endpoints(), f"http://127.0.0.1:{up.port}"
    assert (found["api"], found["aws"], found["port"]) == (f"{url}/api", url, up.port)
    assert found["openapi"] == f"{url}/api/openapi.json"
    assert up.process is not None
    assert found["pid"] == up.process.pid
    dynamodb = client("dynamodb", found["aws"])
    assert found["region"] == dynamodb.meta.region_name
    assert found["outputs"]["ChronosRunsTable"] in dynamodb.list_tables()["TableNames"]


def test_chalice_local_serves_the_api_beside_it(up: Running) -> None:
    port, stage = free_port(), up.place.folder / ".chronos" / "stages" / "local"
    options = [
        "--project-dir",
        str(stage),
        "local",
        "--stage",
        "local",
        "--port",
        str(port),
        "--no-autoreload",
    ]
    served = subprocess.Popen(
        [sys.executable, "-c", CHALICE, *options], env=up.place.env(None), stdout=subprocess.DEVNULL
    )
    try:
        assert eventually(lambda: _health(f"http://127.0.0.1:{port}"))["status"] == "ok"
    finally:
        served.kill()
        served.wait()


def test_a_missing_virtualenv_of_the_emulator_is_named_with_the_way_to_it(tmp_path: Path) -> None:
    place = checkout(tmp_path)
    (tmp_path / ".venv-emulator").unlink()
    done = place.run("infra.local", "run", "--port", str(free_port()))
    assert (done.returncode, done.stdout) == (1, "")
    assert "make .venv-emulator/.ready" in done.stderr


def test_an_emulator_that_cannot_start_says_why_and_what_to_do(stack_package: Path, tmp_path: Path) -> None:
    place = checkout(tmp_path)
    (tmp_path / ".venv-emulator").unlink()
    broken = tmp_path / ".venv-emulator" / "bin" / "python"
    broken.parent.mkdir(parents=True)
    broken.write_text("#!/bin/sh\necho No module named ministack\nexit 1\n")
    broken.chmod(0o755)
    done = place.run("infra.local", "run", "--port", str(free_port()))
    assert done.returncode == 1
    assert "No module named ministack" in done.stderr
    assert "rm -rf .venv-emulator" in done.stderr


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", ""])
def test_what_is_no_port_is_refused(port: str, tmp_path: Path) -> None:
    done = checkout(tmp_path).run("infra.local", "run", f"--port={port}")
    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        [f"PORT={port} cannot be: choose a number from 1024 to 65535."],
    )


def test_a_reload_without_a_run_says_so(tmp_path: Path) -> None:
    done = checkout(tmp_path).run("infra.local", "reload")
    assert done.returncode == 1
    assert "make run" in done.stderr


def _pasted(command: str) -> Any:
    """What a shell prints for the text, read as JSON."""
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30, check=True)
    return json.loads(done.stdout)


def _health(url: str) -> Any:
    """What it answers, None while it does not."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=20) as answer:
            return json.load(answer)
    except OSError:
        return None
