"""SQS, SNS and EventBridge by the client that the worker gives, as the role that the job names."""

import json
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from chalicelib.executors.message_queue.clients.base import Client, Measurable, Purgeable, Sink, Site, Source
from chalicelib.executors.message_queue.messages import Incoming, Outgoing, Refusal, batches, carried
from chalicelib.executors.message_queue.queues.aws import SNS, SQS, EventBridge
from chalicelib.executors.message_queue.queues.base import Action
from chalicelib.executors.trouble import Trouble

MAX_BATCH = 10
MAX_BATCH_BYTES = 262_144
_ID, _CONTENT_TYPE = "chronos-message-id", "content-type"
_MAX_WAIT_SECONDS = 5
_SERVICES = {"sqs": "sqs", "sns": "sns", "eventbridge": "events"}
_MAY_PASS = frozenset(
    ("InternalFailure", "InternalException", "InternalError", "ServiceUnavailable", "ThrottlingException")
)


@asynccontextmanager
async def opened(queue: SQS | SNS | EventBridge, site: Site, _action: Action) -> AsyncIterator[Client]:
    """The client of a queue, topic or bus. CloudError, Unavailable."""

    def make() -> Any:
        return site.call.cloud.client(_SERVICES[queue.kind], role_arn=queue.role_arn, region=queue.region)

    service = _Service(await site.loop.aside(make), site)
    if isinstance(queue, SNS):
        yield _Topic(queue, service)
    elif isinstance(queue, EventBridge):
        yield _Bus(queue, service)
    else:
        yield _Queue(queue, service, await _url(queue, service))


class _Service:
    """Calls of an AWS service beside the loop."""

    def __init__(self, client: Any, site: Site) -> None:
        self._client, self._site = client, site
        self.job_id = site.call.job_id

    async def call(self, operation: str, **parameters: Any) -> Any:
        """Its answer. CloudError."""
        return await self._site.loop.aside(lambda: getattr(self._client, operation)(**parameters))


async def _url(queue: SQS, service: _Service) -> str:
    account = queue.arn.split(":")[4]
    found = await service.call("get_queue_url", QueueName=queue.place, QueueOwnerAWSAccountId=account)
    url: str = found["QueueUrl"]
    return url


class _Batching(Sink):
    """Ten at a time, and what is said of each of them."""

    refusal_kind = "cloud"

    async def publish(self, messages: Sequence[Outgoing]) -> list[Refusal]:
        refusals: list[Refusal] = []
        for start, batch in _in_bounds(messages):
            refusals += await self._send(start, batch)
        return refusals

    @abstractmethod
    async def _send(self, start: int, batch: Sequence[Outgoing]) -> list[Refusal]:
        """Send a batch whose first message has this place among all; those that the service did not take."""


def _in_bounds(messages: Sequence[Outgoing]) -> list[tuple[int, Sequence[Outgoing]]]:
    """Batches of ten, or single messages where ten together would be too large."""
    found: list[tuple[int, Sequence[Outgoing]]] = []
    for start, batch in batches(messages, MAX_BATCH):
        if sum(len(message.body) + 2048 for message in batch) <= MAX_BATCH_BYTES:
            found.append((start, batch))
        else:
            found += [(start + index, [message]) for index, message in enumerate(batch)]
    return found


def _text(message: Outgoing) -> str | None:
    """The body as text, None if it is none: these services carry text."""
    try:
        return message.body.decode()
    except UnicodeDecodeError:
        return None


def _attributes(message: Outgoing) -> dict[str, Any]:
    values = {**message.headers, _ID: message.id}
    if message.content_type:
        values[_CONTENT_TYPE] = message.content_type
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items() if value}


def _fifo(queue: SQS | SNS, message: Outgoing, job_id: str) -> dict[str, str]:
    if not queue.is_fifo:
        return {}
    return {"MessageGroupId": message.key or queue.group or job_id, "MessageDeduplicationId": message.id}


def _not_text(index: int) -> Refusal:
    return Refusal(
        index, "not_text", "the body is not text in UTF-8: send it as base64 text", retryable=False
    )


def _refused(entry: dict[str, Any], index: int) -> Refusal:
    lasting = bool(entry.get("SenderFault"))
    return Refusal(index, entry.get("Code", ""), entry.get("Message") or entry.get("Code", ""), not lasting)


class _Queue(_Batching, Source, Purgeable, Measurable):
    def __init__(self, queue: SQS, service: _Service, url: str) -> None:
        self._queue, self._service, self._url = queue, service, url

    async def _send(self, start: int, batch: Sequence[Outgoing]) -> list[Refusal]:
        entries = [
            self._entry(str(index), message)
            for index, message in enumerate(batch)
            if _text(message) is not None
        ]
        refusals = [_not_text(start + index) for index, message in enumerate(batch) if _text(message) is None]
        if entries:
            told = await self._service.call("send_message_batch", QueueUrl=self._url, Entries=entries)
            refusals += [_refused(each, start + int(each["Id"])) for each in told.get("Failed", ())]
        return refusals

    def _entry(self, id_: str, message: Outgoing) -> dict[str, Any]:
        delay = {"DelaySeconds": self._queue.delay_seconds} if self._queue.delay_seconds else {}
        fifo = _fifo(self._queue, message, self._service.job_id)
        attributes = _attributes(message)
        return {"Id": id_, "MessageBody": _text(message), "MessageAttributes": attributes, **fifo, **delay}

    async def receive(self, limit: int, seconds: float) -> list[Incoming]:
        until = time.monotonic() + seconds
        while True:
            wait = min(_MAX_WAIT_SECONDS, max(0, int(until - time.monotonic() + 0.5)))
            found = await self._service.call(
                "receive_message",
                QueueUrl=self._url,
                MaxNumberOfMessages=min(limit, MAX_BATCH),
                WaitTimeSeconds=wait,
                MessageAttributeNames=["All"],
                AttributeNames=["MessageGroupId"],
            )
            if found.get("Messages") or time.monotonic() >= until:
                return [_incoming(message) for message in found.get("Messages", ())]

    async def settle(self, taken: Sequence[Incoming], left: Sequence[Incoming]) -> None:
        for start in range(0, len(taken), MAX_BATCH):
            entries = _handles(taken[start : start + MAX_BATCH])
            told = await self._service.call("delete_message_batch", QueueUrl=self._url, Entries=entries)
            if told.get("Failed"):
                raise Trouble(
                    "cloud", "Messages were forwarded, but SQS did not delete them: they come again."
                )
        for start in range(0, len(left), MAX_BATCH):
            entries = [each | {"VisibilityTimeout": 0} for each in _handles(left[start : start + MAX_BATCH])]
            await self._service.call("change_message_visibility_batch", QueueUrl=self._url, Entries=entries)

    async def purge(self) -> int | None:
        await self._service.call("purge_queue", QueueUrl=self._url)
        return None

    async def depth(self) -> int:
        told = await self._service.call(
            "get_queue_attributes", QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(told["Attributes"]["ApproximateNumberOfMessages"])


def _handles(messages: Sequence[Incoming]) -> list[dict[str, Any]]:
    return [{"Id": str(index), "ReceiptHandle": one.handle} for index, one in enumerate(messages)]


def _incoming(message: dict[str, Any]) -> Incoming:
    attributes = {
        name: value["StringValue"]
        for name, value in message.get("MessageAttributes", {}).items()
        if value.get("DataType", "").startswith("String")
    }
    headers = carried(attributes)
    outgoing = Outgoing(
        id=headers.pop(_ID, "") or message["MessageId"],
        body=message["Body"].encode(),
        key=message.get("Attributes", {}).get("MessageGroupId"),
        headers=headers,
        content_type=headers.pop(_CONTENT_TYPE, "") or None,
    )
    return Incoming(outgoing, message["ReceiptHandle"])


class _Topic(_Batching):
    def __init__(self, topic: SNS, service: _Service) -> None:
        self._topic, self._service = topic, service

    async def _send(self, start: int, batch: Sequence[Outgoing]) -> list[Refusal]:
        subject = {"Subject": self._topic.subject} if self._topic.subject else {}
        entries = [
            {
                "Id": str(index),
                "Message": _text(message),
                "MessageAttributes": _attributes(message),
                **_fifo(self._topic, message, self._service.job_id),
                **subject,
            }
            for index, message in enumerate(batch)
            if _text(message)
        ]
        refusals = [
            _empty_or_not_text(start + index, one) for index, one in enumerate(batch) if not _text(one)
        ]
        if entries:
            told = await self._service.call(
                "publish_batch", TopicArn=self._topic.arn, PublishBatchRequestEntries=entries
            )
            refusals += [_refused(each, start + int(each["Id"])) for each in told.get("Failed", ())]
        return refusals


def _empty_or_not_text(index: int, message: Outgoing) -> Refusal:
    return (
        _not_text(index)
        if message.body
        else Refusal(index, "empty", "SNS takes no empty message", retryable=False)
    )


class _Bus(_Batching):
    def __init__(self, bus: EventBridge, service: _Service) -> None:
        self._bus, self._service = bus, service

    async def _send(self, start: int, batch: Sequence[Outgoing]) -> list[Refusal]:
        places = [index for index, message in enumerate(batch) if _is_object(message.body)]
        refusals = [
            Refusal(start + index, "no_object", "an event's detail is a JSON object", retryable=False)
            for index in range(len(batch))
            if index not in places
        ]
        if places:
            told = await self._service.call(
                "put_events", Entries=[self._entry(batch[index]) for index in places]
            )
            for index, entry in zip(places, told["Entries"], strict=True):
                if code := entry.get("ErrorCode"):
                    text = entry.get("ErrorMessage") or code
                    refusals.append(Refusal(start + index, code, text, retryable=code in _MAY_PASS))
        return refusals

    def _entry(self, message: Outgoing) -> dict[str, Any]:
        return {
            "EventBusName": self._bus.arn,
            "Source": self._bus.source,
            "DetailType": self._bus.detail_type,
            "Detail": message.body.decode(),
        }


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False
