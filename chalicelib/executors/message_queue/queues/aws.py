"""Queues, topics and event buses of AWS, used as a role that the job's owner names."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from chalicelib.executors.message_queue.queues.base import Action, Plain, Queue

_ACCOUNT = r"[a-z0-9-]{1,32}:[0-9]{12}"
RoleArn = Annotated[
    Plain, Field(max_length=2048, pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$")
]
QueueArn = Annotated[Plain, Field(pattern=rf"^arn:aws[a-z-]*:sqs:{_ACCOUNT}:[A-Za-z0-9_-]{{1,80}}(\.fifo)?$")]
TopicArn = Annotated[
    Plain, Field(pattern=rf"^arn:aws[a-z-]*:sns:{_ACCOUNT}:[A-Za-z0-9_-]{{1,256}}(\.fifo)?$")
]
BusArn = Annotated[
    Plain, Field(pattern=rf"^arn:aws[a-z-]*:events:{_ACCOUNT}:event-bus/[A-Za-z0-9._/-]{{1,256}}$")
]
_ROLE = "The role that may use it. Its owner lets Chronos assume it, with the tenant as external id."


class _OfAWS(Queue):
    arn: str
    role_arn: RoleArn = Field(description=_ROLE)

    @property
    def region(self) -> str:
        return self.arn.split(":")[3]

    @property
    def place(self) -> str:
        return self.arn.split(":")[5]

    @property
    def is_fifo(self) -> bool:
        return self.arn.endswith(".fifo")

    def missing(self, action: Action) -> str | None:  # noqa: ARG002 - nothing is ever missing
        return None


class SQS(_OfAWS):
    """A queue of SQS. In a FIFO queue the message's id removes duplicates."""

    has_keys: ClassVar[bool] = True

    kind: Literal["sqs"]
    arn: QueueArn = Field(description="The queue.")
    group: Annotated[Plain, Field(pattern=r"^[\x21-\x7e]{1,128}$")] | None = Field(
        None,
        description="The message group, in a FIFO queue, of messages without a `key`. Default: the job's id.",
    )
    delay_seconds: int = Field(
        0, ge=0, le=900, description="How long a standard queue hides a message at first."
    )

    @model_validator(mode="after")
    def _delays_are_not_of_fifo_queues(self) -> "SQS":
        if self.is_fifo and self.delay_seconds:
            raise ValueError("a FIFO queue has no delay for single messages")
        return self

    @property
    def target(self) -> str | None:
        return f"sqs.{self.region}.amazonaws.com"


class SNS(_OfAWS):
    """A topic of SNS. It can be published to, and no more."""

    actions: ClassVar[frozenset[Action]] = frozenset(("publish",))
    has_keys: ClassVar[bool] = True

    kind: Literal["sns"]
    arn: TopicArn = Field(description="The topic.")
    subject: Annotated[Plain, Field(min_length=1, max_length=100)] | None = Field(
        None, description="Of mails to subscribers."
    )
    group: Annotated[Plain, Field(pattern=r"^[\x21-\x7e]{1,128}$")] | None = Field(
        None,
        description="The message group, in a FIFO topic, of messages without a `key`. Default: the job's id.",
    )

    @property
    def target(self) -> str | None:
        return f"sns.{self.region}.amazonaws.com"


class EventBridge(_OfAWS):
    """An event bus. Each message's body is a JSON object: the event's detail."""

    actions: ClassVar[frozenset[Action]] = frozenset(("publish",))
    has_headers: ClassVar[bool] = False
    has_ids: ClassVar[bool] = False

    kind: Literal["eventbridge"]
    arn: BusArn = Field(description="The event bus.")
    source: Annotated[Plain, Field(min_length=1, max_length=256)] = Field(
        "chronos", description="The events' source; not `aws.`..."
    )
    detail_type: Annotated[Plain, Field(min_length=1, max_length=128)] = Field(
        "chronos", description="The events' detail-type."
    )

    @property
    def target(self) -> str | None:
        return f"events.{self.region}.amazonaws.com"
