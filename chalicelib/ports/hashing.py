"""How passwords become what is stored of them."""

from typing import Protocol

from chalicelib.domain.errors import Unavailable


class Hashing(Protocol):
    """Slow on purpose: whoever steals the hashes is to pay for each guess."""

    def hashed(self, password: str, salt: bytes) -> str:
        """The password's hash with its salt (16 bytes) and parameters."""
        ...

    def matches(self, password: str, stored: str) -> bool:
        """Whether this is the password. It takes as long as making the hash did, whatever the answer."""
        ...

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made otherwise than new ones are."""
        ...


class NoHashing:
    """A process in which nobody signs in."""

    def hashed(self, password: str, salt: bytes) -> str:  # noqa: ARG002
        raise Unavailable("Nobody signs in here.")

    def matches(self, password: str, stored: str) -> bool:  # noqa: ARG002
        raise Unavailable("Nobody signs in here.")

    def is_outdated(self, stored: str) -> bool:  # noqa: ARG002
        return False
