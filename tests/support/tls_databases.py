"""PostgreSQL and MariaDB servers of the tests' own, with TLS and passwords, from what is installed on this machine."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pymysql

from tests.support.certificates import Authority
from tests.support.services import missing
from tests.support.waiting import eventually

HOST = "localhost"
"""What the servers' certificates are for."""
PASSWORD = "correct-horse"


@contextmanager
def postgresql_with_tls(folder: Path, authority: Authority) -> Iterator[int]:
    """Its port. The user `chronos` has the PASSWORD."""
    places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), *_path()]
    programs = next((place for place in places if (place / "postgres").exists()), None)
    if programs is None:
        missing("no PostgreSQL server is installed")
    data, secret, port = folder / "postgresql", folder / "password", _free_port()
    data.mkdir()
    secret.write_text(PASSWORD)
    certificate = shutil.copy(_certificate(authority, folder), folder / "postgresql.pem")
    who = _who("postgres", data, secret, Path(certificate))
    options = ["--no-sync", "-U", "chronos", "--auth=scram-sha-256", f"--pwfile={secret}", "-D", str(data)]
    subprocess.run([f"{programs}/initdb", *options], check=True, capture_output=True, **who)
    given = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": data, "ssl": "on"}
    given |= {"ssl_cert_file": certificate, "ssl_key_file": certificate, "fsync": "off"}
    command = [f"{programs}/postgres", "-D", str(data), *(f"--{key}={value}" for key, value in given.items())]

    def is_up() -> bool:
        with suppress(psycopg.OperationalError):
            where = f"host=127.0.0.1 port={port} user=chronos password={PASSWORD} dbname=postgres"
            psycopg.connect(where).close()
            return True
        return False

    with _running(command, who):
        eventually(is_up)
        yield port


@contextmanager
def mariadb_with_tls(folder: Path, authority: Authority) -> Iterator[int]:
    """Its port. The user `chronos` has the PASSWORD, must use TLS, and owns the database `test`."""
    server, install = shutil.which("mariadbd"), shutil.which("mariadb-install-db")
    if server is None or install is None:
        missing("no MariaDB server is installed")
    data, door, port = folder / "mariadb", folder / "mariadb.sock", _free_port()
    certificate = shutil.copy(_certificate(authority, folder), folder / "mariadb.pem")
    common = ["--no-defaults", f"--datadir={data}", *(["--user=root"] if os.geteuid() == 0 else [])]
    normal = "--auth-root-authentication-method=normal"
    subprocess.run([str(install), *common, normal], check=True, capture_output=True)
    given = {"port": port, "bind-address": "127.0.0.1", "socket": door, "pid-file": folder / "mariadb.pid"}
    given |= {
        "ssl-cert": certificate,
        "ssl-key": certificate,
        "skip-name-resolve": "ON",
        "innodb-flush-log-at-trx-commit": 0,
    }
    command = [str(server), *common, *(f"--{key}={value}" for key, value in given.items())]

    with _running(command, {}):
        eventually(lambda: _takes_connections(door))
        with closing(pymysql.connect(unix_socket=str(door), user="root")) as root:
            cursor = root.cursor()
            cursor.execute("CREATE DATABASE IF NOT EXISTS test")
            cursor.execute(f"CREATE USER chronos IDENTIFIED BY '{PASSWORD}' REQUIRE SSL")
            cursor.execute("GRANT ALL ON test.* TO chronos")
        yield port


def _takes_connections(door: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as knocking:
        return knocking.connect_ex(str(door)) == 0


def _certificate(authority: Authority, folder: Path) -> Path:
    """Key and certificate in one file, as both servers take it."""
    authority.server_context(HOST)
    return next(folder.glob(f"{HOST}*.pem"))


def _path() -> list[Path]:
    return [Path(place) for place in os.environ.get("PATH", "").split(os.pathsep)]


def _who(name: str, *files: Path) -> dict[str, Any]:
    """PostgreSQL does not run as root: then as the user it brings along, who must own its files and reach them."""
    if os.geteuid() != 0:
        for file in files:
            file.chmod(0o700)
        return {}
    for file in files:
        shutil.chown(file, name, name)
        file.chmod(0o700)
        for parent in file.parents:
            if not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    return {"user": name, "group": name, "cwd": files[0]}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _running(command: list[str], who: dict[str, Any]) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, **who) as server:
        try:
            yield
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
