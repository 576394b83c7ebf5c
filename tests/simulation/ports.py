"""The ports in virtual time: clocks that are off, chance by seed, a pool of threads that are none, watched tables."""

from collections.abc import Callable, Collection, Iterable
from random import Random
from typing import Any, TypeVar

from chalicelib.ports.pool import Task
from chalicelib.ports.table import Item, Key, Write
from tests.simulation.kernel import Kernel, Process, Wake
from tests.support.memory import MemoryTable, key_of

T = TypeVar("T")
R = TypeVar("R")


class SimClock:
    """The clock of one process."""

    def __init__(self, kernel: Kernel, process: Process) -> None:
        self._kernel, self._process = kernel, process

    def now_ms(self) -> int:
        return int(self._kernel.now_ms + self._process.skew_ms)

    def monotonic(self) -> float:
        return self._kernel.now_ms / 1000 - self._process.number

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self._kernel.sleep(seconds * 1000)


class SimIds:
    """Chance by the seed."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def random_bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def fraction(self) -> float:
        return self._random.random()


class Silent:
    """A Telemetry that only counts what it is told."""

    def __init__(self) -> None:
        self.told: dict[str, int] = {}

    def info(self, sentence: str, **fields: Any) -> None:
        self.told[sentence] = self.told.get(sentence, 0) + 1

    warning = info

    def count(self, name: str, value: int) -> None:
        self.told[name] = self.told.get(name, 0) + value


class GreenTask:
    """A call in a thread of its process."""

    def __init__(self) -> None:
        self.over = False
        self.waiting: list[Wake] = []
        self._value: Any = None
        self._error: Exception | None = None

    def carry_out(self, call: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            self._value = call(*args)
        except Exception as error:  # noqa: BLE001 - as the real executors do
            self._error = error
        self.over = True

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value


class GreenPool:
    """At most `size` threads of the process that made it."""

    def __init__(self, kernel: Kernel, size: int = 10) -> None:
        self._kernel, self._process, self._room = kernel, kernel.current, size
        self._queue: list[Callable[[], None]] = []

    def submit(self, call: Callable[..., Any], *args: Any) -> GreenTask:
        task = GreenTask()

        def run() -> None:
            task.carry_out(call, args)
            for wake in task.waiting:
                self._kernel.at(self._kernel.now_ms, wake)
            self._room += 1
            self._go_on()

        self._queue.append(run)
        self._go_on()
        return task

    def wait(
        self, tasks: Collection[Task[Any]], seconds: float | None = None, *, for_all: bool = False
    ) -> list[Task[Any]]:
        ours = [task for task in tasks if isinstance(task, GreenTask)]
        enough = all if for_all else any
        end_ms = None if seconds is None else self._kernel.now_ms + seconds * 1000
        while ours and not enough(task.over for task in ours):
            if end_ms is not None and end_ms <= self._kernel.now_ms:
                break
            self._stand_by(ours, end_ms)
        return [task for task in ours if task.over]

    def _stand_by(self, tasks: list[GreenTask], end_ms: float | None) -> None:
        wake = self._kernel.wake()
        for task in tasks:
            task.waiting.append(wake)
        if end_ms is not None:
            self._kernel.at(end_ms, wake)
        self._kernel.stop()
        for task in tasks:
            task.waiting.remove(wake)

    def _go_on(self) -> None:
        while self._room and self._queue:
            self._room -= 1
            self._kernel.thread(self._process, self._queue.pop(0))


class GreenFan:
    """Several calls of a process at once, each in a thread of its own."""

    def __init__(self, kernel: Kernel, width: int = 8) -> None:
        self._kernel, self._width = kernel, width

    def __call__(self, call: Callable[[T], R], items: Iterable[T], *, at_once: int | None = None) -> list[R]:
        pool = GreenPool(self._kernel, min(self._width, at_once or self._width))
        tasks = [pool.submit(call, item) for item in items]
        return [task.result() for task in pool.wait(tasks, for_all=True)]


Seen = Callable[[Key, Item | None, Item | None], None]
"""Hears of each write: the key, the item before and after."""


class WatchedTable(MemoryTable):
    """Tells of its writes. Sets of keys are served in order, so that nothing depends on hashes."""

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self._seen = seen

    def apply(self, write: Write) -> Item:
        key = key_of(write)
        before = self.items.get(key)
        before = None if before is None else dict(before)
        after = super().apply(write)
        self._seen(key, before, after or None)
        return after

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        return super().get_many(sorted(set(keys)))

    def delete_all(self, keys: Iterable[Key]) -> None:
        super().delete_all(sorted(keys))
