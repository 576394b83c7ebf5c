"""What is due in some shards: the timers before a moment, and in which order they are dispatched."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from chalicelib.domain.errors import Unavailable
from chalicelib.engine.core import Engine
from chalicelib.engine.wheel.timers import RunTimer, Timer, decode_timer, due_bound, partition
from chalicelib.ports.table import Item

PAGE = 2000
"""Timers read from one shard at once. A tick holds two pages of each of its shards, so its memory is bounded."""
BACKLOG_MS = 60_000
"""What is later than this is backlog: it waits while the present fills a page."""


@dataclass(frozen=True, slots=True)
class Due:
    """Timers that were found, the shards' failures, and whether there are more timers than these."""

    timers: list[Timer]
    failures: list[Unavailable]
    is_more: bool


def read_due(engine: Engine, shards: Sequence[int], *, now_ms: int, deadline: float) -> Due:
    """The timers due before the horizon of `now_ms`, at most two pages of each shard, several shards at once.

    Shards whose turn comes after `deadline` (monotonic seconds) are left out: then there may be more.
    """

    def read(shard: int) -> tuple[list[Item], bool] | Unavailable:
        if engine.clock.monotonic() >= deadline:
            return [], True
        try:
            return _read_shard(engine, shard, now_ms)
        except Unavailable as error:
            return error

    answers = engine.fan(read, shards)
    found = [answer for answer in answers if not isinstance(answer, Unavailable)]
    return Due(
        timers=list(_decoded(engine, (item for items, _ in found for item in items))),
        failures=[answer for answer in answers if isinstance(answer, Unavailable)],
        is_more=any(is_more for _, is_more in found),
    )


def urgent_first(timers: Iterable[Timer], now_ms: int) -> list[Timer]:
    """What is due now or soon, in order; then the backlog from its newest to its oldest. Pure.

    Within a second tenants take turns, the first of each, the second of each, so that no herd delays another's.
    """
    in_order = sorted(timers, key=lambda timer: timer.due_ms)
    present = [timer for timer in in_order if timer.due_ms >= now_ms - BACKLOG_MS]
    backlog = [timer for timer in in_order if timer.due_ms < now_ms - BACKLOG_MS]
    return [*_by_turns(present), *_by_turns(backlog[::-1])]


def _by_turns(timers: Iterable[Timer]) -> Iterator[Timer]:
    seconds: dict[int, list[tuple[int, Timer]]] = {}
    turns: Counter[tuple[int, str]] = Counter()
    for timer in timers:
        second = timer.due_ms // 1000
        mine = second, timer.message.tenant if isinstance(timer, RunTimer) else timer.tenant
        seconds.setdefault(second, []).append((turns[mine], timer))
        turns[mine] += 1
    for each in seconds.values():
        yield from (timer for _, timer in sorted(each, key=lambda turn: turn[0]))


def _read_shard(engine: Engine, shard: int, now_ms: int) -> tuple[list[Item], bool]:
    """The latest timers before the horizon; where these are not all, the first of the present too."""
    pk, high = partition(shard), due_bound(now_ms + engine.settings.horizon_ms)
    latest = engine.db.timers.query(pk, high=high, limit=PAGE, backwards=True)
    if latest.next is None:
        return latest.items, False
    low = due_bound(now_ms - BACKLOG_MS)
    first = engine.db.timers.query(pk, low=low, high=high, limit=PAGE)
    both = {str(item["sk"]): item for item in (*first.items, *latest.items)}
    return list(both.values()), True


def _decoded(engine: Engine, items: Iterable[Item]) -> Iterator[Timer]:
    for item in items:
        try:
            yield decode_timer(item)
        except ValueError as error:
            engine.telemetry.warning("A timer cannot be read.", key=str(item["sk"]), error=str(error))
