"""Twins that count what DynamoDB and SQS would bill, by the step that used it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import ceil

from chalicelib.domain.cost import BATCH, item_bytes
from chalicelib.engine.running.work import Worker
from chalicelib.ports.queue import Outgoing
from chalicelib.ports.table import Check, Item, Key, Page, TableName, Update, Write
from tests.support.memory import FakeClock, MemoryDatabase, MemoryQueue, MemoryTable, key_of
from tests.support.world import NOON, World

INDEX_OF = {"job": "by_job", "dead_pk": "dead", "lpk": "lists", "roster": "by_shard"}
Count = Callable[[str, str, float], None]
"""(operation, unit, amount)."""


class Meter:
    """Amounts by (step, unit); a step is what is under way (`during`) and which call it makes of which table."""

    def __init__(self) -> None:
        self.amounts: Counter[tuple[str, str]] = Counter()
        self._doing = "save"

    @contextmanager
    def during(self, what: str) -> Iterator[None]:
        """Calls made now are a part of this."""
        before, self._doing = self._doing, what
        try:
            yield
        finally:
            self._doing = before

    def __call__(self, call: str, unit: str, amount: float) -> None:
        self.amounts[f"{self._doing} {call}", unit] += amount  # type: ignore[assignment]

    def total(self, unit: str) -> float:
        return sum(amount for (_, each), amount in self.amounts.items() if each == unit)


class CountingTable(MemoryTable):
    """Counts capacity as DynamoDB does: a write unit a started KB, a read unit a started 4 KB, indexes apart."""

    def __init__(self, name: str, count: Count) -> None:
        super().__init__()
        self._name, self._count, self.factor = name, count, 1

    def get(self, key: Key) -> Item | None:
        found = super().get(key)
        self._count(f"get {self._name}", "read_units", max(1, ceil(item_bytes(found or {}) / 4096)))
        return found

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        wanted = set(keys)
        found = super().get_many(wanted)
        units = sum(max(1, ceil(item_bytes(found.get(key, {})) / 4096)) for key in wanted)
        self._count(f"get {self._name}", "read_units", units)
        return found

    def query(self, pk: str, **arguments: object) -> Page:  # type: ignore[override]
        page = super().query(pk, **arguments)  # type: ignore[arg-type]
        self._count(
            f"query {self._name}", "read_units", max(1, ceil(sum(map(item_bytes, page.items)) / 4096))
        )
        return page

    def index_rows(
        self, index: str, value: str, *, limit: int, after: Item | None = None
    ) -> tuple[list[Item], Item | None]:
        rows, following = super().index_rows(index, value, limit=limit, after=after)
        units = max(1, ceil(sum(map(item_bytes, rows)) / 4096)) / 2  # eventually consistent
        self._count(f"query {index} of {self._name}", "read_units", units)
        return rows, following

    def apply(self, write: Write) -> Item:
        before = dict(self.items.get(key_of(write), {}))
        after = super().apply(write)
        units = max(1, ceil(max(item_bytes(before), item_bytes(after)) / 1024))
        units += sum(1 for name in INDEX_OF if _is_moved(name, write, before, after))
        operation = f"{type(write).__name__.lower()} {key_of(write)[0].partition('#')[0]} of {self._name}"
        self._count(operation, "write_units", units * self.factor)
        return after


class CountingDatabase(MemoryDatabase):
    """Tables that count; what a transaction writes or checks counts twice."""

    def __init__(self, count: Count) -> None:
        super().__init__()
        self.catalog, self.timers, self.runs, self.audit = (
            CountingTable(name, count) for name in ("catalog", "timers", "runs", "audit")
        )

    def transact(self, *writes: tuple[TableName, Write | Check]) -> None:
        tables: list[CountingTable] = [self.catalog, self.timers, self.runs, self.audit]  # type: ignore[list-item]
        for table in tables:
            table.factor = 2
        try:
            super().transact(*writes)
        finally:
            for table in tables:
                table.factor = 1


class CountingQueue(MemoryQueue):
    """Counts a request for each ten messages sent. What the event source asks is not seen here."""

    def __init__(self, clock: FakeClock, count: Count) -> None:
        super().__init__(clock)
        self._count = count

    def send(self, messages: Sequence[Outgoing]) -> None:
        super().send(messages)
        self._count("send", "queue_requests", ceil(len(messages) / BATCH))


class CountingWorld(World):
    """A World that counts. It does not watch the runs' states."""

    def __init__(self, now_ms: int = NOON) -> None:
        super().__init__(now_ms)
        self.meter = Meter()
        self.db = CountingDatabase(self.meter)
        self.queue = CountingQueue(self.clock, self.meter)
        lanes = {**self.engine.lanes, "fast": self.queue}
        self.engine = replace(self.engine, db=self.db, lanes=lanes)
        self.worker = Worker(self.engine, "fast", self._execute, self.pool)

    def deliver(self, size: int = 10, *, seconds: float = 85) -> list[str]:
        with self.meter.during("work"):
            return super().deliver(size, seconds=seconds)

    def tick(self) -> int:
        with self.meter.during("tick"):
            return super().tick()


def _is_moved(name: str, write: Write, before: Item, after: Item) -> bool:
    """Whether the write touches the index that the attribute is the key of."""
    touched = set(write.set) | set(write.remove) if isinstance(write, Update) else set(before) | set(after)
    return name in touched and before.get(name) != after.get(name)
