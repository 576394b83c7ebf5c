"""The dispatch floor: after the tables were restored to a former moment, nothing below it is dispatched a second time.

What was dispatched between that moment and the disaster has run, or was about to, and the tables do not know. So the
operator's restore sets a floor above it, which is an item among the timers; occurrences and runs below it end as
skipped, with the reason `restored`. It is read only for what is late, which nothing is on an ordinary day.
"""

from collections.abc import Iterable, Sequence

from chalicelib.engine.core import Engine
from chalicelib.engine.ledger import record
from chalicelib.engine.message import RunMessage
from chalicelib.engine.records import decode_run, run_key
from chalicelib.engine.wheel.timers import JobTimer, Timer
from chalicelib.ports.table import Item, Key, Put, Update

LATE_MS = 15_000
"""A floor lies at least so far in the past before anything is dispatched again."""
FLOOR_KEY: Key = ("floor", "dispatch")


def encode_floor(floor_ms: int) -> Item:
    """`floor_ms` in epoch milliseconds."""
    pk, sk = FLOOR_KEY
    return {"pk": pk, "sk": sk, "at_ms": floor_ms}


def read_floor(engine: Engine) -> int:
    """Epoch milliseconds; 0 where nothing was ever restored."""
    item = engine.db.timers.get(FLOOR_KEY)
    return int(item["at_ms"]) if item else 0


def floor_for(engine: Engine, timers: Iterable[Timer]) -> int:
    """The floor, if one of the timers may lie below it; else 0, without a read."""
    oldest_ms = min((_moment(timer) for timer in timers), default=None)
    is_late = oldest_ms is not None and oldest_ms < engine.clock.now_ms() - LATE_MS
    return read_floor(engine) if is_late else 0


def end_restored(engine: Engine, messages: Sequence[RunMessage]) -> None:
    """End the runs of messages below the floor, those that are not over: how they went on is not known."""
    by_key = {run_key(message.tenant, message.run_id): message for message in messages}
    items = engine.db.runs.get_many(by_key)
    now_ms = engine.clock.now_ms()
    expires_at = engine.settings.expires_at(now_ms)
    writes: list[Put | Update] = []
    for key, message in by_key.items():
        existing = decode_run(items[key]) if key in items else None
        if existing is None or not existing.is_final:
            writes.append(
                record.skipping(message, "restored", existing, now_ms=now_ms, expires_at=expires_at)
            )
    if writes:
        engine.telemetry.warning("Runs from before a restore are closed.", runs=len(writes))
        engine.db.runs.write_each(writes)


def _moment(timer: Timer) -> int:
    """From when on the timer stands for something: a parked one from before its pause."""
    return timer.nominal_ms if isinstance(timer, JobTimer) else timer.due_ms
