"""The ports' twins: the same promises, in memory, deterministic. `tests/contract` holds them to the real ones."""

import threading
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from chalicelib.domain.templates import SecretRef
from chalicelib.ports.queue import Outgoing
from chalicelib.ports.secrets import SecretName
from chalicelib.ports.table import (
    Absent,
    AllOf,
    AnyOf,
    Below,
    Check,
    Condition,
    ConditionFailed,
    Delete,
    Is,
    Item,
    Key,
    Lacks,
    Page,
    Put,
    TableName,
    Update,
    Write,
)

INDEXES = {
    "lists": ("lpk", "lsk"),
    "by_job": ("job", "sk"),
    "dead": ("dead_pk", "dead_sk"),
    "by_shard": ("shard", "roster"),
}


def holds(condition: Condition | None, item: Item | None) -> bool:
    """Whether the condition is true of the item."""
    match condition:
        case None:
            return True
        case Absent():
            return item is None
        case Is(name, value):
            return item is not None and item.get(name) == value
        case Below(name, value):
            stored = (item or {}).get(name)
            return type(stored) is type(value) and stored < value  # type: ignore[operator]
        case Lacks(name):
            return name not in (item or {})
        case AnyOf(parts):
            return any(holds(part, item) for part in parts)
        case AllOf(parts):
            return all(holds(part, item) for part in parts)


class Items(dict[Key, Item]):
    """Items by their keys; each partition keeps its sort keys in order."""

    def __init__(self) -> None:
        super().__init__()
        self._partitions: dict[str, list[str]] = {}

    def partition(self, pk: str) -> list[str]:
        """The sort keys of a partition, ascending; not to be changed."""
        return self._partitions.get(pk, [])

    def __setitem__(self, key: Key, item: Item) -> None:
        if key not in self:
            insort(self._partitions.setdefault(key[0], []), key[1])
        super().__setitem__(key, item)

    def __delitem__(self, key: Key) -> None:
        super().__delitem__(key)
        sort_keys = self._partitions[key[0]]
        del sort_keys[bisect_left(sort_keys, key[1])]

    def pop(self, key: Key) -> Item:  # type: ignore[override]
        item = self[key]
        del self[key]
        return item

    def clear(self) -> None:
        super().clear()
        self._partitions.clear()


class MemoryTable:
    """Items in a dict; every call is atomic."""

    def __init__(self) -> None:
        self.items = Items()
        self.lock = threading.RLock()

    def get(self, key: Key) -> Item | None:
        with self.lock:
            item = self.items.get(key)
            return None if item is None else dict(item)

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        with self.lock:
            return {key: dict(self.items[key]) for key in set(keys) if key in self.items}

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
        with self.lock:
            sort_keys = self.items.partition(pk)
            start = bisect_left(sort_keys, low)
            end = bisect_left(sort_keys, high) if high else len(sort_keys)
            if after is not None and backwards:
                end = min(end, bisect_left(sort_keys, after))
            elif after is not None:
                start = max(start, bisect_right(sort_keys, after))
            one_more = limit + 1
            wanted = (
                sort_keys[max(start, end - one_more) : end] if backwards else sort_keys[start:end][:one_more]
            )
            wanted = wanted[::-1] if backwards else wanted
            items = [dict(self.items[pk, sk]) for sk in wanted[:limit]]
            return Page(items, wanted[limit - 1] if len(wanted) > limit else None)

    def query_index(
        self, index: str, value: str, *, limit: int, backwards: bool = False, after: Item | None = None
    ) -> tuple[list[Key], Item | None]:
        rows, following = self._index_page(index, value, limit, after, backwards=backwards)
        return [(str(row["pk"]), str(row["sk"])) for row in rows], following

    def index_rows(
        self, index: str, value: str, *, limit: int, after: Item | None = None
    ) -> tuple[list[Item], Item | None]:
        return self._index_page(index, value, limit, after, backwards=False)

    def _index_page(
        self, index: str, value: str, limit: int, after: Item | None, *, backwards: bool
    ) -> tuple[list[Item], Item | None]:
        hash_name, sort_name = INDEXES[index]
        with self.lock:
            items = [
                item for item in self.items.values() if item.get(hash_name) == value and sort_name in item
            ]
        items.sort(key=lambda item: str(item[sort_name]), reverse=backwards)
        start = str(after[sort_name]) if after else None
        items = [item for item in items if _past(str(item[sort_name]), start, backwards)]
        rows = [{name: item[name] for name in ("pk", "sk", hash_name, sort_name)} for item in items[:limit]]
        return rows, rows[-1] if len(items) > limit else None

    def write(self, write: Write) -> Item:
        with self.lock:
            self.check(write)
            return self.apply(write)

    def write_each(self, writes: Sequence[Write]) -> list[bool]:
        return [self._held(write) for write in writes]

    def _held(self, write: Write) -> bool:
        try:
            self.write(write)
        except ConditionFailed:
            return False
        return True

    def put_all(self, items: Iterable[Item]) -> None:
        for item in items:
            self.write(Put(item))

    def delete_all(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self.write(Delete(key))

    def check(self, write: Write | Check) -> None:
        existing = self.items.get(key_of(write))
        if not holds(write.when, existing):
            raise ConditionFailed(None if existing is None else dict(existing))

    def apply(self, write: Write) -> Item:
        key = key_of(write)
        match write:
            case Put(item):
                self.items[key] = dict(item)
            case Delete():
                if key in self.items:
                    del self.items[key]
                return {}
            case Update(_, values, add, remove):
                if key not in self.items:
                    self.items[key] = {"pk": key[0], "sk": key[1]}
                item = self.items[key]
                item.update(values)
                for name, amount in add.items():
                    item[name] = int(item.get(name, 0)) + amount
                for name in remove:
                    item.pop(name, None)
        return dict(self.items[key])


def key_of(write: Write | Check) -> Key:
    if isinstance(write, Put):
        return str(write.item["pk"]), str(write.item["sk"])
    return write.key


def _past(sk: str, after: str | None, backwards: bool) -> bool:
    return after is None or (sk < after if backwards else sk > after)


class MemoryDatabase:
    """The four tables."""

    def __init__(self) -> None:
        self.catalog, self.timers, self.runs, self.audit = (MemoryTable() for _ in range(4))
        self._lock = threading.RLock()

    def transact(self, *writes: tuple[TableName, Write | Check]) -> None:
        with self._lock:
            for name, write in writes:
                getattr(self, name).check(write)
            for name, write in writes:
                if not isinstance(write, Check):
                    getattr(self, name).apply(write)


class FakeClock:
    """Stands still until someone sleeps or moves it."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.ms = now_ms
        self.slept: list[float] = []

    def now_ms(self) -> int:
        return int(self.ms)

    def monotonic(self) -> float:
        return self.ms / 1000

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.slept.append(seconds)
            self.ms += seconds * 1000  # type: ignore[assignment]


class ClockAside:
    """The clock of something that goes on beside the rest: when it sleeps, only its own time passes."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock, self._slept_ms = clock, 0.0

    def now_ms(self) -> int:
        return int(self._clock.ms + self._slept_ms)

    def monotonic(self) -> float:
        return self._clock.monotonic() + self._slept_ms / 1000

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self._slept_ms += seconds * 1000


class FakeIds:
    """Counts instead of drawing; `fraction` is fixed."""

    def __init__(self, fraction: float = 0.5) -> None:
        self._count = 0
        self._fraction = fraction

    def random_bytes(self, count: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(count, "big")

    def fraction(self) -> float:
        return self._fraction


class MemoryQueue:
    """Keeps what was sent, with the moment at which each message becomes visible."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.sent: list[tuple[int, str]] = []
        self.failures: deque[Exception] = deque()

    def send(self, messages: Sequence[Outgoing]) -> None:
        if self.failures:
            raise self.failures.popleft()
        for message in messages:
            self.sent.append((self._clock.now_ms() + message.delay_seconds * 1000, message.body))

    def take_visible(self) -> list[str]:
        """Remove and return the messages that are visible now, in order."""
        now_ms = self._clock.now_ms()
        visible = [body for at_ms, body in sorted(self.sent) if at_ms <= now_ms]
        self.sent = [(at_ms, body) for at_ms, body in self.sent if at_ms > now_ms]
        return visible


class MemorySecrets:
    """Texts by their names. `stale` is what is answered unless a fresh one is asked for."""

    def __init__(self, **texts: str) -> None:
        self.texts = {name.replace("_", "-"): text for name, text in texts.items()}
        self.stale: dict[str, str] = {}
        self.failures: deque[Exception] = deque()

    def read(self, name: SecretName, *, fresh: bool = False) -> str | None:
        if self.failures:
            raise self.failures.popleft()
        return self.texts.get(name) if fresh else self.stale.get(name, self.texts.get(name))


class MemoryJobSecrets:
    """Texts by tenant, store and name. `asked` lists what was read, `doubted` what was refused.

    `failures` are raised first, one a call.
    """

    def __init__(self) -> None:
        self.texts: dict[tuple[str, str, str], str] = {}
        self.asked: list[tuple[str, str]] = []
        self.doubted: list[tuple[str, str]] = []
        self.failures: deque[Exception] = deque()

    def put(self, tenant: str, ref: str, text: str) -> None:
        """As its owner does: `ref` is the store and the name, with a dot between them."""
        store, _, name = ref.partition(".")
        self.texts[tenant, store, name] = text

    def read(self, tenant: str, ref: SecretRef) -> str | None:
        self.asked.append((tenant, str(ref)))
        if self.failures:
            raise self.failures.popleft()
        return self.texts.get((tenant, ref.store, ref.name))

    def doubt(self, tenant: str, ref: SecretRef) -> None:
        self.doubted.append((tenant, str(ref)))


class MemoryTelemetry:
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []
        self.counts: list[tuple[str, int]] = []

    def info(self, sentence: str, **fields: Any) -> None:
        self.lines.append(("info", sentence, fields))

    def warning(self, sentence: str, **fields: Any) -> None:
        self.lines.append(("warning", sentence, fields))

    def count(self, name: str, value: int) -> None:
        self.counts.append((name, value))
