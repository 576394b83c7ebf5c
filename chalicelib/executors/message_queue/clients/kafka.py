"""Kafka: idempotent publishing that all replicas confirm, and reading as a consumer group."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition, errors

from chalicelib.executors.kafka_client import (
    KafkaAccess,
    consuming,
    may_pass,
    producing,
    reason,
    translated,
)
from chalicelib.executors.message_queue.clients.base import Client, Measurable, Sink, Site, Source
from chalicelib.executors.message_queue.messages import Incoming, Outgoing, Refusal, carried
from chalicelib.executors.message_queue.queues.base import Action
from chalicelib.executors.message_queue.queues.kafka import Kafka

_ID, _CONTENT_TYPE = "chronos-message-id", "content-type"


@asynccontextmanager
async def opened(queue: Kafka, site: Site, action: Action) -> AsyncIterator[Client]:
    """The topic's client, as the action needs it. Trouble."""
    access = KafkaAccess(
        servers=queue.addresses,
        tls=site.tls(queue.tls),
        user=queue.user,
        password=queue.password,
        mechanism=queue.mechanism,
        client_id=f"chronos-{site.call.run_id}",
    )
    async with AsyncExitStack() as open_:
        if action == "publish":
            yield _Publisher(queue, await open_.enter_async_context(producing(access)), access.where)
            return
        assigned = queue.partition is not None or action == "depth"
        topics = () if assigned else (queue.topic,)
        consumer = await open_.enter_async_context(consuming(access, *topics, group_id=queue.group))
        yield _Reader(queue, consumer, access)


class _Publisher(Sink):
    def __init__(self, queue: Kafka, producer: AIOKafkaProducer, where: str) -> None:
        self._queue, self._producer, self._where = queue, producer, where

    async def publish(self, messages: Sequence[Outgoing]) -> list[Refusal]:
        with translated(self._where):
            waiting = [await self._send(message) for message in messages]
            told = await asyncio.gather(*waiting, return_exceptions=True)
        return [
            _refusal(index, error) for index, error in enumerate(told) if isinstance(error, BaseException)
        ]

    async def _send(self, message: Outgoing) -> "asyncio.Future[Any]":
        """Its confirmation to come. An error at once is one of the confirmation too."""
        try:
            sent: asyncio.Future[Any] = await self._producer.send(
                self._queue.topic,
                message.body,
                key=None if message.key is None else message.key.encode(),
                partition=self._queue.partition,
                headers=_headers(message),
            )
        except errors.MessageSizeTooLargeError as error:
            sent = asyncio.get_running_loop().create_future()
            sent.set_exception(error)
        return sent


def _refusal(index: int, error: BaseException) -> Refusal:
    if isinstance(error, errors.KafkaError):
        return Refusal(index, type(error).__name__, reason(error), may_pass(error))
    raise error


def _headers(message: Outgoing) -> list[tuple[str, bytes]]:
    headers = {**message.headers, _ID: message.id}
    if message.content_type:
        headers[_CONTENT_TYPE] = message.content_type
    return [(name, value.encode()) for name, value in headers.items()]


class _Reader(Source, Measurable):
    def __init__(self, queue: Kafka, consumer: AIOKafkaConsumer, access: KafkaAccess) -> None:
        self._queue, self._consumer, self._access = queue, consumer, access
        if queue.partition is not None:
            consumer.assign([TopicPartition(queue.topic, queue.partition)])

    async def receive(self, limit: int, seconds: float) -> list[Incoming]:
        with translated(self._access.where):
            found = await self._consumer.getmany(timeout_ms=int(seconds * 1000), max_records=limit)
        return [Incoming(_incoming(record), record) for records in found.values() for record in records]

    async def settle(self, taken: Sequence[Incoming], left: Sequence[Incoming]) -> None:
        """A partition is confirmed as far as nothing was left: what comes after that is read again."""
        offsets: dict[TopicPartition, int] = {}
        for one in sorted(taken, key=lambda each: each.handle.offset):
            offsets[_partition(one.handle)] = one.handle.offset + 1
        for one in sorted(left, key=lambda each: -each.handle.offset):
            offsets[_partition(one.handle)] = min(
                offsets.get(_partition(one.handle), one.handle.offset), one.handle.offset
            )
        with translated(self._access.where):
            await self._consumer.commit(offsets)

    async def depth(self) -> int:
        with translated(self._access.where):
            partitions = [TopicPartition(self._queue.topic, number) for number in await self._numbers()]
            ends = await self._consumer.end_offsets(partitions)
            begins = await self._consumer.beginning_offsets(partitions)
            read = begins
            if self._queue.group:
                read = {one: await self._consumer.committed(one) for one in partitions}
        return sum(max(0, ends[one] - max(begins[one], read[one] or 0)) for one in partitions)

    async def _numbers(self) -> Sequence[int]:
        if self._queue.partition is not None:
            return [self._queue.partition]
        asking = AIOKafkaProducer(**self._access.options)
        await asking.start()
        try:
            return sorted(await asking.partitions_for(self._queue.topic))
        finally:
            await asking.stop()


def _partition(record: ConsumerRecord) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)


def _incoming(record: ConsumerRecord) -> Outgoing:
    """Its own id, or its place in the topic."""
    headers = carried(dict(record.headers))
    id_ = headers.pop(_ID, None) or f"{record.topic}.{record.partition}.{record.offset}"
    key = None if record.key is None else record.key.decode("utf-8", "replace")[:255]
    return Outgoing(
        id_,
        record.value or b"",
        key=key or None,
        headers=headers,
        content_type=headers.pop(_CONTENT_TYPE, None),
    )
