"""The secrets that jobs name in their configs: their owners put them in, workers read them."""

from typing import Protocol

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.templates import SecretRef


class JobSecrets(Protocol):
    """Reading only. Each tenant has its own."""

    def read(self, tenant: str, ref: SecretRef) -> str | None:
        """The whole text under the name, whatever its `field`; None if there is none.

        It may be five minutes old. Unavailable if it cannot be known now, and is not known from before.
        """
        ...

    def doubt(self, tenant: str, ref: SecretRef) -> None:
        """Somebody has refused it: the next read asks again, though not more often than every ten seconds."""
        ...


class NoJobSecrets:
    """A deployment that keeps none."""

    def read(self, tenant: str, ref: SecretRef) -> str | None:  # noqa: ARG002 - the port's words
        raise Unavailable("Jobs have no secrets in this deployment.")

    def doubt(self, tenant: str, ref: SecretRef) -> None:
        """There is nothing to doubt."""
