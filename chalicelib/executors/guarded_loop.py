"""An event loop for libraries that speak their protocols by asyncio: all their dials go through the outbound guard.

What runs on it ends by the attempt's deadline, or shortly after the wish to stop, whatever the other side does.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar
from weakref import WeakSet

from chalicelib.executors.base import Call
from chalicelib.executors.guard import ForbiddenTarget, Guard, Target, guard

LISTEN_SECONDS = 0.25
"""How often the wish to stop is looked at."""
CONNECT_SECONDS = 10.0
"""For each address of a host, and for its name to be resolved."""
_CLOSE_SECONDS = 0.5

T = TypeVar("T")
Work = Callable[["GuardedLoop"], Coroutine[Any, Any, T]]


class GuardedLoop(asyncio.SelectorEventLoop):
    """Whoever connects by it reaches checked addresses only.

    `refused` is the first target that the guard has refused: libraries may swallow the error and try for ever.
    """

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard
        self._opened: WeakSet[asyncio.BaseTransport] = WeakSet()
        self.refused: ForbiddenTarget | None = None
        self.set_exception_handler(lambda _loop, _context: None)  # a broken connection is told by its user

    async def create_connection(  # type: ignore[override]  # asyncio's, whose other options pass through
        self,
        protocol_factory: Callable[[], Any],
        host: str | None = None,
        port: int | None = None,
        **options: Any,
    ) -> tuple[asyncio.BaseTransport, Any]:
        """As asyncio's; a host is dialled through the guard, and stays the name that TLS verifies."""
        if options.get("sock") is None:
            options["sock"] = await self.dial(host or "", port or 0)
            if options.get("ssl"):
                options["server_hostname"] = options.get("server_hostname") or host
        try:
            made = await super().create_connection(protocol_factory, **options)
        except BaseException:
            options["sock"].close()
            raise
        self._opened.add(made[0])
        return made

    async def dial(self, host: str, port: int) -> socket.socket:
        """A connected socket that does not block. ForbiddenTarget, or the OSError of the last address."""
        try:
            targets = await self.aside(lambda: self._guard.targets(host, port, CONNECT_SECONDS))
        except ForbiddenTarget as error:
            self.refused = self.refused or error
            raise
        failure: OSError = OSError("the name has no address")
        for target in targets:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await self._connected(target)
            except OSError as error:
                failure = error
        raise failure

    async def aside(self, work: Callable[[], T]) -> T:
        """The result of work that blocks, in a thread that is left behind if this is cancelled."""
        future: asyncio.Future[T] = self.create_future()

        def run() -> None:
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                self._tell(future, error, None)
            else:
                self._tell(future, None, result)

        threading.Thread(target=run, name="aside", daemon=True).start()
        return await future

    async def shut(self) -> None:
        """Cancel what is left, and cut every connection."""
        left = [task for task in asyncio.all_tasks(self) if task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_CLOSE_SECONDS)
        for transport in list(self._opened):
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
        for _ in range(3):  # what was called soon by aborting, and what that calls
            await asyncio.sleep(0)

    async def _connected(self, target: Target) -> socket.socket:
        family, address = target
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(0)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self.sock_connect(connection, address)
        except BaseException:
            connection.close()
            raise
        return connection

    def _tell(self, future: "asyncio.Future[T]", error: Exception | None, result: Any) -> None:
        def tell() -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.call_soon_threadsafe(tell)


def run_within(call: Call, work: Work[T]) -> T:
    """The result of the work on a loop of its own, with all that it has opened closed again.

    TimeoutError when the call's time is up or it is told to stop, ForbiddenTarget for any dial that the guard
    refused, whatever a library has made of it; else what the work raises.
    """
    loop = GuardedLoop(guard(call.settings.allow_networks))
    try:
        return loop.run_until_complete(_bounded(loop, call, work))
    finally:
        loop.run_until_complete(loop.shut())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


async def _bounded(loop: GuardedLoop, call: Call, work: Work[T]) -> T:
    if call.remaining() <= 0:
        raise TimeoutError("no time is left")
    task = loop.create_task(work(loop))
    while not task.done() and loop.refused is None and call.remaining() > 0 and not call.stop.is_wanted:
        await asyncio.wait([task], timeout=min(max(call.remaining(), 0), LISTEN_SECONDS))
    if not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_CLOSE_SECONDS)
    if task.done() and not task.cancelled() and task.exception() is None:
        return task.result()
    if loop.refused is not None:
        raise loop.refused
    if not task.done() or task.cancelled() or call.remaining() <= 0 or call.stop.is_wanted:
        raise TimeoutError("the time was up")
    return task.result()
