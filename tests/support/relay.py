"""A relay on loopback in front of a server that speaks plain text: it adds TLS, or another address."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


class _Relay:
    def __init__(self, port: int, tls: ssl.SSLContext | None, host: str) -> None:
        self._to, self._tls, self._host = port, tls, host
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _loop, _context: None)  # who does not trust us hangs up
        self.port = 0

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._host, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", self._to)
        await asyncio.gather(_pump(reader, outer), _pump(inner, writer))

    async def end(self) -> None:
        self._server.close()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)


@contextmanager
def relaying(port: int, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[int]:
    """The port of the relay on `host`, as long as it is up."""
    relay = _Relay(port, tls, host)
    relay.loop.run_until_complete(relay.listen())
    thread = threading.Thread(target=relay.loop.run_forever, daemon=True)
    thread.start()
    try:
        yield relay.port
    finally:
        asyncio.run_coroutine_threadsafe(relay.end(), relay.loop).result(5)
        relay.loop.call_soon_threadsafe(relay.loop.stop)
        thread.join(5)
        relay.loop.close()
