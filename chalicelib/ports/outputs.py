"""Where an attempt puts what is too large for its result: files, kept as long as the run."""

from collections.abc import Iterable
from typing import Protocol

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.outcome import StoredOutput

__all__ = [
    "LINK_SECONDS",
    "Links",
    "NoLinks",
    "NoOutputs",
    "OutputTooLarge",
    "OutputUnavailable",
    "Outputs",
    "StoredOutput",
]


LINK_SECONDS = 900
"""How long a link is good."""


class OutputUnavailable(Unavailable):
    """A file cannot be stored, or handed out, now."""


class OutputTooLarge(Exception):
    """A file is larger than this deployment stores. The message is fit for the job's owner."""

    def __init__(self, name: str, max_bytes: int) -> None:
        self.message = f"The output {name} is larger than the {max_bytes:,} bytes that may be stored."
        super().__init__(self.message)


class Outputs(Protocol):
    """Of one attempt; each name is its own."""

    def store(self, name: str, chunks: Iterable[bytes], media_type: str) -> StoredOutput:
        """Store a file in bounded memory; what was there under the name is replaced. OutputUnavailable if it cannot be.

        Nothing is stored if `chunks` raises, or with OutputTooLarge. ValueError for a name that is not
        `[A-Za-z0-9._-]{1,100}`.
        """
        ...


class NoOutputs:
    """A deployment without a place for files."""

    def store(self, name: str, chunks: Iterable[bytes], media_type: str) -> StoredOutput:  # noqa: ARG002
        raise OutputUnavailable("There is no place for files in this deployment.")


class Links(Protocol):
    """Where the stored files of a run can be fetched from."""

    def link(self, tenant: str, run_id: str, file: StoredOutput) -> str:
        """An address that needs no key, for fifteen minutes. OutputUnavailable if there is none."""
        ...


class NoLinks:
    """A deployment without a place for files."""

    def link(self, tenant: str, run_id: str, file: StoredOutput) -> str:  # noqa: ARG002
        raise OutputUnavailable("There is no place for files in this deployment.")
