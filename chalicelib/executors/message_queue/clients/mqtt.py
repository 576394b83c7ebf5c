"""MQTT by paho, whose bytes go over a connection of the guarded loop: no threads, no sockets of its own."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from secrets import token_hex
from typing import Any

from paho.mqtt.client import MQTT_ERR_SUCCESS, MQTTMessage, MQTTMessageInfo, MQTTv5, MQTTv311
from paho.mqtt.client import Client as Paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from chalicelib.executors.message_queue.clients.base import (
    CLOSE_SECONDS,
    Client,
    Purgeable,
    Sink,
    Site,
    Source,
)
from chalicelib.executors.message_queue.messages import Incoming, Outgoing, Refusal, batches, carried
from chalicelib.executors.message_queue.queues.base import Action
from chalicelib.executors.message_queue.queues.mqtt import MQTT
from chalicelib.executors.trouble import Trouble, reaching, shown

_UNCONFIRMED = 20
"""At once, either way. Mosquitto confirms what is beyond its limit and drops it."""
_KEEPALIVE_SECONDS = 60
_LOOK_SECONDS = 5.0
_MAY_PASS = {0x83, 0x88, 0x89, 0x97, 0x9F}  # unspecified, unavailable, busy, quota, rate
_NOT_ALLOWED = {0x86, 0x87, 0x8A, 0x8C}
_ID = "chronos-message-id"


class _Pipe(asyncio.Protocol):
    """The socket that paho sees. What arrives waits here until paho reads it."""

    def __init__(self, broken: "asyncio.Future[None]") -> None:
        self._broken, self._arrived = broken, bytearray()
        self.transport: Any = None
        self.reader: Paho | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._arrived += data
        while self._arrived and self.reader is not None:
            if self.reader.loop_read() != MQTT_ERR_SUCCESS:
                self.close()
                return

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self._broken.done():
            self._broken.set_result(None)

    def recv(self, size: int) -> bytes:
        if not self._arrived:
            raise BlockingIOError
        taken = bytes(self._arrived[:size])
        del self._arrived[:size]
        return taken

    def send(self, data: bytes) -> int:
        self.transport.write(data)
        return len(data)

    def setblocking(self, _flag: bool) -> None:
        """It never blocks."""

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()


class _Paho(Paho):
    """Speaks over the pipe that it is given."""

    pipe: Any = None

    def _create_socket(self) -> Any:
        return self.pipe


class _Link:
    """A connection, and what the broker has said on it."""

    def __init__(self, queue: MQTT, where: str) -> None:
        self._queue, self.where = queue, where
        loop = asyncio.get_running_loop()
        self.broken: asyncio.Future[None] = loop.create_future()
        self._welcome: asyncio.Future[ReasonCode] = loop.create_future()
        self._answers: defaultdict[int, asyncio.Future[ReasonCode]] = defaultdict(loop.create_future)
        self.arrived: deque[MQTTMessage] = deque()
        self.news = asyncio.Event()
        self.at_once = 1
        self.paho: Any = None

    async def connect(self, site: Site, *, reads: bool) -> None:
        """Trouble, if the broker does not welcome us."""
        host, port = self._queue.address
        name = (self._queue.tls.server_name if self._queue.tls else None) or host
        context = site.tls(self._queue.tls)
        options = {"ssl": context, "server_hostname": name} if context else {}
        with self._translated():
            _, pipe = await site.loop.create_connection(lambda: _Pipe(self.broken), host, port, **options)
            self.paho = pipe.reader = self._client(pipe, reads=reads)
            self._greet(reads=reads)
            code = await self.unless_broken(self._welcome)
        if code.is_failure:
            kind = "authentication" if code.value in _NOT_ALLOWED else "broker"
            raise Trouble(kind, f"{self.where} refuses: {shown(code)}.", retryable=_retryable(code, kind))

    def _client(self, pipe: _Pipe, *, reads: bool) -> Paho:
        own = self._queue.client_id if reads and self._queue.client_id else f"chronos{token_hex(8)}"
        is_5 = self._queue.version == "5"
        session: dict[str, Any] = {} if is_5 else {"clean_session": not reads}
        client = _Paho(
            CallbackAPIVersion.VERSION2,
            own,
            protocol=MQTTv5 if is_5 else MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
            **session,
        )
        client.pipe = pipe
        if self._queue.user is not None:
            client.username_pw_set(self._queue.user, self._queue.password)
        client.on_connect = lambda _client, _data, _flags, code, properties: self._enter(code, properties)
        client.on_publish = lambda _client, _data, mid, code, _properties: self._hear(
            self._answers[mid], code
        )
        client.on_subscribe = lambda _client, _data, mid, codes, _properties: self._hear(
            self._answers[mid], codes[0]
        )
        client.on_message = lambda _client, _data, message: self._receive(message)
        return client

    def _greet(self, *, reads: bool) -> None:
        host, port = self._queue.address
        if self._queue.version == "3.1.1":
            self.paho.connect(host, port, keepalive=_KEEPALIVE_SECONDS)
            return
        properties: Any = _properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = self._queue.session_seconds if reads else 0
        properties.ReceiveMaximum = _UNCONFIRMED
        self.paho.connect(
            host, port, keepalive=_KEEPALIVE_SECONDS, clean_start=not reads, properties=properties
        )

    def _enter(self, code: ReasonCode, properties: Properties | None) -> None:
        self.at_once = min(getattr(properties, "ReceiveMaximum", _UNCONFIRMED), _UNCONFIRMED)
        self._hear(self._welcome, code)

    def _hear(self, waiting: "asyncio.Future[ReasonCode]", code: ReasonCode) -> None:
        if not waiting.done():
            waiting.set_result(code)

    def _receive(self, message: MQTTMessage) -> None:
        self.arrived.append(message)
        self.news.set()

    async def answer(self, mid: int | None) -> ReasonCode:
        """What the broker says of the packet with this id."""
        with self._translated():
            return await self.unless_broken(self._answers[mid or 0])

    async def unless_broken(self, waiting: "asyncio.Future[ReasonCode]") -> ReasonCode:
        either: list[asyncio.Future[Any]] = [waiting, self.broken]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise Trouble("connection", f"The connection with {self.where} broke off.")
        return waiting.result()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with reaching(self.where):
            yield

    async def keep(self) -> None:
        """Say now and then that we are there."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.paho.loop_misc()

    async def leave(self) -> None:
        """Say good-bye, and wait until that has been sent."""
        if self.paho is not None and not self.broken.done():
            self.paho.disconnect()
            await asyncio.wait([self.broken], timeout=CLOSE_SECONDS)


@asynccontextmanager
async def opened(queue: MQTT, site: Site, action: Action) -> AsyncIterator[Client]:
    """The topic's client, while it is connected. Trouble."""
    link = _Link(queue, "{}:{}".format(*queue.address))
    keeping = None
    try:
        await link.connect(site, reads=action == "forward")
        keeping = site.loop.create_task(link.keep())
        yield _MqttClient(queue, link, f"{site.call.run_id}.{site.call.attempt}")
    finally:
        if keeping:
            keeping.cancel()
        with suppress(Exception):
            await link.leave()


class _MqttClient(Sink, Source, Purgeable):
    def __init__(self, queue: MQTT, link: _Link, prefix: str) -> None:
        self._queue, self._link, self._prefix = queue, link, prefix
        self._subscribed, self._count = False, 0

    async def publish(self, messages: Sequence[Outgoing]) -> list[Refusal]:
        refusals = []
        for start, batch in batches(messages, self._link.at_once):
            sent = [self._send(message) for message in batch]
            for index, info in enumerate(sent, start):
                code = await self._link.answer(info.mid)
                if code.is_failure:
                    may_pass = code.value in _MAY_PASS
                    refusals.append(Refusal(index, str(code.value), shown(code), retryable=may_pass))
        return refusals

    def _send(self, message: Outgoing) -> MQTTMessageInfo:
        info: MQTTMessageInfo = self._link.paho.publish(
            self._queue.topic, message.body, self._queue.qos, self._queue.retain, self._properties(message)
        )
        return info

    def _properties(self, message: Outgoing) -> Any:
        if self._queue.version == "3.1.1":
            return None
        properties = _properties(PacketTypes.PUBLISH)
        properties.UserProperty = [*message.headers.items(), (_ID, message.id)]
        if message.content_type:
            properties.ContentType = message.content_type
        return properties

    async def receive(self, limit: int, seconds: float) -> list[Incoming]:
        await self._subscribe()
        link = self._link
        if not link.arrived:
            link.news.clear()
            news = asyncio.ensure_future(link.news.wait())
            either: list[asyncio.Future[Any]] = [news, link.broken]
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
        if not link.arrived and link.broken.done():
            raise Trouble("connection", f"The connection with {link.where} broke off.")
        return [self._incoming(link.arrived.popleft()) for _ in range(min(limit, len(link.arrived)))]

    async def _subscribe(self) -> None:
        """At most once-or-more: with 2 the broker would forget a message before it is confirmed by its new owner."""
        if self._subscribed:
            return
        _, mid = self._link.paho.subscribe(self._queue.topic, qos=min(self._queue.qos, 1))
        code = await self._link.answer(mid)
        if code.is_failure:
            refused = f"{self._link.where} refuses the subscription: {shown(code)}."
            raise Trouble("broker", refused, retryable=code.value in _MAY_PASS)
        self._subscribed = True

    def _incoming(self, message: MQTTMessage) -> Incoming:
        self._count += 1
        properties = message.properties
        own = dict(getattr(properties, "UserProperty", ()))
        id_ = own.pop(_ID, None) or f"{self._prefix}.{self._count}"
        content_type = getattr(properties, "ContentType", None)
        outgoing = Outgoing(id_, bytes(message.payload), headers=carried(own), content_type=content_type)
        return Incoming(outgoing, message)

    async def settle(self, taken: Sequence[Incoming], left: Sequence[Incoming]) -> None:  # noqa: ARG002
        """What is left comes again, since it was not confirmed, when this client connects for the next time."""
        for one in taken:
            self._link.paho.ack(one.handle.mid, one.handle.qos)

    async def purge(self) -> int | None:
        info = self._link.paho.publish(self._queue.topic, b"", qos=max(self._queue.qos, 1), retain=True)
        code = await self._link.answer(info.mid)
        if code.is_failure:
            raise Trouble("broker", f"{self._link.where} refuses: {shown(code)}.")
        return None


def _properties(packet: int) -> Any:
    properties: Any = Properties
    return properties(packet)


def _retryable(code: ReasonCode, kind: str) -> bool | None:
    return True if code.value in _MAY_PASS and kind == "broker" else None
