"""The `message_queue` type: a queue of some kind, and what is done with it."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, model_validator

from chalicelib.executors.base import ExecutorSpec, Permission
from chalicelib.executors.json_values import bounded, encoded
from chalicelib.executors.message_queue.messages import MAX_HEADERS, is_header
from chalicelib.executors.message_queue.queues.aws import SNS, SQS, EventBridge
from chalicelib.executors.message_queue.queues.base import Plain
from chalicelib.executors.message_queue.queues.kafka import Kafka
from chalicelib.executors.message_queue.queues.mqtt import MQTT
from chalicelib.executors.message_queue.queues.nats import NATS
from chalicelib.executors.message_queue.queues.rabbitmq import RabbitMQ

MAX_MESSAGES = 500
MAX_BYTES = 131_072
"""Of all messages of a job together, as JSON."""

AnyQueue = Annotated[
    Kafka | RabbitMQ | NATS | MQTT | SQS | SNS | EventBridge,
    Field(discriminator="kind"),
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not is_header(name, value):
            raise ValueError(
                f"{name[:40]!r} must be letters, digits, dots, dashes and underscores, its value one line"
            )
    return headers


class Message(_Part):
    """One message to publish."""

    body: JsonValue = Field(
        None, description="A string is sent as it is, any other value as JSON, null as nothing."
    )
    base64: bool = Field(default=False, description="`body` is base64 of the bytes to send.")
    key: Annotated[Plain, Field(min_length=1, max_length=255)] | None = Field(
        None,
        description="Kafka's key, RabbitMQ's routing key, or the message group of FIFO queues and topics.",
    )
    headers: Annotated[dict[str, str], Field(max_length=MAX_HEADERS), AfterValidator(_headers)] = Field(
        {}, description="Headers, properties or attributes; not with MQTT 3.1.1 and EventBridge."
    )
    content_type: Annotated[Plain, Field(min_length=1, max_length=100)] | None = Field(
        None, description="Default: application/json, text/plain; charset=utf-8 for a string."
    )
    id: Annotated[Plain, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")] | None = Field(
        None,
        description="Removes duplicates where the broker can. Default: the run's id, and the message's place.",
    )

    @model_validator(mode="after")
    def _base64_can_be_read(self) -> "Message":
        if self.base64:
            _unpacked(self.body)
        return self

    def content(self) -> bytes:
        """The bytes to send."""
        if self.base64:
            return _unpacked(self.body)
        if self.body is None:
            return b""
        return self.body.encode() if isinstance(self.body, str) else encoded(self.body)

    @property
    def media_type(self) -> str:
        """What is said about the bytes."""
        if self.content_type or self.body is None:
            return self.content_type or "application/octet-stream"
        if self.base64:
            return "application/octet-stream"
        return "text/plain; charset=utf-8" if isinstance(self.body, str) else "application/json"


def _unpacked(body: JsonValue) -> bytes:
    if not isinstance(body, str):
        raise ValueError("a body in base64 must be a string")
    try:
        return b64decode(body, validate=True)
    except ValueError as error:
        raise ValueError("the body is not base64") from error


def _small(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    bounded([message.model_dump(mode="json") for message in messages], MAX_BYTES)
    ids = [message.id for message in messages if message.id]
    if len(set(ids)) < len(ids):
        raise ValueError("no two messages may have the same id")
    return messages


class Publish(_Part):
    """Publishes messages, and succeeds when the broker has confirmed them all."""

    action: Literal["publish"]
    messages: Annotated[
        tuple[Message, ...], Field(min_length=1, max_length=MAX_MESSAGES), AfterValidator(_small)
    ] = Field(description="1 to 500 messages, at most 128 KB together.")


class Forward(_Part):
    """Reads messages and publishes them to another queue. Each is confirmed once the other has confirmed it."""

    action: Literal["forward"]
    to: AnyQueue = Field(description="Another queue, of the same or another kind.")
    max_messages: int = Field(1000, ge=1, le=10_000, description="It ends after so many.")
    max_seconds: float = Field(30, ge=1, le=600, description="It ends after so many seconds.")
    idle_seconds: float = Field(2, ge=0.5, le=60, description="It ends when nothing has come for so long.")


class Purge(_Part):
    """Drops all messages of the queue, or of MQTT's topic the retained one."""

    action: Literal["purge"]
    confirm: Annotated[Plain, Field(min_length=1, max_length=1024)] = Field(
        description="The name of the queue, stream or topic once more."
    )


class Depth(_Part):
    """Counts the messages that wait, and fails if they are too many or too few."""

    action: Literal["depth"]
    fail_above: int | None = Field(None, ge=0, le=2**53, description="Fail if more messages wait.")
    fail_below: int | None = Field(None, ge=0, le=2**53, description="Fail if fewer messages wait.")

    @model_validator(mode="after")
    def _some_number_passes(self) -> "Depth":
        if self.fail_above is not None and self.fail_below is not None and self.fail_below > self.fail_above:
            raise ValueError("fail_below must not be over fail_above: no number would pass")
        return self


Operation = Annotated[Publish | Forward | Purge | Depth, Field(discriminator="action")]


class Config(_Part):
    """A queue, and what a run does with it."""

    queue: AnyQueue = Field(description="The queue, topic, subject or bus, and how to reach it.")
    operation: Operation = Field(description="What is done with it.")

    @model_validator(mode="after")
    def _the_queue_can_do_it(self) -> "Config":
        action = self.operation.action
        if action not in self.queue.actions:
            raise ValueError(f"a queue of the kind {self.queue.kind} offers no {action}")
        missing = self.queue.missing(action)
        if missing:
            raise ValueError(f"{action} needs queue.{missing}")
        _check(self.queue, self.operation)
        return self


def _check(queue: Any, operation: Any) -> None:
    if isinstance(operation, Purge) and operation.confirm != queue.place:
        raise ValueError(f"confirm must repeat what is purged: {queue.place}")
    if isinstance(operation, Forward):
        missing = operation.to.missing("publish")
        if missing:
            raise ValueError(f"forward needs to.{missing}")
    if isinstance(operation, Publish):
        for index, message in enumerate(operation.messages):
            _check_message(queue, message, f"messages.{index}")


def _check_message(queue: Any, message: Message, place: str) -> None:
    if message.key and not (queue.has_keys and (queue.kind != "sns" or queue.is_fifo)):
        raise ValueError(f"{place}.key: messages of {queue.kind} have no key")
    if message.headers and (not queue.has_headers or getattr(queue, "version", "") == "3.1.1"):
        raise ValueError(f"{place}.headers: messages of {queue.kind} have no headers here")
    if message.id and not queue.has_ids:
        raise ValueError(f"{place}.id: messages of {queue.kind} have no id")
    if queue.kind == "eventbridge" and (message.base64 or not isinstance(message.body, dict)):
        raise ValueError(f"{place}.body: an event's detail is a JSON object")


_QUEUES: TypeAdapter[AnyQueue] = TypeAdapter(AnyQueue)


def target(config: Mapping[str, Any]) -> str | None:
    """The broker's host."""
    try:
        return _QUEUES.validate_python(config.get("queue")).target
    except ValueError:
        return None


SPEC = ExecutorSpec(
    target=target,
    type="message_queue",
    config=Config,
    title="Message queue",
    description="Publishes to Kafka, RabbitMQ, NATS, MQTT, SQS, SNS or EventBridge; forwards, purges, measures.",
    example={
        "queue": {
            "kind": "rabbitmq",
            "host": "mq.example.com",
            "user": "chronos",
            "password": "from-a-secret",
            "exchange": "orders",
            "routing_key": "orders.daily",
        },
        "operation": {"action": "publish", "messages": [{"body": {"report": "daily"}}]},
    },
    permissions=(
        Permission("To reach the broker: a public address, or one of a network that the operator allows."),
        Permission(
            "On RabbitMQ, NATS, Kafka and MQTT: a user who may publish, read, purge or measure what the job names."
        ),
        Permission(
            "On SQS, as the role that the job names; reading, purging and measuring only for jobs that do so.",
            (
                "sqs:GetQueueUrl",
                "sqs:SendMessage",
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:ChangeMessageVisibility",
                "sqs:PurgeQueue",
                "sqs:GetQueueAttributes",
            ),
        ),
        Permission("On SNS, as the role that the job names.", ("sns:Publish",)),
        Permission("On EventBridge, as the role that the job names.", ("events:PutEvents",)),
    ),
    errors=("connection", "authentication", "broker", "condition", "cloud", "forbidden_target"),
    limits=(
        "500 messages in a job, 128 KB together.",
        "Forwarding ends after 10,000 messages or 10 minutes; a message may arrive twice, and none is lost.",
        "Kafka is not purged, MQTT is not measured; SNS and EventBridge are only published to.",
    ),
    examples={
        "Orders from Kafka to SQS, every five minutes": {
            "name": "orders-to-sqs",
            "schedule": {"kind": "cron", "expression": "0 */5 * * * *"},
            "timeout_seconds": 120,
            "concurrency": {"policy": "forbid"},
            "config": {
                "queue": {
                    "kind": "kafka",
                    "servers": ["kafka.example.com:9093"],
                    "topic": "orders",
                    "group": "chronos",
                },
                "operation": {
                    "action": "forward",
                    "max_seconds": 90,
                    "to": {
                        "kind": "sqs",
                        "arn": "arn:aws:sqs:eu-central-1:123456789012:orders",
                        "role_arn": "arn:aws:iam::123456789012:role/chronos-orders",
                    },
                },
            },
        },
        "An alarm when a stream is not read": {
            "name": "stream-is-read",
            "schedule": {"kind": "cron", "expression": "0 0 * * * *"},
            "config": {
                "queue": {
                    "kind": "nats",
                    "servers": ["nats.example.com"],
                    "token": "example-token",
                    "stream": "ORDERS",
                    "consumer": "billing",
                },
                "operation": {"action": "depth", "fail_above": 1000},
            },
        },
    },
)
