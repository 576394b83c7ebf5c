"""Kafka, and whatever else speaks its protocol."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from chalicelib.executors.hosts import endpoint
from chalicelib.executors.message_queue.queues.base import Action, Name, Plain, Queue, Secret, Servers
from chalicelib.executors.tls import TLS

PORT = 9092


class Kafka(Queue):
    """A topic. All replicas in sync must have confirmed a message."""

    actions: ClassVar[frozenset[Action]] = frozenset(("publish", "forward", "depth"))
    has_keys: ClassVar[bool] = True

    kind: Literal["kafka"]
    servers: Servers = Field(description="`host` or `host:port` (9092) to ask for the cluster's brokers.")
    tls: TLS | None = Field(TLS(), description="How connections are secured; null for plain text.")
    user: Name | None = Field(None, description="With `password`: SASL.")
    password: Secret | None = Field(None, repr=False, description="Name a secret here.")
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How `user` and `password` are shown."
    )
    topic: Annotated[Plain, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")] = Field(description="It must exist.")
    partition: int | None = Field(
        None, ge=0, le=2_147_483_647, description="Where messages go. Default: by their key, or anywhere."
    )
    group: Name | None = Field(
        None,
        description="The consumer group to read by. depth counts what it has not read, or all without it.",
    )

    @model_validator(mode="after")
    def _its_fields_fit(self) -> "Kafka":
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together: give both or none")
        if self.tls and self.tls.server_name:
            raise ValueError("tls.server_name: brokers are verified by the names that they advertise")
        return self

    def missing(self, action: Action) -> str | None:
        return "group" if action == "forward" and not self.group else None

    @property
    def place(self) -> str:
        return self.topic

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [endpoint(server, PORT) for server in self.servers]

    @property
    def target(self) -> str | None:
        return self.addresses[0][0]
