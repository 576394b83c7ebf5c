"""A tick: find the timers of some shards that are due before the horizon, and dispatch them, the oldest last."""

from collections.abc import Iterator, Sequence

from chalicelib.engine.core import Engine
from chalicelib.engine.dispatch import dispatch
from chalicelib.engine.timers import Timer, decode_timer, due_bound, partition
from chalicelib.ports.table import Item, Key

CHUNK = 1000
"""Timers dispatched together: one journal page, some ten calls for jobs, a hundred for messages."""
PAGE = 5000
"""Timers read from one shard in one tick."""
BACKLOG_MS = 60_000
"""What is later than this is backlog: it waits while the present fills a page."""


def heartbeat_key(group: int) -> Key:
    """Where a dispatcher notes that it is alive."""
    return "heartbeat", f"dispatcher#{group:02d}"


def tick(engine: Engine, shards: Sequence[int], *, group: int, deadline: float) -> int:
    """One pass over the shards; the number dispatched. Stops between chunks at `deadline` (monotonic seconds)."""
    now_ms = engine.clock.now_ms()
    pk, sk = heartbeat_key(group)
    done = 0
    for chunk in _chunks(_urgent_first(_due(engine, shards, now_ms), now_ms)):
        if engine.clock.monotonic() >= deadline:
            engine.telemetry.warning(
                "A tick ran out of time; the next one goes on.", group=group, dispatched=done
            )
            break
        dispatch(engine, chunk)
        done += len(chunk)
    engine.db.timers.put_all([{"pk": pk, "sk": sk, "at_ms": now_ms, "timers": done}])
    return done


def _due(engine: Engine, shards: Sequence[int], now_ms: int) -> list[Timer]:
    """The timers due before the horizon, at most a page of each shard."""
    found = []
    for shard in shards:
        for item in _page(engine, shard, now_ms):
            try:
                found.append(decode_timer(item))
            except ValueError as error:
                engine.telemetry.warning("A timer cannot be read.", key=str(item["sk"]), error=str(error))
    return found


def _page(engine: Engine, shard: int, now_ms: int) -> list[Item]:
    high = due_bound(now_ms + engine.settings.horizon_ms)
    latest = engine.db.timers.query(partition(shard), high=high, limit=PAGE, backwards=True)
    if latest.next is None:
        return latest.items
    low = due_bound(now_ms - BACKLOG_MS)
    return engine.db.timers.query(partition(shard), low=low, high=high, limit=PAGE).items or latest.items


def _urgent_first(timers: list[Timer], now_ms: int) -> list[Timer]:
    """What is due now or soon, in order; then the backlog from its newest to its oldest."""
    present = [timer for timer in timers if timer.due_ms >= now_ms - BACKLOG_MS]
    backlog = [timer for timer in timers if timer.due_ms < now_ms - BACKLOG_MS]
    return sorted(present, key=_due_ms) + sorted(backlog, key=_due_ms, reverse=True)


def _due_ms(timer: Timer) -> int:
    return timer.due_ms


def _chunks(timers: list[Timer]) -> Iterator[list[Timer]]:
    for start in range(0, len(timers), CHUNK):
        yield timers[start : start + CHUNK]
