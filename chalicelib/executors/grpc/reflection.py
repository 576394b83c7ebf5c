"""Server reflection, versions v1 and v1alpha: they differ in the service's name only."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError

from chalicelib.executors.grpc.connection import Connection
from chalicelib.executors.trouble import Trouble, shown

_SERVICES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
_PACKAGE = "chronos.reflection"
_ABSENT = (Status.UNIMPLEMENTED, Status.NOT_FOUND, Status.UNKNOWN)
_STRING, _BYTES, _INT32, _MESSAGE = 9, 12, 5, 11


def _message(name: str, *fields: tuple[str, int, int, str]) -> DescriptorProto:
    message = DescriptorProto(name=name)
    for field, number, type_, of in fields:
        label = FieldDescriptorProto.LABEL_REPEATED if of == "*" else FieldDescriptorProto.LABEL_OPTIONAL
        added = message.field.add(name=field, number=number, type=type_, label=label)
        if type_ == _MESSAGE:
            added.type_name = f".{_PACKAGE}.{of}"
    return message


def _classes() -> tuple[Any, Any]:
    """The parts of the protocol that are used, in a pool of their own: others may have it generated."""
    file = FileDescriptorProto(name="chronos/reflection.proto", package=_PACKAGE, syntax="proto3")
    file.message_type.extend(
        (
            _message("Files", ("file_descriptor_proto", 1, _BYTES, "*")),
            _message("Error", ("error_code", 1, _INT32, ""), ("error_message", 2, _STRING, "")),
            _message(
                "Request", ("file_by_filename", 3, _STRING, ""), ("file_containing_symbol", 4, _STRING, "")
            ),
            _message("Response", ("files", 4, _MESSAGE, "Files"), ("error", 7, _MESSAGE, "Error")),
        )
    )
    pool = DescriptorPool()
    pool.Add(file)
    return tuple(
        GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in ("Request", "Response")
    )


_Request, _Response = _classes()


class Reflection:
    """Asks a server about its services, in the version that it knows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._services = list(_SERVICES)

    async def of_symbol(self, symbol: str) -> Iterable[bytes]:
        """The file that describes a service, and perhaps those that it imports. Trouble."""
        return await self._ask(_Request(file_containing_symbol=symbol))

    async def of_file(self, name: str) -> Iterable[bytes]:
        """The file of this name. Trouble."""
        return await self._ask(_Request(file_by_filename=name))

    async def _ask(self, request: Any) -> Iterable[bytes]:
        while self._services:
            try:
                response = await self._answer(f"/{self._services[0]}/ServerReflectionInfo", request)
            except GRPCError as error:
                if error.status not in _ABSENT:
                    raise
                self._services.pop(0)
                continue
            if response.HasField("error"):
                said = shown(response.error.error_message)
                raise Trouble("grpc", f"The server does not describe it: {said}.", retryable=False)
            return list(response.files.file_descriptor_proto)
        raise Trouble("grpc", "The server offers no reflection: give `descriptors`.", retryable=False)

    async def _answer(self, path: str, request: Any) -> Any:
        async with self._connection.open(path, Cardinality.STREAM_STREAM, _Request, _Response) as stream:
            await stream.send_message(request, end=True)
            found = await stream.recv_message()
            if found is None:
                await stream.recv_trailing_metadata()
                raise GRPCError(Status.UNKNOWN, "no answer")
            return found
