"""The Pool of the running process: threads."""

from collections.abc import Callable, Collection
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Executor, Future, wait
from typing import Any, cast

from chalicelib.ports.pool import Task


class ThreadPool:
    """An executor of the standard library, as the port has it."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        return self._executor.submit(call, *args)

    def wait(
        self, tasks: Collection[Task[Any]], seconds: float | None = None, *, for_all: bool = False
    ) -> list[Task[Any]]:
        futures = cast("Collection[Future[Any]]", tasks)
        done = wait(futures, seconds, ALL_COMPLETED if for_all else FIRST_COMPLETED).done
        return [future for future in futures if future in done]
