"""`make run` from start to end, in a checkout of its own."""

import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.process import free_port
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
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.endpoints()["api"] + path, data, headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def others(self) -> list[str]:
        """The processes that still run from its folder."""
        listing = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True).stdout
        return [line for line in listing.splitlines() if str(self.place.folder) in line]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(checkout(tmp_path))
    yield made
    if made.process is not None and made.process.poll() is None:
        os.killpg(made.process.pid, signal.SIGKILL)
        made.process.wait()
        eventually(lambda: not made.others())
    if made.process is not None and made.process.stdout:
        made.process.stdout.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_data_survives_a_stop_and_nothing_is_left_running(running: Running, how: signal.Signals) -> None:
    running.start()
    job = running.call("/jobs", JOB)
    said = running.stop(how)
    assert "Chronos is up" in said
    assert not running.others()
    assert not (running.place.folder / ".chronos" / "endpoints.json").exists()
    running.start()
    assert running.call(f"/jobs/{job['id']}")["name"] == "kept"
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


def test_a_second_run_in_the_same_checkout_is_refused(running: Running) -> None:
    running.start()
    second = running.place.run("infra.local", "run", "--port", str(free_port()))
    assert second.returncode == 1
    assert "is running already in this checkout" in second.stderr
    running.stop()


def test_a_port_in_use_is_named_with_another_to_choose(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = checkout(tmp_path).run("infra.local", "run", "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port} is in use" in done.stderr
    assert f"make run PORT={port + 1}" in done.stderr


def test_a_reload_without_a_run_says_so(tmp_path: Path) -> None:
    done = checkout(tmp_path).run("infra.local", "reload")
    assert done.returncode == 1
    assert "make run" in done.stderr
