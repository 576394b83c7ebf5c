"""Dispatch: carry out the plans of some timers. The dispatcher's tick and the api's inline rings both end here.

Each step may be repeated without harm, and the old timers go last: a crash anywhere rings again, and loses nothing.
"""

from collections.abc import Iterable, Mapping, Sequence

from chalicelib.engine.core import Engine
from chalicelib.engine.records import job_key, skips_of_job
from chalicelib.engine.ringing.floor import end_restored
from chalicelib.engine.ringing.journal import encode_pages
from chalicelib.engine.ringing.ring import ring_in_phase
from chalicelib.engine.ringing.turns import rings_in_turn
from chalicelib.engine.wheel.calendars import read_calendars
from chalicelib.engine.wheel.due_job import DueJob, decode_due_job
from chalicelib.engine.wheel.missed import SkippedRange
from chalicelib.engine.wheel.plan import Plan, plan_timer
from chalicelib.engine.wheel.timers import DispatchedTimer, JobTimer, encode_timer, timer_key
from chalicelib.ports.table import Item, Key


def dispatch(
    engine: Engine, timers: Sequence[DispatchedTimer], *, patient: bool = False, floor_ms: int = 0
) -> int:
    """Ring what the timers ask for before the horizon, and set the timers that follow; the number of rings.

    If `patient` it may wait, less than a second, for the phase of the second at which sends spare holds. What lies
    below the dispatch floor (epoch ms) is not rung: it ends as skipped.
    Raises Unavailable when a table or a queue stays unreachable; the timers are then still there.
    """
    now_ms = engine.clock.now_ms()
    plans = _plans(engine, timers, now_ms, floor_ms)
    rings = rings_in_turn(ring for plan in plans for ring in plan.rings)
    if rings:
        messages, nonce = [ring.message for ring in rings], engine.ids.random_bytes(8)
        engine.db.timers.put_all(encode_pages(messages, now_ms=now_ms, nonce=nonce))
        ring_in_phase(engine, rings, patient=patient)
    skipped = [skipped for plan in plans for skipped in plan.skipped]
    if skipped:
        engine.db.runs.put_all([encode_skipped(each, engine.settings.expires_at(now_ms)) for each in skipped])
    restored = [message for plan in plans for message in plan.restored]
    if restored:
        end_restored(engine, restored)
    _advance(engine, plans)
    return len(rings)


def job_of(timer: DispatchedTimer) -> Key:
    """The catalog key of the job that a timer belongs to."""
    if isinstance(timer, JobTimer):
        return job_key(timer.tenant, timer.job_id)
    return job_key(timer.message.tenant, timer.message.job_id)


def _plans(engine: Engine, timers: Sequence[DispatchedTimer], now_ms: int, floor_ms: int) -> list[Plan]:
    items = engine.db.catalog.get_many({job_of(timer) for timer in timers})
    until_ms = now_ms + engine.settings.horizon_ms
    jobs = _jobs(engine, items)
    calendars = read_calendars(engine, jobs.values())
    return [
        plan_timer(
            timer,
            jobs.get(job_of(timer)),
            now_ms=now_ms,
            until_ms=until_ms,
            calendars=calendars,
            floor_ms=floor_ms,
        )
        for timer in timers
        if job_of(timer) in jobs or job_of(timer) not in items
    ]


def _jobs(engine: Engine, items: Mapping[Key, Item]) -> dict[Key, DueJob]:
    """The jobs that can be read. The timers of the others stay."""
    jobs = {}
    for key, item in items.items():
        try:
            jobs[key] = decode_due_job(item, engine.class_of)
        except ValueError as error:
            engine.telemetry.warning("A job cannot be read; its timer stays.", key=key, error=str(error))
    return jobs


def _advance(engine: Engine, plans: Iterable[Plan]) -> None:
    following = {timer_key(timer): timer for plan in plans for timer in plan.following}
    engine.db.timers.put_all([encode_timer(timer) for timer in following.values()])
    engine.db.timers.delete_all({timer_key(plan.timer) for plan in plans} - following.keys())


def encode_skipped(skipped: SkippedRange, expires_at: int) -> Item:
    """A range as it lies in the table of runs."""
    return {
        "pk": skips_of_job(skipped.tenant, skipped.job_id),
        "sk": f"{skipped.first_ms:015d}#{skipped.reason}",
        "last_ms": skipped.last_ms,
        "schedule_revision": skipped.schedule_revision,
        "expires_at": expires_at,
    }
