"""A worker's pool on one clock: attempts go on while the worker's main thread waits, so that hearts beat."""

from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any

from greenlet import getcurrent, greenlet

from chalicelib.ports.pool import Task
from tests.support.memory import FakeClock


class Pool:
    """Calls beside each other; one that dies takes its process along. It is the clock of what runs in it, too."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._wake_ms: dict[greenlet, float] = {}

    def now_ms(self) -> int:
        return self._clock.now_ms()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """The others go on meanwhile, if it is one of the pool's calls that sleeps."""
        current = getcurrent()
        if current.parent is None:
            self._clock.sleep(seconds)
        elif seconds > 0:
            self._wake_ms[current] = self._clock.ms + seconds * 1000
            current.parent.switch()

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(call(*args))
            except Exception as error:  # noqa: BLE001 - as the real executors do
                future.set_exception(error)

        greenlet(run).switch()
        return future

    def wait(
        self, tasks: Collection[Task[Any]], seconds: float | None = None, *, for_all: bool = False
    ) -> list[Task[Any]]:
        futures = [task for task in tasks if isinstance(task, Future)]
        enough = all if for_all else any
        end_ms = float("inf") if seconds is None else self._clock.ms + seconds * 1000
        while futures and not enough(future.done() for future in futures) and self._clock.ms < end_ms:
            sleeper = min(self._wake_ms, key=lambda each: self._wake_ms[each])
            if self._wake_ms[sleeper] > end_ms:
                self._clock.ms = end_ms  # type: ignore[assignment]
                break
            self._clock.ms = max(self._clock.ms, self._wake_ms.pop(sleeper))  # type: ignore[assignment]
            sleeper.switch()
        return [future for future in futures if future.done()]
