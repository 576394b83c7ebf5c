"""NATS: subjects, and streams that keep what is published to them."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from chalicelib.executors.hosts import endpoint
from chalicelib.executors.message_queue.queues.base import Action, Name, Plain, Queue, Secret, Servers
from chalicelib.executors.tls import TLS

PORT = 4222
Subject = Annotated[Plain, Field(min_length=1, max_length=255, pattern=r"^[^\s.]+(\.[^\s.]+)*$")]
StreamName = Annotated[Plain, Field(min_length=1, max_length=255, pattern=r"^[^\s.*>/\\]+$")]


class NATS(Queue):
    """A subject. With JetStream a stream must have confirmed a message, and drops one that it has already."""

    kind: Literal["nats"]
    servers: Servers = Field(description="`host` or `host:port` (4222); they are tried in this order.")
    tls: TLS | None = Field(TLS(), description="How the connection is secured; null for plain text.")
    user: Name | None = Field(None, description="With `password`.")
    password: Secret | None = Field(None, repr=False, description="Name a secret here.")
    token: Secret | None = Field(None, repr=False, description="Instead of user and password.")
    subject: Subject | None = Field(
        None,
        description="Where messages are published. For purge and depth: only this subject's, with wildcards.",
    )
    jetstream: bool = Field(
        default=True, description="false: core NATS, where nobody confirms, and nothing is kept."
    )
    stream: StreamName | None = Field(
        None, description="The stream that must take a message, or that is read, emptied or measured."
    )
    consumer: StreamName | None = Field(
        None, description="The durable pull consumer to read by; depth then counts what it has not confirmed."
    )

    @model_validator(mode="after")
    def _its_fields_fit(self) -> "NATS":
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together: give both or none")
        if self.token is not None and self.user is not None:
            raise ValueError("give a token, or a user with a password")
        if self.stream and not self.jetstream:
            raise ValueError("core NATS has no streams")
        return self

    def missing(self, action: Action) -> str | None:
        if action == "publish":
            return None if self.subject and not {"*", ">"} & set(self.subject.split(".")) else "subject"
        if not self.stream:
            return "stream"
        return "consumer" if action == "forward" and not self.consumer else None

    @property
    def place(self) -> str:
        return self.stream or ""

    @property
    def addresses(self) -> list[tuple[str, int]]:
        return [endpoint(server, PORT) for server in self.servers]

    @property
    def target(self) -> str | None:
        return self.addresses[0][0]
