"""Carries out `grpc` jobs: learns the method's messages, calls it, and keeps the first of what it answers."""

import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError

from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.executors.base import Call
from chalicelib.executors.grpc.connection import Connection, leave
from chalicelib.executors.grpc.reflection import Reflection
from chalicelib.executors.grpc.schema import Method, method_of, unpacked
from chalicelib.executors.grpc.spec import Config
from chalicelib.executors.guard import ForbiddenTarget
from chalicelib.executors.guarded_loop import run_within
from chalicelib.executors.tls import UnusableTLS
from chalicelib.executors.trouble import Trouble, shown

_MAY_PASS = (Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.RESOURCE_EXHAUSTED, Status.ABORTED)
_UNCLEAR = (Status.UNKNOWN, Status.INTERNAL, Status.CANCELLED, Status.DATA_LOSS)


def execute(call: Call) -> Outcome:
    """One call of the method."""
    config: Config = call.config
    try:
        return run_within(call, lambda _loop: _called(config, call))
    except Trouble as trouble:
        return trouble.failed
    except ForbiddenTarget as error:
        return Failed("forbidden_target", str(error))
    except TimeoutError:
        return Failed("timeout", f"The exchange with {config.host} was not over when the time was up.")
    except UnusableTLS as error:
        return Failed("connection", str(error), retryable=False)


async def _called(config: Config, call: Call) -> Outcome:
    connection = Connection(config, call)
    try:
        method = await _described(config, connection)
        kept = _Kept(call.settings.max_result_bytes)
        try:
            ended = await _exchange(connection, method, config, kept)
        except GRPCError as error:
            return _judged(config, error.status, error.message, kept.result)
        return _judged(config, Status.OK, None, kept.result | ended)
    finally:
        connection.close()


async def _described(config: Config, connection: Connection) -> Method:
    reflection = Reflection(connection)
    try:
        if config.descriptors is None:
            first = await reflection.of_symbol(config.service)
            return await method_of(config.service, config.method, first, reflection.of_file)
        return await method_of(config.service, config.method, unpacked(config.descriptors), _nowhere)
    except GRPCError as error:
        said = f"The server does not describe itself: {error.status.name} {shown(error.message or '')}."
        raise Trouble("grpc", said, retryable=_retryable(error.status)) from error


async def _nowhere(_name: str) -> list[bytes]:
    return []


async def _exchange(connection: Connection, method: Method, config: Config, kept: "_Kept") -> dict[str, Any]:
    """Ask, and keep what is answered; how it ended, if not by itself."""
    kind = Cardinality.UNARY_STREAM if method.streams else Cardinality.UNARY_UNARY
    request = method.message(config.request)
    async with connection.open(method.path, kind, method.request, method.reply) as stream:
        await stream.send_message(request, end=True)
        while (message := await stream.recv_message()) is not None:
            kept.add(MessageToDict(message, descriptor_pool=method.pool))
            if method.streams and kept.count >= config.max_messages:
                await leave(stream)
                return {"ended": "max_messages"}
    return {}


class _Kept:
    """Answers as JSON: as many from the first on as fit into a result."""

    def __init__(self, limit: int) -> None:
        self._left, self._messages = limit, list[Any]()
        self.count = 0

    def add(self, message: dict[str, Any]) -> None:
        self.count += 1
        self._left -= len(json.dumps(message, ensure_ascii=False).encode())
        if self._left >= 0:
            self._messages.append(message)

    @property
    def result(self) -> dict[str, Any]:
        return {"count": self.count, "messages": self._messages, "truncated": self._left < 0}


def _judged(config: Config, status: Status, said: str | None, result: dict[str, Any]) -> Outcome:
    result = {"code": status.name, **result}
    if said:
        result["message"] = shown(said)
    if status.name in config.expected_codes:
        return Succeeded(result)
    message = f"The server answers {status.name}" + (f": {shown(said)}." if said else ".")
    return Failed("grpc", message, result=result, retryable=_retryable(status))


def _retryable(status: Status) -> bool | None:
    return True if status in _MAY_PASS else None if status in _UNCLEAR else False
