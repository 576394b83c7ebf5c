"""Servers and networks that mean no good, or break at the worst moment."""

import socket
import struct
import threading
from contextlib import suppress
from typing import Any

import pytest

from chalicelib.domain.outcome import Failed
from tests.support.calls import call_of, perform
from tests.support.databases import Database, mysql, postgresql
from tests.support.http_servers import Talk, serving

PASSWORD = "told-to-nobody"
_SALT = b"abcdefgh", b"ijklmnopqrst"
_CAPABILITIES = 0x0000_0200 | 0x0000_8000 | 0x0008_0000  # protocol 4.1, secure connection, plugins


def _cutting(port: int, at: bytes) -> Any:
    """A way to the server at the port that is cut when the client says this: it never gets there."""

    def script(talk: Talk) -> None:
        with socket.create_connection(("127.0.0.1", port)) as server:
            back = threading.Thread(target=_pump, args=(server, talk.connection), daemon=True)
            back.start()
            while (data := talk.connection.recv(65_536)) and at not in data.upper():
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)
            back.join(5)

    return script


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)


def test_a_commit_whose_answer_is_lost_may_have_been_one(server: Database) -> None:
    port = server.connection()["port"]
    with serving(_cutting(port, b"COMMIT")) as way:
        config = server.config("INSERT INTO {t} VALUES (1, 'one')")
        config["connection"]["port"] = way.port
        outcome = perform(call_of("database", config), "database")
    assert isinstance(outcome, Failed), outcome
    assert outcome.kind == "connection"
    assert outcome.message.endswith("it may or may not have been.")


def _asks_in_clear_text_like_postgresql(talk: Talk) -> None:
    talk.connection.recv(65_536)
    talk.say(b"R" + struct.pack(">ii", 8, 3))


def _asks_in_clear_text_like_mysql(talk: Talk) -> None:
    head = b"\x0a8.0.36\x00" + struct.pack("<I", 7) + _SALT[0] + b"\x00"
    head += struct.pack("<HBHHB", _CAPABILITIES & 0xFFFF, 45, 2, _CAPABILITIES >> 16, 21) + bytes(10)
    head += _SALT[1] + b"\x00mysql_native_password\x00"
    talk.say(struct.pack("<I", len(head)) + head)
    talk.connection.recv(65_536)
    switch = b"\xfemysql_clear_password\x00"
    talk.say(struct.pack("<I", len(switch))[:3] + b"\x02" + switch)


@pytest.mark.parametrize(
    ("connection", "greeting"),
    [(postgresql, _asks_in_clear_text_like_postgresql), (mysql, _asks_in_clear_text_like_mysql)],
)
def test_a_password_is_never_told_in_clear_text(connection: Any, greeting: Any) -> None:
    told: list[bytes] = []

    def script(talk: Talk) -> None:
        greeting(talk)
        told.append(talk.connection.recv(65_536))

    with serving(script) as server:
        place = connection(port=server.port, password=PASSWORD)
        config = {"connection": place, "statements": [{"sql": "SELECT 1"}]}
        outcome = perform(call_of("database", config), "database")
    assert isinstance(outcome, Failed)
    assert outcome.kind == "authentication", outcome
    assert told == [b""]


def test_a_file_of_the_worker_is_not_sent_to_a_server_that_asks_for_it() -> None:
    config = {
        "connection": mysql(),
        "statements": [{"sql": "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE no_such_table"}],
    }
    outcome = perform(call_of("database", config), "database")
    assert isinstance(outcome, Failed), outcome
    assert "infile" in outcome.message
