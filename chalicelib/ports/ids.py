"""Chance, as something that is passed in."""

from typing import Protocol


class Ids(Protocol):
    """Where randomness comes from."""

    def random_bytes(self, count: int) -> bytes:
        """`count` unpredictable bytes: ids, owner tokens."""
        ...

    def fraction(self) -> float:
        """A number in [0, 1): the jitter of retries."""
        ...
