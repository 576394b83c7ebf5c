"""Servers of other people that the api itself asks: identity providers, which tenants choose."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Reply:
    """A status, and the JSON object that came with it; empty where there was none."""

    status: int
    json: Mapping[str, Any] = field(default_factory=dict, repr=False)


class NoAnswer(Exception):
    """The server cannot be reached, must not be, or says nothing that can be read. The message is fit for a tenant.

    `passing`: it may answer later.
    """

    def __init__(self, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.message, self.passing = message, passing


class Web(Protocol):
    """What the outbound guard lets out: to no private network, without redirects; time and size are bounded."""

    def ask(
        self, url: str, *, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """GET, or POST with a form. NoAnswer."""
        ...

    def document(self, url: str, *, fresh: bool = False) -> Mapping[str, Any]:
        """The JSON object at a public address. NoAnswer.

        It may be five minutes old; `fresh` asks again, though not more often than every ten seconds.
        """
        ...


class NoWeb:
    """A deployment that asks nobody."""

    def ask(
        self,
        url: str,  # noqa: ARG002 - the port's words
        *,
        form: Mapping[str, str] | None = None,  # noqa: ARG002
        headers: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> Reply:
        raise NoAnswer("This deployment asks no other servers.", passing=False)

    def document(self, url: str, *, fresh: bool = False) -> Mapping[str, Any]:  # noqa: ARG002
        raise NoAnswer("This deployment asks no other servers.", passing=False)
