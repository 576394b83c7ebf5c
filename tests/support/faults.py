"""Ports that fail at a chosen call, and a World over them: each fault once, at each call, in each way."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.run import RunStatus
from chalicelib.engine.message import Delivery
from chalicelib.engine.running.work import Worker
from chalicelib.ports.queue import Outgoing, Queue
from chalicelib.ports.table import ConditionFailed, Database, Item, Key, Page, Table, TableName, Write
from tests.support.memory import MemoryQueue
from tests.support.world import Inline, World

VISIBILITY_MS, DEAD_VISIBILITY_MS = 100_000, 70_000
"""Of the lane `fast` and the dead-letter queue, as in infra."""
T = TypeVar("T")


class Mode(StrEnum):
    """How a call fails."""

    BEFORE = "refused, nothing happened"
    AFTER = "it took effect, the answer was lost"
    HALFWAY = "a part of the batch took effect"
    TWICE = "it took effect, the answer was lost, the SDK sent it again"
    OUTAGE = "refused, and so is everything after it"


class Faults:
    """Strikes at one call of the ports, counted from 1 since `arm`. `calls` names those made since then."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._mode: Mode | None = None
        self._at = 0

    def arm(self, mode: Mode, at: int) -> None:
        """Strike at the call `at`; 0 only counts."""
        self.calls, self._mode, self._at = [], mode, at

    def heal(self) -> None:
        self._mode = None

    @property
    def struck(self) -> bool:
        return 0 < self._at <= len(self.calls)

    def around(self, name: str, call: Callable[[], T], half: Callable[[], object] = lambda: None) -> T:
        """The call's result, unless it is struck. `half` is what a batch does when it breaks off."""
        if self._mode is None:
            return call()
        self.calls.append(name)
        number = len(self.calls)
        if not self.struck or (number > self._at and self._mode is not Mode.OUTAGE):
            return call()
        with suppress(ConditionFailed):
            if self._mode in (Mode.AFTER, Mode.TWICE):
                call()
            elif self._mode is Mode.HALFWAY:
                half()
        if self._mode is Mode.TWICE:
            return call()
        raise Unavailable(f"{name} failed.")


class FaultyTable:
    """A table whose calls pass the faults."""

    def __init__(self, name: str, inner: Table, faults: Faults) -> None:
        self._name, self._inner, self._faults = name, inner, faults

    def _around(self, call: str, act: Callable[[], T], half: Callable[[], object] = lambda: None) -> T:
        return self._faults.around(f"{self._name}.{call}", act, half)

    def get(self, key: Key) -> Item | None:
        return self._around("get", lambda: self._inner.get(key))

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        return self._around("get_many", lambda: self._inner.get_many(keys))

    def query(
        self,
        pk: str,
        *,
        low: str = "",
        high: str = "",
        limit: int = 1000,
        backwards: bool = False,
        after: str | None = None,
    ) -> Page:
        return self._around(
            "query",
            lambda: self._inner.query(pk, low=low, high=high, limit=limit, backwards=backwards, after=after),
        )

    def query_index(
        self, index: str, value: str, *, limit: int, backwards: bool = False, after: Item | None = None
    ) -> tuple[list[Key], Item | None]:
        return self._around(
            "query_index",
            lambda: self._inner.query_index(index, value, limit=limit, backwards=backwards, after=after),
        )

    def index_rows(
        self, index: str, value: str, *, limit: int, after: Item | None = None
    ) -> tuple[list[Item], Item | None]:
        return self._around(
            "index_rows", lambda: self._inner.index_rows(index, value, limit=limit, after=after)
        )

    def write(self, write: Write) -> Item:
        return self._around("write", lambda: self._inner.write(write))

    def write_each(self, writes: Sequence[Write]) -> list[bool]:
        half = writes[: len(writes) // 2]
        return self._around(
            "write_each", lambda: self._inner.write_each(writes), lambda: self._inner.write_each(half)
        )

    def put_all(self, items: Iterable[Item]) -> None:
        items = list(items)
        half = items[: len(items) // 2]
        self._around("put_all", lambda: self._inner.put_all(items), lambda: self._inner.put_all(half))

    def delete_all(self, keys: Iterable[Key]) -> None:
        keys = sorted(keys)
        half = keys[: len(keys) // 2]
        self._around("delete_all", lambda: self._inner.delete_all(keys), lambda: self._inner.delete_all(half))


class FaultyDatabase:
    """The four tables, each faulty. A transaction that is sent twice is carried out once: it has a token."""

    def __init__(self, inner: Database, faults: Faults) -> None:
        self._inner, self._faults = inner, faults
        self.catalog, self.timers, self.runs, self.audit = (
            FaultyTable(name, getattr(inner, name), faults) for name in ("catalog", "timers", "runs", "audit")
        )

    def transact(self, *writes: tuple[TableName, Write]) -> None:
        done: list[bool] = []

        def once() -> None:
            if not done:
                self._inner.transact(*writes)
                done.append(True)

        self._faults.around("transact", once)


class FaultyQueue:
    """A lane whose sends pass the faults."""

    def __init__(self, inner: Queue, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    def send(self, messages: Sequence[Outgoing]) -> None:
        half = messages[: len(messages) // 2]
        self._faults.around("send", lambda: self._inner.send(messages), lambda: self._inner.send(half))


class FaultyWorld(World):
    """A World whose engine works over faulty ports; what tests look at, they see without faults.

    Failed ticks are followed by the next one, messages that could not be worked off come again. `jobs` are all that
    the test saved.
    """

    def __init__(self) -> None:
        super().__init__()
        self.faults = Faults()
        lanes = {name: FaultyQueue(lane, self.faults) for name, lane in self.engine.lanes.items()}
        self.engine = replace(self.engine, db=FaultyDatabase(self.db, self.faults), lanes=lanes)
        self.worker = Worker(self.engine, "fast", self._execute, Inline())
        self._long_worker = Worker(self.engine, "long", self._execute, Inline())
        self._dead_letters = MemoryQueue(self.clock)
        self.jobs: dict[str, Job] = {}

    def save(self, job: Job) -> Job:
        self.jobs[job.id] = job
        return super().save(job)

    def tick(self) -> int:
        try:
            return super().tick()
        except Unavailable:
            return 0

    def deliver(self, size: int = 10, *, seconds: float = 85) -> list[str]:
        again = super().deliver(size, seconds=seconds)
        self._hide(self.queue, again)
        while bodies := self.long_queue.take_visible():
            deliveries = [Delivery(body, body) for body in bodies]
            end = self.clock.monotonic() + seconds
            self._hide(self.long_queue, self._long_worker.work(deliveries, deadline=end))
        self.bury(*self._dead_letters.take_visible())
        return again

    def bury(self, *bodies: str) -> list[str]:
        again = super().bury(*bodies)
        self._hide(self._dead_letters, again, DEAD_VISIBILITY_MS)
        return again

    def _hide(self, queue: MemoryQueue, bodies: list[str], hidden_ms: int = VISIBILITY_MS) -> None:
        """What SQS does with messages that were received and not deleted."""
        queue.sent += [(self.clock.now_ms() + hidden_ms, body) for body in bodies]

    def unrecorded(self) -> set[tuple[str, int]]:
        """The attempts (run, number) that have been executed, and whose end is not written down."""
        stored = {run.id: run for run in self.runs()}
        return {
            (run.id, run.attempt)
            for run, _ in self.executed
            if (stored[run.id].status, stored[run.id].fence) == (RunStatus.RUNNING, run.fence)
        }
