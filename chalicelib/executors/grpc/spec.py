"""The `grpc` type: a method, what it is asked, and which answers are a success."""

import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from chalicelib.executors.base import ExecutorSpec, Permission
from chalicelib.executors.hosts import host_name
from chalicelib.executors.json_values import bounded
from chalicelib.executors.tls import TLS

MAX_REQUEST_BYTES = 131_072
MAX_DESCRIPTORS = 131_072
MAX_METADATA = 50
_NAME = re.compile(r"[0-9a-z_.-]{1,100}")
_VALUE = re.compile(r"[\x20-\x7e]{1,4096}")
_OURS = frozenset(("te", "content-type", "user-agent"))
_SYMBOL = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"

Code = Literal[
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]


def _is_host(host: str) -> str:
    if host_name(host) is None:
        raise ValueError("must be a host name or an IP address")
    return host


def _small(request: Any) -> Any:
    return bounded(request, MAX_REQUEST_BYTES)


def _metadata(metadata: dict[str, str]) -> dict[str, str]:
    for name, value in metadata.items():
        if not _NAME.fullmatch(name) or name in _OURS or name.startswith("grpc-"):
            raise ValueError(
                f"{name[:40]!r} must be lower-case letters, digits, _ . -, and none of gRPC's own names"
            )
        if not _VALUE.fullmatch(value):
            raise ValueError(f"the value of {name} must be printable ASCII, at most 4096 characters")
        if name.endswith("-bin"):
            _is_base64(value)
    return metadata


def _is_base64(text: str) -> str:
    try:
        b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError("must be base64") from error
    return text


class Config(BaseModel):
    """The call that a run makes: unary, or with a stream of answers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    host: Annotated[str, AfterValidator(_is_host)] = Field(
        min_length=1, max_length=253, description="The server's host name or address."
    )
    port: int | None = Field(None, ge=1, le=65_535, description="Default: 443 with TLS, 80 without.")
    tls: TLS | None = Field(TLS(), description="How the connection is secured; null for plain text.")
    service: str = Field(max_length=255, pattern=_SYMBOL, description="With its package: `shop.v1.Orders`.")
    method: str = Field(
        max_length=100, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="One of the service's methods."
    )
    request: Annotated[dict[str, JsonValue], AfterValidator(_small)] = Field(
        {}, description="The message as protobuf's JSON, at most 128 KB."
    )
    metadata: Annotated[dict[str, str], Field(max_length=MAX_METADATA), AfterValidator(_metadata)] = Field(
        {}, description="Sent with the call; values of names that end in -bin are base64 of the bytes."
    )
    descriptors: Annotated[str, Field(max_length=MAX_DESCRIPTORS), AfterValidator(_is_base64)] | None = Field(
        None,
        description="A FileDescriptorSet in base64 (`protoc --include_imports --descriptor_set_out`), at most 128 KB. "
        "Default: the server is asked by reflection.",
    )
    expected_codes: Annotated[tuple[Code, ...], Field(min_length=1, max_length=17)] = Field(
        ("OK",), description="Status codes that are a success."
    )
    max_messages: int = Field(1000, ge=1, le=10_000, description="A stream is left after so many answers.")
    max_message_bytes: int = Field(
        4_194_304, ge=1, le=16_777_216, description="A larger answer is a failure."
    )

    @property
    def address(self) -> tuple[str, int]:
        """Where the server is."""
        return self.host, self.port or (443 if self.tls else 80)


def target(config: Mapping[str, Any]) -> str | None:
    """The host."""
    return host_name(str(config.get("host", "")))


SPEC = ExecutorSpec(
    target=target,
    type="grpc",
    config=Config,
    title="gRPC call",
    description="Calls a method of a gRPC service, unary or server-streaming, with JSON in and out.",
    example={
        "host": "grpc.example.com",
        "service": "shop.v1.Reports",
        "method": "Create",
        "request": {"kind": "DAILY"},
        "metadata": {"authorization": "Bearer example-token"},
    },
    permissions=(
        Permission("To reach the server: a public address, or one of a network that the operator allows."),
        Permission("That the server offers reflection, unless the job brings `descriptors`."),
    ),
    errors=("connection", "grpc", "forbidden_target"),
    limits=(
        "A request of 128 KB, answers of at most 16 MB each, 10,000 in a stream; 8 KB of them are kept.",
        "No client streaming.",
    ),
    examples={
        "A cache is warmed each hour": {
            "name": "warm-cache",
            "schedule": {"kind": "cron", "expression": "0 0 * * * *"},
            "timeout_seconds": 30,
            "retry": {"retry_on": ["grpc", "connection", "timeout"]},
            "config": {
                "host": "grpc.example.com",
                "service": "shop.v1.Cache",
                "method": "Warm",
                "request": {"keys": ["${{ run.nominal_date }}"]},
                "expected_codes": ["OK", "ALREADY_EXISTS"],
            },
        }
    },
)
