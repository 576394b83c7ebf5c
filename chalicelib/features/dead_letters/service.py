"""Redriving and purging dead letters."""

from chalicelib.domain.errors import Conflict, NotFound
from chalicelib.domain.ids import run_id
from chalicelib.domain.job import Job
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.records import dead_letters, encode_run, run_key
from chalicelib.engine.wheel.arm import trigger_timer
from chalicelib.engine.wheel.timers import encode_timer
from chalicelib.features.base import Origin
from chalicelib.features.idempotency import IdempotencyKey, Note, once
from chalicelib.features.inline import ring_if_near
from chalicelib.features.jobs import service as jobs
from chalicelib.features.jobs.trigger import asked_with
from chalicelib.features.paging import read_page
from chalicelib.features.quotas import require_executions
from chalicelib.features.runs import service as runs
from chalicelib.features.runs.filters import RunsQuery
from chalicelib.features.runs.reading import in_index
from chalicelib.ports.table import Absent, ConditionFailed, Is, Put, Update

_MARK = ("dead_pk", "dead_sk")


def read(engine: Engine, tenant: str, identifier: str) -> Run:
    """NotFound unless the run lies among the dead letters."""
    run = runs.read(engine, tenant, identifier)
    if not run.dead:
        raise NotFound("There is no such dead letter.")
    return run


def listed(engine: Engine, tenant: str, query: RunsQuery, after: str | None) -> tuple[list[Run], str | None]:
    """The dead letters that the query means."""
    fetch = in_index(engine, tenant, "dead", dead_letters(tenant), query.span())
    return read_page(fetch, lambda run: run.dead and query.wants(run), query.limit, after)


def redrive(
    engine: Engine,
    tenant: str,
    identifier: str,
    key: IdempotencyKey | None = None,
    origin: Origin = Origin(),  # noqa: B008 - a value
) -> Run:
    """A new run for the same occurrence. Conflict if the job is gone, or the dead run was redriven before."""

    def make(note: Note) -> Run:
        return _redrive(engine, tenant, identifier, note, origin)

    return once(engine, tenant, key, make, lambda made_id: runs.read(engine, tenant, made_id))


def _redrive(engine: Engine, tenant: str, identifier: str, note: Note, origin: Origin) -> Run:
    dead = runs.read(engine, tenant, identifier)
    if dead.redriven_as:
        raise Conflict(f"It was redriven before, as {dead.redriven_as}.")
    if not dead.dead:
        raise NotFound("There is no such dead letter.")
    try:
        job = jobs.read(engine, tenant, dead.job_id)
    except NotFound:
        raise Conflict("Its job is gone: there is nothing to do again.") from None
    require_executions(engine, tenant)
    run = again(dead, job, now_ms=engine.clock.now_ms(), origin=origin)
    _commit(engine, dead, run, job, note)
    engine.witness.changed("run", run.id, None, asked_with(run))
    return run


def again(dead: Run, job: Job, *, now_ms: int, origin: Origin) -> Run:
    """The run that a redrive makes: its id follows from the dead one's, so that doubles are one. Pure."""
    return Run(
        id=run_id(dead.job_id, dead.nominal_ms, f"redrive:{dead.id}"),
        tenant=dead.tenant,
        job_id=dead.job_id,
        status=RunStatus.PENDING,
        trigger="redrive",
        nominal_ms=dead.nominal_ms,
        due_ms=now_ms,
        schedule_revision=job.schedule_revision,
        redrive_of=dead.id,
        note=dead.note,
        overrides=dead.overrides,
        request_id=origin.request_id,
        trace=origin.trace,
    )


def purge(engine: Engine, tenant: str, identifier: str) -> None:
    """Takes the run off the dead letters; the run itself stays until it expires. NotFound if it is none.

    One transaction of one write: it carries a token, so that sending it again after a lost answer is not refused.
    """
    dead = read(engine, tenant, identifier)
    off = Update(run_key(tenant, dead.id), remove=_MARK, when=_is_dead(tenant))
    try:
        engine.db.transact(("runs", off))
    except ConditionFailed:
        raise NotFound("There is no such dead letter.") from None
    engine.witness.changed("dead-letter", dead.id, {"job_id": dead.job_id}, None)


def _commit(engine: Engine, dead: Run, run: Run, job: Job, note: Note) -> None:
    marked = Update(
        run_key(dead.tenant, dead.id), {"redriven_as": run.id}, remove=_MARK, when=_is_dead(dead.tenant)
    )
    timer = trigger_timer(run, job.shard)
    item = encode_run(run, expires_at=engine.settings.expires_at(run.due_ms))
    try:
        engine.db.transact(
            ("runs", marked),
            ("runs", Put(item, Absent())),
            ("timers", Put(encode_timer(timer))),
            *note(run.id),
        )
    except ConditionFailed:
        raise Conflict("It was redriven or purged just now.") from None
    ring_if_near(engine, timer)


def _is_dead(tenant: str) -> Is:
    return Is("dead_pk", dead_letters(tenant))
