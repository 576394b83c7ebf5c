"""Reading runs by their nominal times: those in one partition of an index, or all of a tenant."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import chain, islice

from chalicelib.domain.ids import ulid
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.records import decode_run, run_key, run_partitions
from chalicelib.engine.retention import is_shown
from chalicelib.features.paging import Fetch
from chalicelib.ports.table import Item

FEWEST, MOST = 4, 64
"""Records that one query of a partition asks for: few at first, then twice as many each time."""
_FIRST, _LAST = b"", b"\xff" * 10
_INDEX_KEYS = {"by_job": ("job", "sk"), "dead": ("dead_pk", "dead_sk")}


@dataclass(frozen=True, slots=True)
class Span:
    """Runs with nominal times in [from_ms, to_ms), where these are given; the latest first unless `oldest_first`.

    A run's id begins with its nominal time: `low` and `high` are ids that lie between those inside and those outside.
    """

    from_ms: int | None = None
    to_ms: int | None = None
    oldest_first: bool = False

    @property
    def low(self) -> str:
        return "run_" if self.from_ms is None else f"run_{ulid(self.from_ms - 1, _LAST)}"

    @property
    def high(self) -> str:
        return "run_~" if self.to_ms is None else f"run_{ulid(self.to_ms, _FIRST)}"

    @property
    def start(self) -> str | None:
        """The id past which an index is read; None: from its end."""
        if self.oldest_first:
            return None if self.from_ms is None else self.low
        return None if self.to_ms is None else self.high

    def holds(self, run_id: str) -> bool:
        return self.low < run_id < self.high


ALL = Span()


def in_index(engine: Engine, tenant: str, index: str, value: str, span: Span = ALL) -> Fetch[Run]:
    """The runs in one partition of an index. It is read up to the end of the span, by at most a page too far."""
    hash_name, sort_name = _INDEX_KEYS[index]

    def fetch(after: str | None, count: int) -> tuple[list[tuple[str, Run | None]], bool]:
        place = after or span.start
        start: Item | None = None
        if place is not None:
            pk, sk = run_key(tenant, place)
            start = {"pk": pk, "sk": sk, hash_name: value, sort_name: place}
        keys, more = engine.db.runs.query_index(
            index, value, limit=count, backwards=not span.oldest_first, after=start
        )
        inside = [key for key in keys if span.holds(key[1])]
        items = engine.db.runs.get_many(inside)
        rows = [(key[1], shown(engine, items.get(key))) for key in inside]
        return rows, more is not None and len(inside) == len(keys)

    return fetch


def of_tenant(engine: Engine, tenant: str, span: Span, after: str | None) -> Fetch[Run]:
    """All of a tenant's runs past the id `after`: for one page, since it remembers how far it has read."""
    partitions = (_in_partition(engine, partition, span, after) for partition in run_partitions(tenant))
    rest: Iterator[Item] = merge(*partitions, key=lambda item: str(item["sk"]), reverse=not span.oldest_first)

    def fetch(_after: str | None, count: int) -> tuple[list[tuple[str, Run | None]], bool]:
        nonlocal rest
        rows = [(str(item["sk"]), shown(engine, item)) for item in islice(rest, count)]
        following = next(rest, None)
        if following is not None:
            rest = chain([following], rest)
        return rows, following is not None

    return fetch


def _in_partition(engine: Engine, partition: str, span: Span, after: str | None) -> Iterator[Item]:
    """The records of one partition, read as they are asked for."""
    low, high, count = span.low, span.high, FEWEST
    if after is not None:
        low, high = (f"{after}~", high) if span.oldest_first else (low, after)
    following: str | None = None
    while True:
        page = engine.db.runs.query(
            partition, low=low, high=high, limit=count, backwards=not span.oldest_first, after=following
        )
        yield from page.items
        following, count = page.next, min(2 * count, MOST)
        if following is None:
            return


def shown(engine: Engine, item: Item | None) -> Run | None:
    return decode_run(item) if item and is_shown(engine, item) else None
