"""Real servers on the loopback, for tests of what goes out: scripted byte by byte, or recording ordinary requests."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Script = Callable[["Talk"], None]


@dataclass
class Received:
    """A request as it came over the wire. Header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Talk:
    """One connection. `stop` is set when the test is over; `gone` when the client has hung up."""

    connection: socket.socket
    stop: threading.Event
    gone: threading.Event
    received: list[Received]

    def read(self) -> Received | None:
        """The next request, None if the client has closed."""
        data = b""
        while b"\r\n\r\n" not in data:
            chunk = self.connection.recv(65_536)
            if not chunk:
                return None
            data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            body += self.connection.recv(65_536)
        method, target, _ = first.split(" ")
        request = Received(method, target, headers, body)
        self.received.append(request)
        return request

    def say(self, data: bytes) -> None:
        self.connection.sendall(data)

    def answer(self, status: str = "200 OK", body: bytes = b"", *headers: str) -> None:
        head = "".join(f"{line}\r\n" for line in (*headers, f"Content-Length: {len(body)}"))
        self.say(f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body)

    def drip(self, data: bytes, every_seconds: float) -> None:
        """A byte at a time, over and over, until the client hangs up or the test ends."""
        while True:
            for byte in data:
                self.say(bytes((byte,)))
                if self.stop.wait(every_seconds):
                    return

    def pour(self, data: bytes) -> None:
        """As fast as the client takes it, without an end."""
        while not self.stop.is_set():
            self.say(data)


@dataclass
class Server:
    port: int
    stop: threading.Event
    received: list[Received] = field(default_factory=list)
    connections: list[Talk] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


@contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server on 127.0.0.1 whose every connection follows the script in a thread of its own."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=32)
    server = Server(listener.getsockname()[1], threading.Event())
    threads: list[threading.Thread] = []

    def converse(connection: socket.socket) -> None:
        talk = Talk(connection, server.stop, threading.Event(), server.received)
        server.connections.append(talk)
        try:
            if tls:
                talk.connection = tls.wrap_socket(connection, server_side=True)
            script(talk)
        except OSError:
            pass
        finally:
            talk.connection.close()
            talk.gone.set()

    def accept() -> None:
        while not server.stop.is_set():
            with suppress(OSError):
                thread = threading.Thread(target=converse, args=(listener.accept()[0],), daemon=True)
                threads.append(thread)
                thread.start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        server.stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(5)
        for talk in server.connections:
            with suppress(OSError):
                talk.connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)


def answering(status: str = "200 OK", body: bytes = b"ok", *headers: str) -> Script:
    """The same answer to every request of the connection."""

    def script(talk: Talk) -> None:
        while talk.read():
            talk.answer(status, body, *headers)

    return script
