"""Jobs in the catalog: each change is one transaction with its timer, then a ring if the timer is near."""

from collections.abc import Callable, Iterable
from functools import partial

from chalicelib.domain.errors import Conflict, NotFound, Unavailable
from chalicelib.domain.ids import is_id, job_id
from chalicelib.domain.job import Job, JobDefinition
from chalicelib.domain.pause import is_paused
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.usage import one_job_less, one_job_more, refused_by_jobs
from chalicelib.engine.ledger.job_state import forgetting
from chalicelib.engine.ledger.revisions import change_writes, deletion_writes, expire_all, revision_of
from chalicelib.engine.ledger.streak import Writes, beginning_anew, forgotten
from chalicelib.engine.records import decode_job, encode_job, job_key, jobs_list
from chalicelib.engine.wheel.arm import first_timer, parked_timer
from chalicelib.engine.wheel.timers import DispatchedTimer, encode_timer
from chalicelib.features.conditional import require_match
from chalicelib.features.idempotency import IdempotencyKey, Note, once
from chalicelib.features.inline import ring_if_near
from chalicelib.features.jobs.changes import created, never_run, rearmed, timer_after
from chalicelib.features.jobs.filters import JobFilter
from chalicelib.features.jobs.roles import check_roles
from chalicelib.features.jobs.switched import check_lane
from chalicelib.features.jobs.timing import TimingWrite, no_more_uses, prepared
from chalicelib.features.paging import in_lists, read_page
from chalicelib.features.quotas import too_many_jobs
from chalicelib.ports.table import Absent, ConditionFailed, Delete, Is, Put

TRIES = 5
"""How often a change is decided anew when someone else's came between."""

REARM_BACK_MS = 10_000
"""A job that is armed anew takes up this much earlier: what was due, but had not started, is rung again."""

Change = Callable[[Job, int], Job]
"""(job, now) -> the job as it should be; the same object if there is nothing to do."""


def create(
    engine: Engine,
    tenant: str,
    definition: JobDefinition,
    key: IdempotencyKey | None = None,
    *,
    actor: str = "",
) -> Job:
    """A new job, or the one that this key has created before."""

    def make(note: Note) -> Job:
        check_lane(engine, definition.type)
        check_roles(engine, definition.config)
        now_ms = engine.clock.now_ms()
        new_id = job_id(now_ms, engine.ids.random_bytes(10))
        job = created(definition, job_id=new_id, tenant=tenant, shards=engine.settings.shards, now_ms=now_ms)
        return _created(
            engine, job.model_copy(update={"created_by": actor, "updated_by": actor}), note(job.id)
        )

    return once(engine, tenant, key, make, lambda made_id: read(engine, tenant, made_id))


def _created(engine: Engine, job: Job, along: Writes) -> Job:
    """The job, saved and counted. ConditionFailed if it, or what goes along, cannot be; QuotaExceeded by the plan.

    Invalid or Conflict by its calendars.
    """
    plan = engine.plans.of(engine, job.tenant)
    along = (*along, one_job_more(job.tenant, plan))
    for _ in range(TRIES):
        timing = prepared(engine, None, job, job.created_ms)
        timer = timer_after(None, job, job.created_ms, timing.calendars)
        try:
            _commit(engine, None, job, timer, (*along, *timing.writes))
        except ConditionFailed as refused:
            if plan is not None and refused_by_jobs(job.tenant, refused):
                raise too_many_jobs(engine, job.tenant, plan) from None
            if not timing.calendars:
                raise
        else:
            engine.witness.changed("job", job.id, None, revision_of(job).shown)
            return job
    raise Conflict("Others keep changing the calendars of this job; try again.")


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
        if decided.type != job.type:
            check_lane(engine, decided.type)
        if decided.config != job.config:
            check_roles(engine, decided.config)
        changed = decided.model_copy(update={"updated_by": actor})
        timing = prepared(engine, job, changed, now_ms)
        timer = timer_after(job, changed, now_ms, timing.calendars)
        try:
            along = _along(engine, job, changed, now_ms)
            _commit(engine, job, changed, timer, (*along, *timing.writes))
        except ConditionFailed:
            continue
        engine.witness.changed("job", job.id, revision_of(job).shown, revision_of(changed).shown)
        return changed
    raise Conflict("Others keep changing this job; try again.")


def rearm(engine: Engine, tenant: str, identifier: str, *, actor: str = "") -> None:
    """Give a job the timer that its calendars ask for now. NotFound if it is gone; Conflict as in `change`."""
    for _ in range(TRIES):
        job = read(engine, tenant, identifier)
        now_ms = _later(engine, job)
        decided = rearmed(job, now_ms)
        if decided is job:
            return
        changed = decided.model_copy(update={"updated_by": actor})
        timing = prepared(engine, job, changed, now_ms)
        rests = is_paused(changed, now_ms)
        floor_ms = engine.clock.now_ms() - REARM_BACK_MS
        timer = (
            parked_timer(changed, now_ms, timing.calendars)
            if rests
            else first_timer(changed, floor_ms, timing.calendars)
        )
        try:
            _commit(engine, job, changed, timer, timing.writes)
        except ConditionFailed:
            continue
        return
    raise Conflict("Others keep changing this job; try again.")


def delete(engine: Engine, tenant: str, identifier: str, if_match: str | None, *, actor: str = "") -> None:
    """NotFound if there is none. Its timers die by themselves; its runs and revisions stay until they expire."""
    for _ in range(TRIES):
        job = read(engine, tenant, identifier)
        require_match(if_match, job.revision)
        now_ms = _later(engine, job)
        gone = Delete(job_key(tenant, identifier), Is("revision", job.revision))
        closing: Writes = deletion_writes(job, actor=actor, now_ms=now_ms, settings=engine.settings)
        closing += (forgetting(tenant, identifier), one_job_less(tenant))
        if job.pause_after_failures:
            closing += (("runs", forgotten(job, now_ms)),)
        try:
            engine.db.transact(("catalog", gone), *closing, *no_more_uses(job))
        except ConditionFailed:
            continue
        engine.witness.changed("job", job.id, revision_of(job).shown, None)
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


def listed(
    engine: Engine,
    tenant: str,
    wanted: JobFilter,
    *,
    limit: int,
    after: str | None,
    oldest_first: bool = False,
) -> tuple[list[Job], str | None]:
    """Newest first, unless the oldest are wanted first; the last id if more may follow."""
    now_ms = engine.clock.now_ms()
    value, key_of = jobs_list(tenant), partial(job_key, tenant)
    fetch = in_lists(engine.db.catalog, value, key_of, decode_job, backwards=not oldest_first)
    return read_page(fetch, lambda job: wanted.matches(job, now_ms), limit, after)


def _along(engine: Engine, before: Job, after: Job, now_ms: int) -> Writes:
    """What belongs into the transaction of a change beside the job and its timer."""
    writes: Writes = ()
    if after.pause_after_failures and _counts_anew(before, after):
        writes = (("runs", beginning_anew(after)),)
    lost = never_run(before, after, now_ms)
    if lost:
        from chalicelib.engine.ringing.dispatch import encode_skipped

        writes += (("runs", Put(encode_skipped(lost, engine.settings.expires_at(now_ms)))),)
    return writes


def _counts_anew(before: Job, after: Job) -> bool:
    """Whether failures in a row are forgotten: the job was resumed, or is to be paused after another number of them."""
    is_resumed = before.status == "paused" and after.status == "active"
    return is_resumed or before.pause_after_failures != after.pause_after_failures


def _commit(
    engine: Engine, before: Job | None, job: Job, timer: DispatchedTimer | None, along: Iterable[TimingWrite]
) -> None:
    """ConditionFailed if the job is not as it was before any more, or something along with it is refused."""
    unchanged = Absent() if before is None else Is("revision", before.revision)
    writes: list[TimingWrite] = [("catalog", Put(encode_job(job), unchanged)), *along]
    writes += change_writes(before, job, engine.settings)
    if timer is not None:
        writes.append(("timers", Put(encode_timer(timer))))
    engine.db.transact(*writes)
    ring_if_near(engine, timer)
