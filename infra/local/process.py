"""The emulator as a child process: started from a clean environment, waited for, stopped with everything it started."""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from infra.errors import Stop
from infra.paths import ROOT

PYTHON = ROOT / ".venv-emulator" / "bin" / "python"
READY_SECONDS, STOP_SECONDS = 40, 20


@dataclass(frozen=True)
class Emulator:
    """A running emulator on 127.0.0.1."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """SIGTERM (it saves its state), then whatever it takes; its functions' processes go with it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _kill_group(self.process.pid)
            self.process.wait()


def start(
    port: int, folder: Path, *, stock: bool = False, auth: bool = True, allowed: Path | None = None
) -> Emulator:
    """Start it with its state, log and temporary files in `folder`; Stop if it does not come up.

    `stock` leaves out our launcher and its patches. `auth` enforces IAM. `allowed` is a file to note in what roles do.
    """
    check_python()
    check_port(port)
    temporary = folder / "tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    log = folder / "emulator.log"
    script = (
        [str(PYTHON), "-m", "ministack"] if stock else [str(PYTHON), str(ROOT / "infra/local/emulator.py")]
    )
    arguments = [] if stock else ["--port", str(port), "--parent", str(os.getpid())]
    arguments += ["--allowed", str(allowed)] if allowed else []
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*script, *arguments],
            cwd=folder,
            env=_environment(port, folder, temporary, auth=auth),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    emulator = Emulator(process, port, log)
    try:
        _wait(emulator)
    except BaseException:
        emulator.stop()
        raise
    return emulator


def workers(emulator: Emulator, function: str) -> list[int]:
    """The ids of the processes in which the emulator runs a function."""
    listing = subprocess.run(
        ["ps", "-ewwo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()]
    mark = f"ministack-lambda-{function}-"
    return [int(pid) for pid, parent, args in rows if int(parent) == emulator.process.pid and mark in args]


def check_python() -> None:
    """Stop unless the emulator's virtualenv is there."""
    if not PYTHON.exists():
        raise Stop(
            "The emulator's virtualenv is missing: run `make .venv-emulator/.ready` (`make run` does)."
        )


def port_of(text: str) -> int:
    """The number of a port. Stop if it is none."""
    if not (text.isdecimal() and 0 < int(text) < 65536):
        raise Stop(f"PORT={text} cannot be: choose a number from 1024 to 65535.")
    return int(text)


def check_port(port: int) -> None:
    """Stop unless the port can be bound on 127.0.0.1 right now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise Stop(f"Port {port} is not for everybody: choose one from 1024 to 65535.") from None
        except OSError:
            raise Stop(
                f"Port {port} is in use. Stop what listens there, or choose another: make run PORT={port % 65535 + 1}"
            ) from None


def free_port() -> int:
    """A port that nothing uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _environment(port: int, folder: Path, temporary: Path, *, auth: bool) -> dict[str, str]:
    """Everything the emulator gets, and so the functions: nothing of the caller's environment."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "state"),
        "AUTH": "true" if auth else "false",
        "LOG_LEVEL": "WARNING",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_WARM_TTL_SECONDS": "86400",
        "NO_PROXY": "127.0.0.1,localhost",
    }


def _wait(emulator: Emulator) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if emulator.process.poll() is not None:
            tail = emulator.log.read_text(errors="replace")[-2000:]
            raise Stop(
                f"The emulator ended at once; its log {emulator.log} says:\n{tail}\n"
                "If its virtualenv is broken: rm -rf .venv-emulator, and run the same command again."
            )
        try:
            with urllib.request.urlopen(f"{emulator.url}/_ministack/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise Stop(f"The emulator did not answer within {READY_SECONDS} s; see {emulator.log}")


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
