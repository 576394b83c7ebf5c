"""Jobs in the catalog: each change is one transaction with its timer, then a ring if the timer is near."""

from collections.abc import Callable

from chalicelib.domain.errors import Conflict, NotFound, Unavailable
from chalicelib.domain.ids import is_id, job_id, run_id
from chalicelib.domain.job import Job, JobDefinition, JobStatus
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.arm import trigger_timer
from chalicelib.engine.core import Engine
from chalicelib.engine.records import decode_job, encode_job, encode_run, job_key, jobs_list
from chalicelib.engine.revisions import change_writes, deletion_writes, expire_all
from chalicelib.engine.timers import DispatchedTimer, encode_timer
from chalicelib.features.conditional import require_match
from chalicelib.features.inline import ring_if_near
from chalicelib.features.jobs.changes import created, timer_after
from chalicelib.features.paging import Fetch, read_page
from chalicelib.ports.table import Absent, ConditionFailed, Delete, Is, Item, Put, TableName, Write

TRIES = 5
"""How often a change is decided anew when someone else's came between."""

Change = Callable[[Job, int], Job]
"""(job, now) -> the job as it should be; the same object if there is nothing to do."""


def create(engine: Engine, tenant: str, definition: JobDefinition, *, actor: str = "") -> Job:
    now_ms = engine.clock.now_ms()
    new_id = job_id(now_ms, engine.ids.random_bytes(10))
    job = created(definition, job_id=new_id, tenant=tenant, shards=engine.settings.shards, now_ms=now_ms)
    job = job.model_copy(update={"updated_by": actor})
    _commit(engine, None, job, timer_after(None, job, now_ms))
    return job


def read(engine: Engine, tenant: str, identifier: str) -> Job:
    """NotFound if there is none; what cannot be an id is not looked up."""
    item = engine.db.catalog.get(job_key(tenant, identifier)) if is_id(identifier, "job") else None
    if item is None:
        raise NotFound("There is no such job.")
    return decode_job(item)


def read_many(engine: Engine, tenant: str, identifiers: list[str]) -> dict[str, Job]:
    """Those that exist, by id."""
    items = engine.db.catalog.get_many(job_key(tenant, identifier) for identifier in identifiers)
    return {job.id: job for job in map(decode_job, items.values())}


def change(
    engine: Engine, tenant: str, identifier: str, if_match: str | None, decide: Change, *, actor: str = ""
) -> Job:
    """The job after the change. PreconditionFailed if `if_match` names other revisions."""
    for _ in range(TRIES):
        job = read(engine, tenant, identifier)
        require_match(if_match, job.revision)
        now_ms = _later(engine, job)
        decided = decide(job, now_ms)
        if decided is job:
            return job
        changed = decided.model_copy(update={"updated_by": actor})
        try:
            _commit(engine, job, changed, timer_after(job, changed, now_ms))
        except ConditionFailed:
            continue
        return changed
    raise Conflict("Others keep changing this job; try again.")


def delete(engine: Engine, tenant: str, identifier: str, if_match: str | None, *, actor: str = "") -> None:
    """NotFound if there is none. Its timers die by themselves; its runs and revisions stay until they expire."""
    for _ in range(TRIES):
        job = read(engine, tenant, identifier)
        require_match(if_match, job.revision)
        now_ms = _later(engine, job)
        gone = Delete(job_key(tenant, identifier), Is("revision", job.revision))
        closing = deletion_writes(job, actor=actor, now_ms=now_ms, settings=engine.settings)
        try:
            engine.db.transact(("catalog", gone), *closing)
        except ConditionFailed:
            continue
        _expire_revisions(engine, job, now_ms)
        return
    raise Conflict("Others keep changing this job; try again.")


def _later(engine: Engine, job: Job) -> int:
    """Now, but not before the job's last change: revisions follow each other also where clocks differ."""
    return max(engine.clock.now_ms(), job.updated_ms)


def _expire_revisions(engine: Engine, job: Job, now_ms: int) -> None:
    """The delete stands whatever happens here: what is left behind expires, only later."""
    try:
        expire_all(engine, job, now_ms)
    except Unavailable as error:
        engine.telemetry.warning("Revisions of a deleted job stay longer.", error=error.message)


def trigger(engine: Engine, tenant: str, identifier: str) -> Run:
    """A run of the job as soon as possible, also of a paused one."""
    job = read(engine, tenant, identifier)
    now_ms = engine.clock.now_ms()
    run = Run(
        id=run_id(job.id, now_ms, engine.ids.random_bytes(10).hex()),
        tenant=tenant,
        job_id=job.id,
        status=RunStatus.PENDING,
        trigger="manual",
        nominal_ms=now_ms,
        due_ms=now_ms,
        schedule_revision=job.schedule_revision,
    )
    timer = trigger_timer(run, job.shard)
    engine.db.transact(
        ("runs", Put(encode_run(run, expires_at=engine.settings.expires_at(now_ms)), Absent())),
        ("timers", Put(encode_timer(timer))),
    )
    ring_if_near(engine, timer)
    return run


def listed(
    engine: Engine, tenant: str, *, status: JobStatus | None, type_: str | None, limit: int, after: str | None
) -> tuple[list[Job], str | None]:
    """Newest first; the last id if more may follow."""

    def wanted(job: Job) -> bool:
        return (status is None or job.status == status) and (type_ is None or job.type == type_)

    return read_page(_newest(engine, tenant), wanted, limit, after)


def _newest(engine: Engine, tenant: str) -> Fetch[Job]:
    value = jobs_list(tenant)

    def fetch(after: str | None, count: int) -> tuple[list[tuple[str, Job | None]], bool]:
        start: Item | None = None
        if after is not None:
            pk, sk = job_key(tenant, after)
            start = {"pk": pk, "sk": sk, "lpk": value, "lsk": after}
        keys, more = engine.db.catalog.query_index("lists", value, limit=count, backwards=True, after=start)
        items = engine.db.catalog.get_many(keys)
        rows = [(pk.rpartition("#")[2], items.get((pk, sk))) for pk, sk in keys]
        return [(name, decode_job(item) if item else None) for name, item in rows], more is not None

    return fetch


def _commit(engine: Engine, before: Job | None, job: Job, timer: DispatchedTimer | None) -> None:
    """ConditionFailed if the job is not as it was before any more."""
    unchanged = Absent() if before is None else Is("revision", before.revision)
    writes: list[tuple[TableName, Write]] = [("catalog", Put(encode_job(job), unchanged))]
    writes += change_writes(before, job, engine.settings)
    if timer is not None:
        writes.append(("timers", Put(encode_timer(timer))))
    engine.db.transact(*writes)
    ring_if_near(engine, timer)
