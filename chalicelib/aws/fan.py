"""Several calls at once, in threads, within one bound."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class ThreadedFan:
    """Up to `width` calls at once, those of all fans within fans together.

    Who fans out works too, and idle threads help: no thread waits for one that has not begun, so nested fans cannot
    lock each other out, and no call is handed over by itself. What was fanned out first is helped first.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._pool: ThreadPoolExecutor | None = None
        self._lock = Lock()

    def __call__(self, call: Callable[[T], R], items: Iterable[T], *, at_once: int | None = None) -> list[R]:
        todo = list(items)
        results: dict[int, R] = {}
        errors: dict[int, Exception] = {}
        numbers = iter(range(len(todo)))

        def work() -> None:
            # threads may share an iterator of a range: each number goes to one of them
            for number in numbers:
                try:
                    results[number] = call(todo[number])
                except Exception as error:  # noqa: BLE001 - raised where the fan was asked for
                    errors[number] = error

        self._with_help(work, min(self._width, len(todo), at_once or len(todo)) - 1)
        if errors:
            raise errors[min(errors)]
        return [results[number] for number in range(len(todo))]

    def _with_help(self, work: Callable[[], None], helpers: int) -> None:
        futures = [self._threads().submit(work) for _ in range(helpers)]
        work()
        for future in futures:
            if not future.cancel():
                future.result()

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._width - 1, thread_name_prefix="fan")
            return self._pool
