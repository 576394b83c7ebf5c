"""A real gRPC server (grpcio's) whose service is described here, without generated code."""

import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, timestamp_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection, reflection_pb2

SERVICE = "shop.v1.Reports"
_V1 = "grpc.reflection.v1.ServerReflection"


def _files() -> list[Any]:
    """kinds.proto, and shop.proto which imports it."""
    kinds = descriptor_pb2.FileDescriptorProto(name="kinds.proto", package="shop.v1", syntax="proto3")
    kind = kinds.enum_type.add(name="Kind")
    kind.value.add(name="NONE", number=0)
    kind.value.add(name="DAILY", number=1)
    shop = descriptor_pb2.FileDescriptorProto(name="shop.proto", package="shop.v1", syntax="proto3")
    shop.dependency.extend(["kinds.proto", "google/protobuf/timestamp.proto"])
    ask = shop.message_type.add(name="Ask")
    ask.field.add(name="kind", number=1, type=14, label=1, type_name=".shop.v1.Kind")
    ask.field.add(name="count", number=2, type=3, label=1)
    ask.field.add(name="text", number=3, type=9, label=1)
    ask.field.add(name="at", number=4, type=11, label=1, type_name=".google.protobuf.Timestamp")
    ask.field.add(name="tags", number=5, type=9, label=3)
    service = shop.service.add(name="Reports")
    for name, asks, answers in (
        ("Create", False, False),
        ("List", False, True),
        ("Upload", True, False),
        ("Hang", False, False),
    ):
        service.method.add(
            name=name,
            input_type=".shop.v1.Ask",
            output_type=".shop.v1.Ask",
            client_streaming=asks,
            server_streaming=answers,
        )
    return [kinds, shop]


def descriptors() -> str:
    """The service as a FileDescriptorSet in base64, without what protoc brings along."""
    return b64encode(descriptor_pb2.FileDescriptorSet(file=_files()).SerializeToString()).decode()


@dataclass
class Reports:
    """The service: it answers with what it was asked. `create` may do otherwise."""

    create: Callable[[Any, grpc.ServicerContext], Any] = lambda ask, _context: ask
    asked: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)

    def on_create(self, ask: Any, context: grpc.ServicerContext) -> Any:
        self.asked.append((ask, dict(context.invocation_metadata())))
        return self.create(ask, context)

    def on_list(self, ask: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        context.add_callback(self.left.set)
        for number in range(ask.count):
            if not context.is_active():
                return
            yield type(ask)(count=number, text=ask.text)
        if ask.text == "then fail":
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "no more today")

    def on_hang(self, ask: Any, context: grpc.ServicerContext) -> Any:
        context.add_callback(self.left.set)
        self.left.wait(60)
        return ask


@contextmanager
def serving(
    reports: Reports,
    *,
    reflects: str = "v1alpha",
    credentials: grpc.ServerCredentials | None = None,
) -> Iterator[int]:
    """The port of the service on loopback. `reflects`: `v1`, `v1alpha`, or nothing."""
    pool = DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    for file in _files():
        pool.Add(file)
    ask = GetMessageClass(pool.FindMessageTypeByName("shop.v1.Ask"))
    server = grpc.server(ThreadPoolExecutor(8), handlers=[_handlers(reports, ask)])
    if reflects == "v1alpha":
        reflection.enable_server_reflection((SERVICE,), server, pool)
    elif reflects == "v1":
        server.add_generic_rpc_handlers((_reflection_v1(pool),))
    where = "localhost:0"  # both families
    port = server.add_secure_port(where, credentials) if credentials else server.add_insecure_port(where)
    server.start()
    try:
        yield port
    finally:
        reports.left.set()
        server.stop(None).wait(5)


def _handlers(reports: Reports, ask: Any) -> grpc.GenericRpcHandler:
    codec = {
        "request_deserializer": ask.FromString,
        "response_serializer": lambda answer: (
            answer if isinstance(answer, bytes) else answer.SerializeToString()
        ),
    }
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Create": grpc.unary_unary_rpc_method_handler(reports.on_create, **codec),
            "List": grpc.unary_stream_rpc_method_handler(reports.on_list, **codec),
            "Hang": grpc.unary_unary_rpc_method_handler(reports.on_hang, **codec),
        },
    )


def _reflection_v1(pool: DescriptorPool) -> grpc.GenericRpcHandler:
    """The same bytes by another name."""
    servicer = reflection.ReflectionServicer((SERVICE,), pool)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(_V1, {"ServerReflectionInfo": handler})
