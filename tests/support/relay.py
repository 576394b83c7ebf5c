"""Servers on loopback: a relay that adds TLS or another address to one in plain text, and one that is silent."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Serve = Callable[[Reader, Writer], Awaitable[None]]


class _Server:
    def __init__(self, serve: Serve, tls: ssl.SSLContext | None, host: str) -> None:
        self._serve, self._tls, self._host = serve, tls, host
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _loop, _context: None)  # who does not trust us hangs up
        self.port = 0

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._taken, self._host, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(EOFError, OSError):
                await self._serve(reader, writer)
        finally:
            writer.close()

    async def end(self) -> None:
        self._server.close()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0)  # for what was closed to be gone


@contextmanager
def silent(say: bytes = b"", every_seconds: float = 0.0) -> Iterator[int]:
    """The port of a server on loopback that takes connections, and never answers; or drips the same bytes for ever."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await asyncio.sleep(every_seconds or 60)
            writer.write(say)

    with _running(_Server(serve, None, "127.0.0.1")) as port:
        yield port


@contextmanager
def answering_bytes(serve: Serve) -> Iterator[int]:
    """The port of a server on loopback that talks to each connection as told, until that ends or raises."""
    with _running(_Server(serve, None, "127.0.0.1")) as port:
        yield port


@contextmanager
def cutting(port: int, after: int) -> Iterator[int]:
    """The port of a relay that hangs up when the server has said so many bytes."""

    async def serve(reader: Reader, writer: Writer) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
        asking, left = asyncio.create_task(_pump(reader, outer)), after
        try:
            while left > 0 and (data := await inner.read(left)):
                writer.write(data)
                await writer.drain()
                left -= len(data)
        finally:
            asking.cancel()
            outer.close()

    with _running(_Server(serve, None, "127.0.0.1")) as relay:
        yield relay


@contextmanager
def relaying(port: int, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[int]:
    """The port of the relay on `host`, as long as it is up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(_pump(reader, outer), _pump(inner, writer))
        finally:
            outer.close()

    with _running(_Server(serve, tls, host)) as relay:
        yield relay


@contextmanager
def _running(server: _Server) -> Iterator[int]:
    server.loop.run_until_complete(server.listen())
    thread = threading.Thread(target=server.loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.port
    finally:
        asyncio.run_coroutine_threadsafe(server.end(), server.loop).result(5)
        server.loop.call_soon_threadsafe(server.loop.stop)
        thread.join(5)
        server.loop.close()
