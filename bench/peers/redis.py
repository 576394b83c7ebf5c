"""A Redis of our own on loopback, without persistence: nothing of it is left."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

PROGRAM = "redis-server"
PATIENCE_SECONDS = 10.0


class Redis:
    """Asked by its inline commands, so that no client is needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.url = f"redis://127.0.0.1:{port}/0"

    def number(self, command: str) -> int:
        """The answer of LLEN, HLEN and their like."""
        return int(self._ask(command).removeprefix(b":"))

    def cpu(self) -> float:
        """The CPU seconds that it has used."""
        lines = (line.split(":") for line in self._ask("INFO cpu").decode().splitlines() if ":" in line)
        used = {name: value for name, value in lines if name.startswith("used_cpu")}
        return float(used["used_cpu_sys"]) + float(used["used_cpu_user"])

    def empty(self) -> None:
        self._ask("FLUSHALL")

    def _ask(self, command: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self._port), PATIENCE_SECONDS) as connection:
            connection.sendall(command.encode() + b"\r\nQUIT\r\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        return answer.removesuffix(b"+OK\r\n").strip()


def is_installed() -> bool:
    return shutil.which(PROGRAM) is not None


@contextmanager
def running() -> Iterator[Redis]:
    with socket.socket() as probe, tempfile.TemporaryDirectory() as folder:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        command = [PROGRAM, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})
        try:
            redis = Redis(port)
            _wait(redis)
            yield redis
        finally:
            server.terminate()
            server.wait()


def _wait(redis: Redis) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            redis.cpu()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)  # noqa: TID251 - a server needs a moment to start
        else:
            return
