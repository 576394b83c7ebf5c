"""A connection to a gRPC server by grpclib: HTTP/2 on the guarded loop, with bounded answers."""

import struct
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from google.protobuf.message import DecodeError
from grpclib.client import Channel
from grpclib.client import Stream as CallStream
from grpclib.config import Configuration
from grpclib.const import Cardinality
from grpclib.exceptions import ProtocolError, StreamTerminatedError
from h2.exceptions import H2Error, StreamClosedError

from chalicelib.executors.base import Call
from chalicelib.executors.grpc.spec import Config
from chalicelib.executors.tls import context_of
from chalicelib.executors.trouble import Trouble, reaching, shown

_PREFIX = 5
_WINDOW = 1_048_576


class _Bounded:
    """A stream's bytes, of which no message is larger than allowed: its length is read before it."""

    def __init__(self, stream: Any, limit: int) -> None:
        self._stream, self._limit = stream, limit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def recv_data(self, size: int) -> bytes:
        if size > max(self._limit, _PREFIX):
            raise Trouble("grpc", f"An answer has {size} bytes, more than {self._limit}.", retryable=False)
        data: bytes = await self._stream.recv_data(size)
        return data


async def leave(stream: CallStream[Any, Any]) -> None:
    """Want no more of it. The server may have ended it meanwhile."""
    with suppress(StreamClosedError):
        await stream.cancel()


class Connection:
    """Calls methods of one server, each with the job's metadata."""

    def __init__(self, config: Config, call: Call) -> None:
        self._config, self._call = config, call
        host, port = config.address
        self.where = f"{host}:{port}"
        context = None
        if config.tls is not None:
            context = context_of(config.tls, call.settings.ca_file)
            context.set_alpn_protocols(["h2"])
        windows: dict[str, Any] = {
            "http2_connection_window_size": _WINDOW,
            "http2_stream_window_size": _WINDOW,
        }
        name = config.tls.server_name if config.tls else None
        self._channel = Channel(
            host, port, ssl=context, config=Configuration(ssl_target_name_override=name, **windows)
        )

    @asynccontextmanager
    async def open(
        self, path: str, kind: Cardinality, request: Any, reply: Any
    ) -> AsyncIterator[CallStream[Any, Any]]:
        """A call of the method. GRPCError if the server says no, Trouble if it cannot be asked."""
        calling = self._channel.request(
            path, kind, request, reply, timeout=self._call.remaining(), metadata=self._metadata()
        )
        with self._translated():
            async with calling as stream:
                await stream.send_request()
                stream._stream = _Bounded(stream._stream, self._config.max_message_bytes)  # type: ignore[assignment]
                yield stream

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def _metadata(self) -> dict[str, str | bytes]:
        own = {
            name: b64decode(value) if name.endswith("-bin") else value
            for name, value in self._config.metadata.items()
        }
        return {"idempotency-key": self._call.run_id, **own}

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            with reaching(self.where):
                yield
        except StreamTerminatedError as error:
            raise Trouble(
                "connection", f"The exchange with {self.where} broke off: {shown(error)}."
            ) from error
        except (ProtocolError, H2Error, AssertionError, struct.error) as error:
            raise Trouble("connection", f"{self.where} does not speak gRPC as it should.") from error
        except NotImplementedError as error:
            raise Trouble(
                "grpc", "The answer is compressed, though nobody asked for that.", retryable=False
            ) from error
        except DecodeError as error:
            raise Trouble(
                "grpc", "The answer is not the message that was described.", retryable=False
            ) from error
