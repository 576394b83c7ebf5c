"""Who is told what a request changes, so that there is a record of it."""

from collections.abc import Mapping
from typing import Any, Protocol

Document = Mapping[str, Any]
"""A thing as a person would see it: JSON values by name."""


class Witness(Protocol):
    """Asked by those who carry a change out. What is told may hold secrets: the witness masks them."""

    def acting(self, tenant: str, actor: str, role: str = "", session: str | None = None) -> None:
        """Who is at work in a tenant, before anything is changed: to be said where no route knows it.

        That is so at a sign-in, and when a member of one tenant does something in another. The record is begun now, so
        this comes before the first write. Unavailable if it cannot be begun: then nothing must be changed. What is
        changed from now on is told to the tenants that were named so, and to no other.
        """
        ...

    def changed(self, kind: str, identifier: str, before: Document | None, after: Document | None) -> None:
        """Something was committed: made if there is no `before`, gone if there is no `after`. It never raises."""
        ...

    def repeated(self) -> None:
        """What was asked had been done before, or was a trial: there is no record of it if nothing else changes."""
        ...


class NoWitness:
    """Nobody listens."""

    def acting(self, tenant: str, actor: str, role: str = "", session: str | None = None) -> None: ...

    def changed(
        self, kind: str, identifier: str, before: Document | None, after: Document | None
    ) -> None: ...

    def repeated(self) -> None: ...
