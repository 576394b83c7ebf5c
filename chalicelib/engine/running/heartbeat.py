"""Heartbeats: a long attempt's lease is renewed, and its worker learns whether it should stop."""

from dataclasses import dataclass, field, replace

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.admission import Admission
from chalicelib.engine.ledger import record
from chalicelib.engine.records import encode_progress, run_key
from chalicelib.engine.running.telling import Telling, store
from chalicelib.ports.contact import Contact
from chalicelib.ports.table import ConditionFailed, Item, Update

ABANDON_MS = 5_000
"""So long before an unrenewed lease ends, the attempt is stopped: nobody else may start it beside this one."""


@dataclass(slots=True)
class Active:
    """An attempt under way. `cancelled`: stopped because somebody asked for it."""

    job: Job
    run: Run
    beat_ms: int
    stop: Contact = field(default_factory=Contact)
    cancelled: bool = False
    telling: Telling = field(init=False)

    def __post_init__(self) -> None:
        self.telling = Telling(self.stop.log)

    @property
    def latest(self) -> Run:
        """The run with what its attempt has reported."""
        return self.run if self.stop.latest is None else replace(self.run, progress=self.stop.latest)


def beat(engine: Engine, admission: Admission, active: Active) -> None:
    """Renew the lease and slot of an attempt under way; its latest progress rides along. Then store what it told.

    It is told to stop if it was cancelled or lost its lease.
    """
    now_ms = engine.clock.now_ms()
    active.beat_ms = now_ms + engine.settings.beat_ms
    run = active.run
    margin_ms = engine.settings.lease_margin_ms
    if run.handle is not None:
        lease_ms = record.look_lease(now_ms, margin_ms)
    else:
        started_ms = run.started_ms or now_ms
        lease_ms = record.lease_until(active.job, started_ms=started_ms, now_ms=now_ms, margin_ms=margin_ms)
    changes: Item = {"lease_ms": lease_ms}
    if active.stop.latest is not None:
        changes["progress"] = encode_progress(active.stop.latest)
    try:
        item = engine.db.runs.write(Update(run_key(run.tenant, run.id), changes, when=record.mine(run)))
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
    try:
        admission.keep(active.job, run, lease_ms)
    except Unavailable as error:
        engine.telemetry.warning(
            "A slot is held longer by the next beat.", run_id=run.id, error=error.message
        )
        return
    store(engine, run, active.telling)
