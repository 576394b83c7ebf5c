"""NATS by nats-py: JetStream's confirmations and durable consumers, or core NATS, where nobody confirms."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from nats import errors
from nats.aio.client import Client as Connection
from nats.aio.msg import Msg
from nats.js.api import Header
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from chalicelib.executors.message_queue.clients.base import (
    Client,
    Measurable,
    Purgeable,
    Sink,
    Site,
    Source,
    closed,
)
from chalicelib.executors.message_queue.messages import Incoming, Outgoing, Refusal, batches, carried
from chalicelib.executors.message_queue.queues.base import Action
from chalicelib.executors.message_queue.queues.nats import NATS
from chalicelib.executors.trouble import Trouble, reaching, shown

_AT_ONCE = 100
_BUSY = 503
T = TypeVar("T")
_LATER = 0.1  # seconds: a fetch must end before the server's own answer that nothing has come is awaited


class _Connection(Connection):
    """Sends nothing in the open where TLS was wanted: nats-py goes by what the server says of itself."""

    must_be_secure = False

    def _connect_command(self) -> Any:
        if self.must_be_secure and not self._server_info.get("tls_required"):
            raise errors.Error("nats: the server offers no TLS")
        return super()._connect_command()


class _Ear:
    """Hears of errors beside those that calls raise."""

    def __init__(self) -> None:
        self.first: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    async def heard(self, error: Exception) -> None:
        if not self.first.done():
            self.first.set_result(error)

    async def closed(self) -> None:
        await self.heard(errors.ConnectionClosedError())

    async def unless_heard(self, work: Coroutine[Any, Any, T]) -> T:
        """The work's result, or the first error: nats-py tries the unreachable for ever, and waits for the dead."""
        task = asyncio.get_running_loop().create_task(work)
        both: list[asyncio.Future[Any]] = [task, self.first]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                self.object()
            return await task
        finally:
            task.cancel()

    def object(self) -> None:
        """Raise what was heard, if anything was."""
        if self.first.done():
            raise self.first.result()


@asynccontextmanager
async def opened(queue: NATS, site: Site, _action: Action) -> AsyncIterator[Client]:
    """The subject's client, at the first server that lets it in. Trouble."""
    connection, where = await _first(queue, site)
    try:
        yield _NatsClient(queue, connection, where, site)
    finally:
        await closed(connection.close())


async def _first(queue: NATS, site: Site) -> tuple["_Connected", str]:
    trouble = Trouble("connection", "There is no server.")
    for host, port in queue.addresses:
        where = f"{host}:{port}"
        try:
            return await _connected(queue, site, host, port), where
        except Trouble as error:
            if error.kind != "connection":
                raise
            trouble = error
    raise trouble


class _Connected:
    """An open connection, and what is heard on it."""

    def __init__(self, connection: Connection, ear: _Ear) -> None:
        self.nats, self.ear = connection, ear
        self.jetstream = connection.jetstream()

    async def close(self) -> None:
        await self.nats.close()


async def _connected(queue: NATS, site: Site, host: str, port: int) -> _Connected:
    connection, ear = _Connection(), _Ear()
    connection.must_be_secure = queue.tls is not None
    url = f"nats://[{host}]:{port}" if ":" in host else f"nats://{host}:{port}"
    options: dict[str, Any] = {"user": queue.user, "password": queue.password, "token": queue.token}
    connecting = connection.connect(
        url,
        name=f"chronos {site.call.run_id}",
        error_cb=ear.heard,
        closed_cb=ear.closed,
        allow_reconnect=False,
        tls=site.tls(queue.tls),
        tls_hostname=(queue.tls and queue.tls.server_name) or host,
        connect_timeout=10,
        **options,
    )
    try:
        with _translated(f"{host}:{port}"):
            await ear.unless_heard(connecting)
            ear.object()
    except BaseException:
        await closed(connection.close())
        raise
    return _Connected(connection, ear)


@contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        with reaching(where):
            yield
    except NoStreamResponseError as error:
        raise Trouble("broker", f"No stream of {where} takes this subject.", retryable=False) from error
    except APIError as error:
        said = shown(error.description or error.code)
        lasting = isinstance(error, NotFoundError) or (error.code or 0) < 500
        raise Trouble("broker", f"{where} refuses: {said}.", retryable=not lasting) from error
    except errors.AuthorizationError as error:
        raise Trouble("authentication", f"{where} refuses the user.") from error
    except (errors.StaleConnectionError, errors.ConnectionClosedError) as error:
        raise Trouble("connection", f"The connection with {where} broke off.") from error
    except errors.MaxPayloadError as error:
        raise Trouble("broker", f"A message is larger than {where} takes.", retryable=False) from error
    except errors.Error as error:
        raise _said(error, where) from error


def _said(error: errors.Error, where: str) -> Trouble:
    said = shown(error).removeprefix("nats: ")
    if "authorization" in said.lower() or "authentication" in said.lower():
        return Trouble("authentication", f"{where} refuses the user.")
    if "permissions" in said.lower():
        return Trouble("authentication", f"{where} refuses: {said}.")
    return Trouble("connection", f"The exchange with {where} broke off: {said}.")


async def fetched(subscription: Any, limit: int, seconds: float) -> list[Msg]:
    """None if none has come in time: nats-py tells that by its own error, or by Python's if the time is just up."""
    try:
        messages: list[Msg] = await subscription.fetch(limit, timeout=seconds)
    except TimeoutError:
        return []
    return messages


class _NatsClient(Sink, Source, Purgeable, Measurable):
    def __init__(self, queue: NATS, connected: _Connected, where: str, site: Site) -> None:
        self._queue, self._where, self._call = queue, where, site.call
        self._nats, self._stream, self._ear = connected.nats, connected.jetstream, connected.ear
        self._is_known = False

    async def publish(self, messages: Sequence[Outgoing]) -> list[Refusal]:
        return await self._unless_broken(self._publish(messages))

    async def _unless_broken(self, work: Coroutine[Any, Any, T]) -> T:
        with _translated(self._where):
            return await self._ear.unless_heard(work)

    async def _publish(self, messages: Sequence[Outgoing]) -> list[Refusal]:
        send = self._confirmed if self._queue.jetstream else self._sent
        refusals: list[Refusal] = []
        for start, batch in batches(messages, _AT_ONCE):
            told = await asyncio.gather(*(send(start + at, message) for at, message in enumerate(batch)))
            refusals += [one for one in told if one is not None]
        if not self._queue.jetstream:
            await self._flushed()
        return refusals

    async def _confirmed(self, index: int, message: Outgoing) -> Refusal | None:
        try:
            await self._stream.publish(
                str(self._queue.subject),
                message.body,
                timeout=self._seconds(),
                stream=self._queue.stream,
                headers=_headers(message),
            )
        except APIError as error:
            said = shown(error.description or error.code)
            return Refusal(
                index, str(error.err_code or error.code), said, retryable=(error.code or 0) >= _BUSY
            )
        except (AttributeError, LookupError, TypeError, ValueError):
            said = "somebody answers on the subject who is no stream"
            return Refusal(index, "no_ack", said, retryable=False)
        return None

    async def _sent(self, _index: int, message: Outgoing) -> None:
        await self._nats.publish(str(self._queue.subject), message.body, headers=_headers(message))

    async def _flushed(self) -> None:
        """All was sent, and the server has objected to nothing of it."""
        await self._nats.flush(timeout=max(1, int(self._seconds())))
        self._ear.object()

    def _seconds(self) -> float:
        return max(0.1, self._call.remaining())

    async def receive(self, limit: int, seconds: float) -> list[Incoming]:
        return await self._unless_broken(self._receive(limit, seconds))

    async def _receive(self, limit: int, seconds: float) -> list[Incoming]:
        await self._know_the_consumer()
        subscription = await self._stream.pull_subscribe_bind(
            durable=str(self._queue.consumer), stream=str(self._queue.stream)
        )
        try:
            found = await fetched(subscription, limit, max(_LATER, seconds))
        finally:
            await subscription.unsubscribe()
        return [Incoming(_incoming(message), message) for message in found]

    async def _know_the_consumer(self) -> None:
        """Nobody answers for one that does not exist: that looks like a consumer without messages."""
        if not self._is_known:
            await self._stream.consumer_info(str(self._queue.stream), str(self._queue.consumer))
            self._is_known = True

    async def settle(self, taken: Sequence[Incoming], left: Sequence[Incoming]) -> None:
        await self._unless_broken(self._settle(taken, left))

    async def _settle(self, taken: Sequence[Incoming], left: Sequence[Incoming]) -> None:
        await asyncio.gather(*(one.handle.ack_sync(timeout=self._seconds()) for one in taken))
        for one in left:
            await one.handle.nak()
        await self._nats.flush(timeout=max(1, int(self._seconds())))

    async def purge(self) -> int | None:
        stream, subject = str(self._queue.stream), self._queue.subject
        await self._unless_broken(self._stream.purge_stream(stream, subject=subject))
        return None

    async def depth(self) -> int:
        return await self._unless_broken(self._depth())

    async def _depth(self) -> int:
        stream, subject = str(self._queue.stream), self._queue.subject
        if self._queue.consumer:
            told = await self._stream.consumer_info(stream, self._queue.consumer)
            return (told.num_pending or 0) + (told.num_ack_pending or 0)
        state = (await self._stream.stream_info(stream, subjects_filter=subject)).state
        return sum((state.subjects or {}).values()) if subject else state.messages


def _headers(message: Outgoing) -> dict[str, str]:
    headers = dict(message.headers)
    if message.content_type:
        headers["Content-Type"] = message.content_type
    headers[Header.MSG_ID.value] = message.id
    return headers


def _incoming(message: Msg) -> Outgoing:
    """Its own id, or its place in the stream."""
    headers = carried(message.headers or {})
    metadata = message.metadata
    place = f"{metadata.stream}.{metadata.sequence.stream}"
    own = headers.pop(Header.MSG_ID.value, None)
    content_type = headers.pop("Content-Type", None)
    headers = {name: value for name, value in headers.items() if not name.lower().startswith("nats-")}
    return Outgoing(own or place, message.data, headers=headers, content_type=content_type)
