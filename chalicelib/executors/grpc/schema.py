"""What a server's messages look like: from the job's own descriptors, or from the server by reflection."""

from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf import (
    any_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from chalicelib.executors.trouble import Trouble, shown

MAX_FILES = 500
MAX_BYTES = 8_388_608
_KNOWN = {
    module.DESCRIPTOR.name: module.DESCRIPTOR.serialized_pb
    for module in (any_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
}
"""What protoc brings along: not every set of descriptors has it."""

Files = Callable[[str], Awaitable[Iterable[bytes]]]
"""Given a file's name, it and perhaps others, each a FileDescriptorProto."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method that can be called."""

    path: str
    request: type[Message]
    reply: type[Message]
    streams: bool
    pool: DescriptorPool

    def message(self, content: dict[str, Any]) -> Message:
        """The request of this JSON. Trouble if it is none."""
        message = self.request()
        try:
            ParseDict(content, message, descriptor_pool=self.pool)
        except (ParseError, ValueError, TypeError) as error:
            raise Trouble(
                "grpc", f"The request does not fit {self.path}: {shown(error)}.", retryable=False
            ) from error
        return message


def unpacked(descriptors: str) -> list[bytes]:
    """The files of a FileDescriptorSet in base64. Trouble if it is none."""
    try:
        return [
            each.SerializeToString() for each in FileDescriptorSet.FromString(b64decode(descriptors)).file
        ]
    except DecodeError as error:
        raise Trouble("grpc", "`descriptors` is no FileDescriptorSet.", retryable=False) from error


async def method_of(service: str, method: str, first: Iterable[bytes], more: Files) -> Method:
    """The service's method, as these files and what they import describe it. Trouble."""
    pool = _pool(await _closed(first, more))
    try:
        found = pool.FindServiceByName(service).methods_by_name[method]
    except KeyError as error:
        raise Trouble("grpc", f"There is no method {service}/{method}.", retryable=False) from error
    if found.client_streaming:
        raise Trouble(
            "grpc", f"{service}/{method} wants a stream of requests: that cannot be.", retryable=False
        )
    request, reply = GetMessageClass(found.input_type), GetMessageClass(found.output_type)
    return Method(f"/{service}/{method}", request, reply, found.server_streaming, pool)


async def _closed(first: Iterable[bytes], more: Files) -> dict[str, FileDescriptorProto]:
    """The files by their names, with all that they import, in bounds."""
    files: dict[str, FileDescriptorProto] = {}
    _add(files, first)
    while missing := _missing(files):
        _add(files, [_KNOWN[missing]] if missing in _KNOWN else await more(missing))
        if missing not in files:
            raise Trouble("grpc", f"The file {missing} is imported, but not described.", retryable=False)
    return files


def _add(files: dict[str, FileDescriptorProto], found: Iterable[bytes]) -> None:
    for each in found:
        try:
            file = FileDescriptorProto.FromString(each)
        except DecodeError as error:
            raise Trouble(
                "grpc", "The messages are not described as protobuf does it.", retryable=False
            ) from error
        files.setdefault(file.name, file)
    if len(files) > MAX_FILES or sum(file.ByteSize() for file in files.values()) > MAX_BYTES:
        raise Trouble(
            "grpc", f"The service is described by more than {MAX_FILES} files or 8 MB.", retryable=False
        )


def _missing(files: dict[str, FileDescriptorProto]) -> str | None:
    return next((name for file in files.values() for name in file.dependency if name not in files), None)


def _pool(files: dict[str, FileDescriptorProto]) -> DescriptorPool:
    """A pool of its own, each file after those that it imports: two jobs may know different messages of one name."""
    pool, waiting = DescriptorPool(), dict(files)
    added: set[str] = set()
    while waiting:
        ready = [name for name, file in waiting.items() if set(file.dependency) <= added]
        if not ready:
            raise Trouble("grpc", "The files that describe the service import each other.", retryable=False)
        for name in ready:
            _put(pool, waiting.pop(name))
            added.add(name)
    return pool


def _put(pool: DescriptorPool, file: FileDescriptorProto) -> None:
    try:
        pool.Add(file)
    except TypeError as error:
        raise Trouble(
            "grpc", f"{shown(file.name)} describes nothing sensible: {shown(error)}.", retryable=False
        ) from error
