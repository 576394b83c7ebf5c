"""NATS and Mosquitto servers of the tests' own, with passwords and TLS, from what is installed on this machine."""

import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.relay import Reader, Writer, answering_bytes
from tests.support.services import missing
from tests.support.waiting import eventually

USER, PASSWORD = "chronos", "correct-horse"


@contextmanager
def nats_server(folder: Path, config: str) -> Iterator[int]:
    """Its port, with this configuration."""
    port = _free_port()
    file = folder / "nats.conf"
    file.write_text(f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{folder}/nats" }}\n{config}\n')
    with _running([_program("nats-server"), "-c", str(file)], port):
        yield port


@contextmanager
def mosquitto(folder: Path, rights: str) -> Iterator[int]:
    """Its port. USER has the PASSWORD, and these rights."""
    port = _free_port()
    users, acl, file = folder / "users", folder / "acl", folder / "mosquitto.conf"
    made = [_program("mosquitto_passwd"), "-b", "-c", str(users), USER, PASSWORD]
    subprocess.run(made, check=True, capture_output=True)
    acl.write_text(f"user {USER}\n{rights}\n")
    for secret in (users, acl):
        secret.chmod(0o700)
    lines = [f"listener {port} 127.0.0.1", "user root", "allow_anonymous false"]
    lines += [f"password_file {users}", f"acl_file {acl}"]
    file.write_text("\n".join(lines) + "\n")
    with _running([_program("mosquitto"), "-c", str(file)], port):
        yield port


@contextmanager
def kafka_that_wants_a_password(mechanisms: tuple[str, ...]) -> Iterator[int]:
    """The port of what answers as a Kafka broker up to the password, which is always wrong."""

    async def serve(reader: Reader, writer: Writer) -> None:
        while True:
            size, api, version, correlation = struct.unpack(">ihhi", await reader.readexactly(12))
            await reader.readexactly(size - 8)
            body = struct.pack(">i", correlation) + _kafka_answer(api, version, mechanisms)
            writer.write(struct.pack(">i", len(body)) + body)

    with answering_bytes(serve) as port:
        yield port


_HANDSHAKE, _VERSIONS, _AUTHENTICATE, _WRONG_PASSWORD = 17, 18, 36, 58


def _kafka_answer(api: int, _version: int, mechanisms: tuple[str, ...]) -> bytes:
    if api == _VERSIONS:
        known = ((3, 0, 1), (_HANDSHAKE, 0, 1), (_VERSIONS, 0, 0), (_AUTHENTICATE, 0, 0))
        return struct.pack(">hi", 0, len(known)) + b"".join(struct.pack(">hhh", *each) for each in known)
    if api == _HANDSHAKE:
        return struct.pack(">hi", 0, len(mechanisms)) + b"".join(_kafka_text(each) for each in mechanisms)
    return struct.pack(">h", _WRONG_PASSWORD) + _kafka_text("Authentication failed") + struct.pack(">i", 0)


def _kafka_text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        missing(f"no {name} is installed")
    return found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    def is_up() -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet) as server:
        try:
            eventually(is_up)
            yield
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
