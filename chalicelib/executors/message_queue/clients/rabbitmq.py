"""RabbitMQ by aiormq: publisher confirms, mandatory delivery, and reading one by one with acknowledgement."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiormq import Connection, exceptions, spec
from aiormq.abc import AbstractChannel, DeliveredMessage
from yarl import URL

from chalicelib.executors.message_queue.clients.base import (
    Client,
    Measurable,
    Purgeable,
    Sink,
    Site,
    Source,
    closed,
)
from chalicelib.executors.message_queue.messages import Incoming, Outgoing, Refusal, carried
from chalicelib.executors.message_queue.queues.base import Action
from chalicelib.executors.message_queue.queues.rabbitmq import RabbitMQ
from chalicelib.executors.trouble import Trouble, reaching, shown

logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # what it has to say is told as the attempt's failure
_POLL_SECONDS = 0.2
_PERSISTENT, _TRANSIENT = 2, 1
_REFUSED = (
    exceptions.AuthenticationError,
    exceptions.ProbableAuthenticationError,
    exceptions.ChannelAccessRefused,
    exceptions.ConnectionNotAllowed,
)


@asynccontextmanager
async def opened(queue: RabbitMQ, site: Site, _action: Action) -> AsyncIterator[Client]:
    """The queue's client, while it is open. Trouble."""
    where = "{}:{}".format(*queue.address)
    options: dict[str, Any] = {}
    if queue.tls and queue.tls.server_name:
        options["server_hostname"] = queue.tls.server_name
    connection = Connection(
        _url(queue),
        loop=site.loop,
        context=site.tls(queue.tls),
        client_properties={"connection_name": f"chronos {site.call.run_id}"},
        **options,
    )
    connection.vhost = queue.virtual_host
    try:
        with _translated(where):
            await connection.connect()
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        yield _RabbitClient(queue, channel, where, f"{site.call.run_id}.{site.call.attempt}")
    finally:
        await closed(connection.close())


def _url(queue: RabbitMQ) -> URL:
    host, port = queue.address
    scheme = "amqps" if queue.tls else "amqp"
    return URL.build(scheme=scheme, host=host, port=port, user=queue.user, password=queue.password, path="/")


@contextmanager
def _translated(where: str) -> Iterator[None]:
    try:
        with reaching(where):
            try:
                yield
            except exceptions.AMQPError as error:
                if isinstance(error.__cause__, OSError | EOFError):
                    raise error.__cause__ from error
                raise _trouble(error, where) from error
            except exceptions.ChannelInvalidStateError as error:
                raise Trouble("connection", f"The channel to {where} was closed.") from error
            except Exception as error:
                if (
                    type(error) is Exception
                ):  # what aiormq ends waiting calls with when a connection has broken
                    raise Trouble("connection", f"The connection with {where} broke off.") from error
                raise
    except asyncio.CancelledError as error:
        # aiormq cancels what waits on a connection that has broken: nobody told us to stop.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise Trouble("connection", f"The connection with {where} broke off.") from error


def _trouble(error: exceptions.AMQPError, where: str) -> Trouble:
    said = shown(error.args[-1] if error.args else type(error).__name__)
    if isinstance(error, _REFUSED) or "ACCESS_REFUSED" in said:
        return Trouble("authentication", f"{where} refuses the user: {said}.")
    if isinstance(error, exceptions.InvalidFrameError):
        return Trouble(
            "broker", f"{where} does not open the virtual host: does it exist, may the user use it?"
        )
    if isinstance(error, exceptions.AMQPConnectionError):
        return Trouble("connection", f"{where} closed the connection: {said}.")
    lasting = isinstance(error, exceptions.ChannelNotFoundEntity | exceptions.ChannelPreconditionFailed)
    return Trouble("broker", f"{where} refuses: {said}.", retryable=False if lasting else None)


class _RabbitClient(Sink, Source, Purgeable, Measurable):
    def __init__(self, queue: RabbitMQ, channel: AbstractChannel, where: str, prefix: str) -> None:
        self._queue, self._channel, self._where, self._prefix = queue, channel, where, prefix

    async def publish(self, messages: Sequence[Outgoing]) -> list[Refusal]:
        refusals: list[Refusal] = []
        for wave in _waves(messages):
            with _translated(self._where):
                told = await asyncio.gather(*(self._send(index, messages[index]) for index in wave))
            refusals += [one for one in told if one is not None]
        return sorted(refusals, key=lambda refusal: refusal.index)

    async def _send(self, index: int, message: Outgoing) -> Refusal | None:
        try:
            await self._channel.basic_publish(
                message.body,
                exchange=self._queue.exchange,
                routing_key=self._queue.key if message.key is None else message.key,
                properties=self._properties(message),
                mandatory=True,
            )
        except exceptions.PublishError as error:
            code = getattr(error.frame, "reply_text", None) or "NO_ROUTE"
            return Refusal(
                index, code, "no queue takes it: is one bound with its routing key?", retryable=False
            )
        except exceptions.DeliveryError:
            return Refusal(index, "NACK", "the broker could not keep it", retryable=True)
        return None

    def _properties(self, message: Outgoing) -> spec.Basic.Properties:
        headers: dict[str, Any] = dict(message.headers)
        return spec.Basic.Properties(
            content_type=message.content_type,
            headers=headers or None,
            delivery_mode=_PERSISTENT if self._queue.persistent else _TRANSIENT,
            message_id=message.id,
            app_id="chronos",
        )

    async def receive(self, limit: int, seconds: float) -> list[Incoming]:
        found: list[Incoming] = []
        until = asyncio.get_running_loop().time() + seconds
        with _translated(self._where):
            while len(found) < limit:
                message = await self._channel.basic_get(str(self._queue.queue))
                if isinstance(message.delivery, spec.Basic.GetOk):
                    found.append(_incoming(message, self._prefix))
                elif found or asyncio.get_running_loop().time() >= until:
                    break
                else:
                    await asyncio.sleep(_POLL_SECONDS)
        return found

    async def settle(self, taken: Sequence[Incoming], left: Sequence[Incoming]) -> None:
        with _translated(self._where):
            for one in taken:
                await self._channel.basic_ack(one.handle)
            for one in left:
                await self._channel.basic_nack(one.handle, requeue=True)
            await self._channel.queue_declare(
                str(self._queue.queue), passive=True
            )  # answered after what came before

    async def purge(self) -> int | None:
        with _translated(self._where):
            return (await self._channel.queue_purge(str(self._queue.queue))).message_count

    async def depth(self) -> int:
        with _translated(self._where):
            told = await self._channel.queue_declare(str(self._queue.queue), passive=True)
        return told.message_count or 0


def _incoming(message: DeliveredMessage, prefix: str) -> Incoming:
    """An id that its publisher did not give must not be taken for that of another message."""
    properties = message.header.properties
    outgoing = Outgoing(
        id=properties.message_id or f"{prefix}.{message.delivery_tag}",
        body=message.body,
        headers=carried(properties.headers or {}),
        content_type=properties.content_type,
    )
    return Incoming(outgoing, message.delivery_tag)


def _waves(messages: Sequence[Outgoing]) -> list[list[int]]:
    """Their indexes, no id twice in a wave: aiormq knows by the id which of them came back."""
    waves: list[list[int]] = []
    seen: dict[str, int] = {}
    for index, message in enumerate(messages):
        number = seen.get(message.id, -1) + 1
        seen[message.id] = number
        if number == len(waves):
            waves.append([])
        waves[number].append(index)
    return waves
