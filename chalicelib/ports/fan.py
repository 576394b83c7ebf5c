"""Doing several things at once."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Fan(Protocol):
    """Calls a function for each item; the results in order. Raises the first error, after all calls have ended.

    The items are begun in order, at most `at_once` of them before one has ended (None: as many as there may be at all).
    A call may fan out again: together they stay within one bound.
    """

    def __call__(
        self, call: Callable[[T], R], items: Iterable[T], *, at_once: int | None = None
    ) -> list[R]: ...


def one_by_one(call: Callable[[T], R], items: Iterable[T], *, at_once: int | None = None) -> list[R]:  # noqa: ARG001
    """The fan of one: in the thread that asks."""
    results, errors = list[R](), list[Exception]()
    for item in items:
        try:
            results.append(call(item))
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)
    if errors:
        raise errors[0]
    return results
