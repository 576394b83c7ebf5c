"""Work beside the calling thread, as something that is passed in."""

from collections.abc import Callable, Collection
from typing import Any, Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Task(Protocol[T_co]):
    """A call under way, or over."""

    def result(self) -> T_co:
        """What the call returned, or its exception raised; for a call that is over."""
        ...


class Pool(Protocol):
    """Carries out calls beside each other."""

    def submit(self, call: Callable[..., Any], *args: Any) -> Task[Any]:
        """Begin the call, now or when there is room for it."""
        ...

    def wait(
        self, tasks: Collection[Task[Any]], seconds: float | None = None, *, for_all: bool = False
    ) -> list[Task[Any]]:
        """Those that are over, in the order given: as soon as one is, or all are; at the latest after `seconds`.

        None waits as long as it takes.
        """
        ...
