"""Heartbeats: a long attempt's lease is renewed, and its worker learns whether it should stop."""

from dataclasses import dataclass, field, replace

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.run import Run
from chalicelib.engine import record
from chalicelib.engine.admission import Admission
from chalicelib.engine.core import Engine
from chalicelib.engine.records import run_key
from chalicelib.ports.stop import Stop
from chalicelib.ports.table import ConditionFailed, Update

ABANDON_MS = 5_000
"""So long before an unrenewed lease ends, the attempt is stopped: nobody else may start it beside this one."""


@dataclass(slots=True)
class Active:
    """An attempt under way. `cancelled`: stopped because somebody asked for it."""

    job: Job
    run: Run
    beat_ms: int
    stop: Stop = field(default_factory=Stop)
    cancelled: bool = False


def beat(engine: Engine, admission: Admission, active: Active) -> None:
    """Renew the lease and slot of an attempt under way. It is told to stop if it was cancelled or lost its lease."""
    now_ms = engine.clock.now_ms()
    active.beat_ms = now_ms + engine.settings.beat_ms
    run = active.run
    lease_ms = record.lease_until(
        active.job,
        started_ms=run.started_ms or now_ms,
        now_ms=now_ms,
        margin_ms=engine.settings.lease_margin_ms,
    )
    try:
        item = engine.db.runs.write(
            Update(run_key(run.tenant, run.id), {"lease_ms": lease_ms}, when=record.mine(run))
        )
    except ConditionFailed:
        active.stop.want()
        return
    except Unavailable:
        if now_ms >= run.lease_ms - ABANDON_MS:
            active.stop.want()
        return
    active.run = replace(run, lease_ms=lease_ms)
    if "cancel_ms" in item:
        active.cancelled = True
        active.stop.want()
    admission.keep(active.job, run, lease_ms)
