"""What a deployment keeps beside its settings: secrets, and what is known only when its functions exist."""

from typing import Literal, Protocol

SecretName = Literal["signing-key", "token-keys", "public-url"]
"""`signing-key`: the keys that sign callbacks (`engine/running/signing.py`). `public-url`: the address of the api.

`token-keys`: those that sign access tokens (`identity/tokens.py`).
"""


class Secrets(Protocol):
    """Reading only: the deployment makes them."""

    def read(self, name: SecretName, *, fresh: bool = False) -> str | None:
        """The text, None if this deployment has none. Unavailable if that cannot be known now.

        It may be five minutes old; `fresh` asks again, though not more often than every ten seconds.
        """
        ...


class NoSecrets:
    """A deployment without any."""

    def read(self, name: SecretName, *, fresh: bool = False) -> str | None:  # noqa: ARG002 - the port's words
        return None
