"""RabbitMQ, and whatever else speaks AMQP 0-9-1."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from chalicelib.executors.hosts import host_name
from chalicelib.executors.message_queue.queues.base import Action, Host, Name, Plain, Port, Queue, Secret
from chalicelib.executors.tls import TLS

AmqpName = Annotated[Plain, Field(max_length=255)]


class RabbitMQ(Queue):
    """An exchange to publish to, or a queue. A message that no queue takes is a failure."""

    has_keys: ClassVar[bool] = True

    kind: Literal["rabbitmq"]
    host: Host = Field(description="The broker's host name or address.")
    port: Port | None = Field(None, description="Default: 5671 with TLS, 5672 without.")
    tls: TLS | None = Field(TLS(), description="How the connection is secured; null for plain text.")
    user: Name = Field("guest", description="Who Chronos is to the broker.")
    password: Secret = Field("guest", repr=False, description="Name a secret here.")
    virtual_host: Name = Field("/", description="The virtual host.")
    exchange: AmqpName = Field("", description="Where messages are published. Default: straight to `queue`.")
    routing_key: AmqpName | None = Field(
        None, description="Of each message that has no `key`. Default: the name of `queue`, or empty."
    )
    queue: AmqpName | None = Field(None, min_length=1, description="The queue. It must exist.")
    persistent: bool = Field(default=True, description="Messages outlive the broker's restart.")

    @model_validator(mode="after")
    def _it_leads_somewhere(self) -> "RabbitMQ":
        if not self.exchange and not self.queue and not self.routing_key:
            raise ValueError("give a queue, or an exchange to publish to")
        return self

    def missing(self, action: Action) -> str | None:
        return "queue" if action != "publish" and not self.queue else None

    @property
    def place(self) -> str:
        return self.queue or ""

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port or (5671 if self.tls else 5672)

    @property
    def key(self) -> str:
        """The routing key of messages that have none of their own."""
        return self.routing_key if self.routing_key is not None else self.queue or ""

    @property
    def target(self) -> str | None:
        return host_name(self.host)
