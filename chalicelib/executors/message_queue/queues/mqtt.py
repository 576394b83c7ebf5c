"""MQTT, versions 3.1.1 and 5."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from chalicelib.executors.hosts import host_name
from chalicelib.executors.message_queue.queues.base import Action, Host, Name, Plain, Port, Queue, Secret
from chalicelib.executors.tls import TLS

Topic = Annotated[Plain, Field(min_length=1, max_length=1024)]


class MQTT(Queue):
    """A topic. With `qos` 1 or 2 the broker must have confirmed a message."""

    actions: ClassVar[frozenset[Action]] = frozenset(("publish", "forward", "purge"))

    kind: Literal["mqtt"]
    host: Host = Field(description="The broker's host name or address.")
    port: Port | None = Field(None, description="Default: 8883 with TLS, 1883 without.")
    tls: TLS | None = Field(TLS(), description="How the connection is secured; null for plain text.")
    user: Name | None = Field(None, description="Who Chronos is to the broker.")
    password: Secret | None = Field(None, repr=False, description="Name a secret here.")
    version: Literal["3.1.1", "5"] = Field("5", description="The protocol; 3.1.1 knows no headers.")
    client_id: Annotated[Plain, Field(min_length=1, max_length=128)] | None = Field(
        None, description="Needed to forward: the broker keeps for it what is published between two runs."
    )
    topic: Topic = Field(description="Where messages are published; to forward, a filter with + and #.")
    qos: Literal[0, 1, 2] = Field(1, description="0: nobody confirms. 1: at least once. 2: once.")
    retain: bool = Field(default=False, description="The broker keeps the last message for new subscribers.")
    session_seconds: int = Field(
        604_800,
        ge=0,
        le=4_294_967_294,
        description="How long the broker keeps messages between runs (version 5).",
    )

    @model_validator(mode="after")
    def _its_fields_fit(self) -> "MQTT":
        if self.password is not None and self.user is None:
            raise ValueError("a password needs a user")
        return self

    def missing(self, action: Action) -> str | None:
        if action == "forward":
            return None if self.client_id else "client_id"
        return "topic without wildcards" if {"+", "#"} & set(self.topic) else None

    @property
    def place(self) -> str:
        return self.topic

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port or (8883 if self.tls else 1883)

    @property
    def target(self) -> str | None:
        return host_name(self.host)
