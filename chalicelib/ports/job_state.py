"""A small document that a job's runs hand to each other, such as how far an export has come."""

from typing import Any, Protocol

from chalicelib.domain.errors import Unavailable


class StateMoved(Exception):
    """Another attempt has written the state since it was read."""


class JobState(Protocol):
    """Of one job. Kept until the job is deleted."""

    def read(self) -> tuple[dict[str, Any], int]:
        """The document and its version; ({}, 0) where none was written. Unavailable if that cannot be known."""
        ...

    def write(self, document: dict[str, Any], version: int) -> int:
        """Replace the version that was read; the new version. StateMoved if it is another by now, or Unavailable.

        At most 100 KB as JSON.
        """
        ...


class NoJobState:
    """Nothing is handed on."""

    def read(self) -> tuple[dict[str, Any], int]:
        raise Unavailable("Jobs keep no state in this deployment.")

    def write(self, document: dict[str, Any], version: int) -> int:  # noqa: ARG002
        raise Unavailable("Jobs keep no state in this deployment.")
