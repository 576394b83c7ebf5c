"""Kafka by aiokafka on a guarded loop: the brokers that a cluster advertises pass the guard like those that were named.

Pure Python all through: librdkafka dials by itself, and would follow an advertised address to anywhere.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, errors
from aiokafka.conn import create_conn

from chalicelib.executors.trouble import Trouble, reaching, shown

logging.getLogger("aiokafka").setLevel(
    logging.CRITICAL
)  # what it has to say is told as the attempt's failure
REQUEST_SECONDS = 10.0
_CLOSE_SECONDS = 2.0
_REFUSED_USER = (
    errors.AuthenticationFailedError,
    errors.AuthenticationMethodNotSupported,
    errors.ClusterAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.IllegalSaslStateError,
    errors.SaslAuthenticationFailed,
    errors.TopicAuthorizationFailedError,
    errors.UnsupportedSaslMechanismError,
)
_LASTING = (
    errors.InvalidTopicError,
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.UnknownTopicOrPartitionError,
)


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """How to reach a cluster. `tls` None: in plain text; `user` None: without SASL."""

    servers: Sequence[tuple[str, int]]
    tls: ssl.SSLContext | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    mechanism: str = "SCRAM-SHA-512"
    client_id: str = "chronos"

    @property
    def where(self) -> str:
        """The first of its servers, for messages."""
        host, port = self.servers[0]
        return f"{host}:{port}"

    @property
    def security(self) -> dict[str, Any]:
        """As aiokafka takes it."""
        protocol = ("SASL_" if self.user is not None else "") + ("PLAINTEXT" if self.tls is None else "SSL")
        options: dict[str, Any] = {"security_protocol": protocol, "ssl_context": self.tls}
        if self.user is not None:
            options |= {"sasl_mechanism": self.mechanism, "sasl_plain_username": self.user}
            options["sasl_plain_password"] = self.password
        return options | {"client_id": self.client_id, "request_timeout_ms": int(REQUEST_SECONDS * 1000)}

    @property
    def options(self) -> dict[str, Any]:
        """What producers and consumers have in common."""
        servers = [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.servers]
        return {"bootstrap_servers": servers, **self.security}


@asynccontextmanager
async def producing(access: KafkaAccess, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """A producer whose messages all replicas in sync confirm, once each. Trouble if it cannot begin."""
    await greet(access)
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **access.options, **options)
    async with _running(producer, access.where):
        yield producer


@asynccontextmanager
async def consuming(access: KafkaAccess, *topics: str, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that confirms nothing by itself, and begins at the oldest. Trouble if it cannot begin."""
    await greet(access)
    ours = {"enable_auto_commit": False, "auto_offset_reset": "earliest", "isolation_level": "read_committed"}
    consumer = AIOKafkaConsumer(*topics, **ours, **access.options, **options)
    async with _running(consumer, access.where):
        yield consumer


@asynccontextmanager
async def _running(client: Any, where: str) -> AsyncIterator[None]:
    try:
        with translated(where):
            await client.start()
        yield
    finally:
        with suppress(Exception):
            await asyncio.wait_for(client.stop(), _CLOSE_SECONDS)


async def greet(access: KafkaAccess) -> None:
    """Trouble, unless one of the servers lets us in: aiokafka itself keeps the reason to itself."""
    trouble = Trouble("connection", "There is no server.")
    for host, port in access.servers:
        try:
            with translated(f"{host}:{port}"):
                (await create_conn(host, port, **access.security)).close()
                return
        except Trouble as error:
            if error.kind != "connection":
                raise
            trouble = error
    raise trouble


@contextmanager
def translated(where: str) -> Iterator[None]:
    """aiokafka's errors as Trouble. TimeoutError and ForbiddenTarget stay what they are."""
    with reaching(where):
        try:
            yield
        except errors.KafkaError as error:
            raise trouble_of(error, where) from error


def trouble_of(error: errors.KafkaError, where: str) -> Trouble:
    """What it means that Kafka has answered so."""
    if isinstance(error, _REFUSED_USER):
        return Trouble("authentication", f"{where} refuses the user: {reason(error)}.")
    if isinstance(error, errors.KafkaConnectionError | errors.NodeNotReadyError):
        return Trouble("connection", f"No connection with {where}: {reason(error)}.")
    return Trouble("broker", f"{where} refuses: {reason(error)}.", retryable=may_pass(error))


def may_pass(error: errors.KafkaError) -> bool | None:
    """Whether Kafka may take it later: what it calls retriable, but not a topic that does not exist."""
    return False if isinstance(error, _LASTING) else (True if error.retriable else None)


def reason(error: errors.KafkaError) -> str:
    """The error's name, and what is said beside it."""
    name = type(error).__name__.removesuffix("Error")
    said = shown(error.args[0]) if error.args else ""
    return f"{name} ({said})" if said else name
