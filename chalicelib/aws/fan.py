"""Several calls at once, within a bound."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Fan(Protocol):
    """Calls a function for each item; the results in order. Raises the first error, after all calls have ended."""

    def __call__(self, call: Callable[[T], R], items: Iterable[T]) -> list[R]: ...


def one_by_one(call: Callable[[T], R], items: Iterable[T]) -> list[R]:
    return [call(item) for item in items]


class ThreadedFan:
    """Up to `width` calls at once. A single item is called right here."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._pool: ThreadPoolExecutor | None = None

    def __call__(self, call: Callable[[T], R], items: Iterable[T]) -> list[R]:
        rest = iter(items)
        first = list(islice(rest, 2))
        if len(first) < 2:
            return [call(item) for item in first]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._width, thread_name_prefix="fan")
        futures = [self._pool.submit(call, item) for item in chain(first, rest)]
        errors = [error for future in futures if (error := future.exception())]
        if errors:
            raise errors[0]
        return [future.result() for future in futures]
