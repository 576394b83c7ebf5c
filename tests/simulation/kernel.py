"""Virtual time: processes of greenlets that sleep, wait, freeze and die, all in an order that a seed decides."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

from greenlet import getcurrent, greenlet


class Killed(BaseException):
    """The end of a process, at any instruction. No Exception: nothing under test may catch it."""


class Process:
    """One invocation: its threads, how far its clock is off, and what was done to it.

    `skew_ms` is added to the true time. It stands still until `thaw_ms`. `killed_ms` and `frozen` (from, until) are
    true times, for the checker's excuses; `troubled` counts the calls that failed in its hands.
    """

    def __init__(self, number: int, kind: str, skew_ms: float) -> None:
        self.number, self.kind, self.skew_ms = number, kind, skew_ms
        self.threads: list[greenlet] = []
        self.alive = True
        self.doomed = False
        self.thaw_ms = 0.0
        self.done: Callable[[Process], None] = lambda _process: None
        self.result: Any = None
        self.surprise: Exception | None = None
        self.killed_ms: float | None = None
        self.frozen: list[tuple[float, float]] = []
        self.troubled = 0

    def __repr__(self) -> str:
        return f"{self.kind}-{self.number}"


MOST_EVENTS = 1_000_000
"""A day has some 50,000."""


class Wake:
    """Lets a thread go on, once, whoever comes first."""

    __slots__ = ("_kernel", "_process", "_thread", "used")

    def __init__(self, kernel: "Kernel", process: Process, thread: greenlet) -> None:
        self._kernel, self._process, self._thread = kernel, process, thread
        self.used = False

    def __call__(self) -> None:
        if self.used or not self._process.alive:
            return
        if self._process.thaw_ms > self._kernel.now_ms:
            self._kernel.at(self._process.thaw_ms, self)
            return
        self.used = True
        self._kernel.enter(self._process, self._thread)


class RunsInCircles(Exception):
    """Each thing that happens brings about others, and it becomes no less."""


class Kernel:
    """The true time, in milliseconds, and what is to happen when. `random` is the only chance there is."""

    def __init__(self, start_ms: int, seed: int) -> None:
        self.now_ms = float(start_ms)
        self.random = Random(seed)
        self._events: list[tuple[float, int, Callable[[], Any]]] = []
        self._numbers, self._processes = count(), count(1)
        self._hub = getcurrent()
        self._current: Process | None = None

    @property
    def current(self) -> Process:
        """The process whose code runs now."""
        assert self._current is not None
        return self._current

    def at(self, when_ms: float, call: Callable[[], Any]) -> None:
        """Do it at that time, or now if that has passed. RunsInCircles if there is no end to what happens."""
        number = next(self._numbers)
        if number > MOST_EVENTS:
            raise RunsInCircles(f"There have been {MOST_EVENTS} events.")
        heappush(self._events, (max(when_ms, self.now_ms), number, call))

    def run(self, until_ms: float) -> None:
        """Let happen all that is to happen before that time; then it is that time."""
        self._hub = getcurrent()
        while self._events and self._events[0][0] < until_ms:
            self.now_ms, _, call = heappop(self._events)
            call()
        self.now_ms = max(self.now_ms, until_ms)

    def begin(
        self,
        kind: str,
        main: Callable[[Process], Any],
        *,
        skew_ms: float = 0,
        limit_seconds: float | None = None,
    ) -> Process:
        """A new process. Its `done` is called when it has ended or died; `result` is what its main thread returned.

        It is killed after `limit_seconds`, not counting the time in which it was frozen.
        """
        process = Process(next(self._processes), kind, skew_ms)

        def run() -> None:
            try:
                process.result = main(process)
            except Exception as error:  # noqa: BLE001 - the checker says what it thinks of it
                process.surprise = error
            process.doomed = True

        if limit_seconds is not None:
            self._limit(process, self.now_ms + limit_seconds * 1000)
        self.thread(process, run)
        return process

    def thread(self, process: Process, run: Callable[[], Any]) -> None:
        """One more thread of a process."""

        def guarded() -> None:
            try:
                run()
            except Killed:
                return

        thread = greenlet(guarded, self._hub)
        process.threads.append(thread)
        self.at(self.now_ms, Wake(self, process, thread))

    def wake(self) -> Wake:
        """What lets the current thread go on after it has stopped."""
        return Wake(self, self.current, getcurrent())

    def stop(self) -> None:
        """Stand still until a wake of this thread is called."""
        self._hub.switch()

    def sleep(self, milliseconds: float) -> None:
        """The current thread waits."""
        self.at(self.now_ms + milliseconds, self.wake())
        self.stop()

    def freeze(self, milliseconds: float) -> None:
        """The whole current process stands still, its clock jumps."""
        process = self.current
        process.thaw_ms = self.now_ms + milliseconds
        process.frozen.append((self.now_ms, process.thaw_ms))
        self.sleep(milliseconds)

    def die(self) -> None:
        """The current process ends here and now, all of its threads."""
        process = self.current
        process.killed_ms, process.doomed = self.now_ms, True
        raise Killed

    def kill(self, process: Process) -> None:
        """End another process; nothing happens if it has ended."""
        if process.alive:
            process.killed_ms, process.doomed = self.now_ms, True
            self._bury(process)

    def enter(self, process: Process, thread: greenlet) -> None:
        """Let a thread run until it stops, from the hub only."""
        self._current = process
        thread.switch()
        if process.doomed and process.alive:
            self._bury(process)
        self._current = None

    def _bury(self, process: Process) -> None:
        for thread in process.threads:
            if not thread.dead:
                self._current = process
                process.killed_ms = process.killed_ms or self.now_ms
            if thread:  # one that has not begun would throw it back at us
                thread.throw(Killed)
        process.threads.clear()
        process.alive = False
        self._current = None
        process.done(process)

    def _limit(self, process: Process, end_ms: float) -> None:
        def over() -> None:
            frozen_ms = sum(until - since for since, until in process.frozen)
            if process.alive and end_ms + frozen_ms > self.now_ms:
                self.at(end_ms + frozen_ms, over)
            else:
                self.kill(process)

        self.at(end_ms, over)
