"""How libpq is told to connect, and the server what holds for the session."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from tempfile import NamedTemporaryFile
from typing import Any

import certifi
import psycopg
from psycopg.types import datetime as dates

from chalicelib.executors.database.connection import PostgreSQL

CONNECT_SECONDS = 10
"""For each address; an attempt's end cuts it short."""
_WATCHES_THE_CLIENT = 140_000


@contextmanager
def connected_as(place: PostgreSQL, addresses: list[str], ca_file: str | None) -> Iterator[dict[str, Any]]:
    """libpq's options. Its files of certificates are there as long as this lasts.

    Nothing is taken from files or the environment; without TLS no password is sent in clear text.
    """
    options: dict[str, Any] = {
        "host": ",".join([place.host] * len(addresses)),
        "hostaddr": ",".join(addresses),
        "port": ",".join([str(place.port)] * len(addresses)),
        "dbname": place.database,
        "user": place.user,
        "password": place.password,
        "passfile": "/nonexistent/pgpass",
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "chronos",
        "client_encoding": "utf8",
        "gssencmode": "disable",
        "sslcert": "",
        "sslkey": "",
    }
    with ExitStack() as files:
        if place.tls is None:
            options |= {"sslmode": "disable", "require_auth": "!password"}
        else:
            tls = place.tls
            options |= {
                "sslmode": "verify-full",
                "sslrootcert": _file(files, tls.ca or _public(ca_file)),
                "sslcrl": "",
                "ssl_min_protocol_version": f"TLSv{tls.minimum_version}",
            }
            if tls.server_name:
                options["host"] = ",".join([tls.server_name] * len(addresses))
            if tls.certificate and tls.key:
                options |= {"sslcert": _file(files, tls.certificate), "sslkey": _file(files, tls.key)}
        yield options


def _public(ca_file: str | None) -> str:
    paths = [certifi.where(), *([ca_file] if ca_file else [])]
    texts = []
    for path in paths:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - a path of the operator's
            texts.append(file.read())
    return "\n".join(texts)


def _file(files: ExitStack, pem: str) -> str:
    """libpq reads certificates from files only: one that nobody else can open."""
    file = files.enter_context(NamedTemporaryFile("w", suffix=".pem", encoding="utf-8"))  # noqa: SIM115
    file.write(pem)
    file.flush()
    return file.name


def told(server_version: int, seconds: float, *, local: bool, read_only: bool) -> tuple[str, list[Any]]:
    """The query that sets what holds for the session, or for its transaction only if `local`.

    The statements' time limit is the attempt's: the server keeps it also if the worker dies.
    """
    settings = {
        "statement_timeout": str(max(1, math.ceil(seconds * 1000))),
        "idle_in_transaction_session_timeout": str(math.ceil(seconds * 1000) + 10_000),
        "TimeZone": "UTC",
        "DateStyle": "ISO, YMD",
        "IntervalStyle": "iso_8601",
        "bytea_output": "hex",
    }
    if read_only:  # for what is not in a transaction of ours
        settings["default_transaction_read_only"] = "on"
    if server_version >= _WATCHES_THE_CLIENT:
        settings["client_connection_check_interval"] = "2000"
    values: list[Any] = [local]
    calls = []
    for name, value in settings.items():
        values += [name, value]
        calls.append(f"set_config(${len(values) - 1}, ${len(values)}, $1)")
    return "SELECT " + ", ".join(calls), values


class _OrText:
    """What Python's dates cannot hold (`infinity`, years BC) stays the server's text."""

    def load(self, data: Any) -> Any:
        try:
            return super().load(data)  # type: ignore[misc]  # of the loader that it is mixed into
        except psycopg.DataError:
            return bytes(data).decode()


class _Date(_OrText, dates.DateLoader):
    pass


class _Timestamp(_OrText, dates.TimestampLoader):
    pass


class _Timestamptz(_OrText, dates.TimestamptzLoader):
    pass


class _Interval(psycopg.adapt.Loader):
    def load(self, data: Any) -> str:
        return bytes(data).decode()


def dated_as_text(connection: "psycopg.Connection[Any]") -> None:
    """Intervals come as ISO 8601 text, and so do dates beyond Python's."""
    for name, loader in (
        ("date", _Date),
        ("timestamp", _Timestamp),
        ("timestamptz", _Timestamptz),
        ("interval", _Interval),
    ):
        connection.adapters.register_loader(name, loader)
