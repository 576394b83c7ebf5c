"""A tick: find the timers of some shards that are due before the horizon, and dispatch them, the oldest last."""

from collections.abc import Iterable, Iterator, Sequence

from chalicelib.domain.errors import Unavailable
from chalicelib.engine.core import Engine
from chalicelib.engine.dispatch import dispatch
from chalicelib.engine.timers import BackfillTimer, Timer, decode_timer, due_bound, partition
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
    """One pass over the shards; the number dispatched. Stops between calls at `deadline` (monotonic seconds).

    What is unavailable does not stop the rest. It is left to the next tick, and Unavailable is raised at the end.
    """
    now_ms = engine.clock.now_ms()
    pk, sk = heartbeat_key(group)
    done, failures, backfills = 0, list[Unavailable](), list[BackfillTimer]()
    for chunk in _chunks(_urgent_first(_due(engine, shards, failures, deadline=deadline), now_ms)):
        if engine.clock.monotonic() >= deadline:
            engine.telemetry.warning(
                "A tick ran out of time; the next one goes on.", group=group, dispatched=done
            )
            break
        backfills += [timer for timer in chunk if isinstance(timer, BackfillTimer)]
        try:
            dispatch(engine, [timer for timer in chunk if not isinstance(timer, BackfillTimer)])
        except Unavailable as error:
            failures.append(error)
        else:
            done += len(chunk)
    _look_after(engine, backfills, deadline)
    if failures:
        raise Unavailable(f"{len(failures)} parts of a tick are left to the next one: {failures[0].message}")
    engine.db.timers.put_all([{"pk": pk, "sk": sk, "at_ms": now_ms, "timers": done}])
    return done


def _look_after(engine: Engine, timers: Sequence[BackfillTimer], deadline: float) -> None:
    """Backfills come last: they never delay what is due."""
    if not timers:
        return
    from chalicelib.engine.backfills import look_after

    for timer in timers:
        if engine.clock.monotonic() >= deadline:
            return
        look_after(engine, timer)


def _due(
    engine: Engine, shards: Sequence[int], failures: list[Unavailable], *, deadline: float
) -> list[Timer]:
    """The timers due before the horizon, at most a page of each shard."""
    found: list[Timer] = []
    for shard in shards:
        if engine.clock.monotonic() >= deadline:
            break
        try:
            items = _page(engine, shard, engine.clock.now_ms())
        except Unavailable as error:
            failures.append(error)
        else:
            found += _decoded(engine, items)
    return found


def _decoded(engine: Engine, items: Iterable[Item]) -> Iterator[Timer]:
    for item in items:
        try:
            yield decode_timer(item)
        except ValueError as error:
            engine.telemetry.warning("A timer cannot be read.", key=str(item["sk"]), error=str(error))


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
