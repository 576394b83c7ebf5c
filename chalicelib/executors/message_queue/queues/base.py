"""What all kinds of queues have in common."""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chalicelib.executors.hosts import endpoint, host_name

Action = Literal["publish", "forward", "purge", "depth"]
EVERY: frozenset[Action] = frozenset(("publish", "forward", "purge", "depth"))

_FIRST_PRINTABLE = " "


def _is_host(host: str) -> str:
    if host_name(host) is None:
        raise ValueError("must be a host name or an IP address")
    return host


def _is_endpoint(server: str) -> str:
    endpoint(server, 1)
    return server


def _is_plain(text: str) -> str:
    if any(character < _FIRST_PRINTABLE or character == "\x7f" for character in text):
        raise ValueError("must not contain control characters")
    if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("must not contain lone surrogates")
    return text


Plain = Annotated[str, AfterValidator(_is_plain)]
Host = Annotated[Plain, Field(min_length=1, max_length=253), AfterValidator(_is_host)]
Server = Annotated[Plain, Field(min_length=1, max_length=262), AfterValidator(_is_endpoint)]
Servers = Annotated[tuple[Server, ...], Field(min_length=1, max_length=20)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Name = Annotated[Plain, Field(min_length=1, max_length=255)]
Secret = Annotated[Plain, Field(min_length=1, max_length=4096)]


class Queue(BaseModel, ABC):
    """A place for messages. `actions` are what its kind offers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    actions: ClassVar[frozenset[Action]] = EVERY
    has_keys: ClassVar[bool] = False
    has_headers: ClassVar[bool] = True
    has_ids: ClassVar[bool] = True

    @abstractmethod
    def missing(self, action: Action) -> str | None:
        """The field that the action needs and that is not given, None if there is none."""

    @property
    @abstractmethod
    def place(self) -> str:
        """What a purge empties: its owner repeats it to confirm."""

    @property
    @abstractmethod
    def target(self) -> str | None:
        """The host that limits know it by, None if that cannot be told."""
