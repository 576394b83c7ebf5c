"""Asking for backfills, reading and cancelling them."""

import json
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from chalicelib.domain.backfill import MAX_OCCURRENCES, Backfill, Candidate
from chalicelib.domain.errors import Conflict, Invalid, NotFound, Unavailable
from chalicelib.domain.ids import backfill_id, is_id
from chalicelib.domain.instants import epoch_ms, rfc3339
from chalicelib.domain.job import Job
from chalicelib.engine.backfills import (
    advance,
    backfill_key,
    backfills_of_job,
    candidates,
    decode_backfill,
    encode_backfill,
    next_timer,
    nominals_after,
    save,
)
from chalicelib.engine.core import Engine
from chalicelib.engine.retention import is_kept
from chalicelib.engine.wheel.arm import timetable_of
from chalicelib.engine.wheel.timers import encode_timer
from chalicelib.features.backfills.views import BackfillRequest
from chalicelib.features.idempotency import IdempotencyKey, Note, once
from chalicelib.features.jobs import service as jobs
from chalicelib.features.paging import in_lists, read_page
from chalicelib.features.quotas import require_executions
from chalicelib.identity.principal import Principal
from chalicelib.ports.table import Absent, ConditionFailed, Item, Put

TRIES = 5
FIRST_STEPS = 3
DRY_RUN_LOOKS_AT = 1_000


def asked(engine: Engine, principal: Principal, job_id: str, request: BackfillRequest) -> Backfill:
    """What the request comes to; nothing is stored. Invalid if it is in the future, or too much."""
    job = jobs.read(engine, principal.tenant, job_id)
    now_ms = engine.clock.now_ms()
    start_ms, end_ms = epoch_ms(request.start), epoch_ms(request.end)
    if end_ms > now_ms:
        raise Invalid.field(
            "/end", "What is still to come runs by itself: end must not be later than now.", "in_the_future"
        )
    return Backfill(
        id=backfill_id(now_ms, engine.ids.random_bytes(10)),
        tenant=principal.tenant,
        job_id=job.id,
        shard=job.shard,
        job=_document(job),
        start_ms=start_ms,
        end_ms=end_ms,
        order=request.order,
        reprocess=request.reprocess,
        max_active=request.max_active,
        limit=request.limit,
        total=_count(job, start_ms, end_ms),
        created_ms=now_ms,
        created_by=principal.actor,
    )


def begin(
    engine: Engine, principal: Principal, job_id: str, request: BackfillRequest, key: IdempotencyKey | None
) -> Backfill:
    """What the request asks for, begun; or what this key has begun before."""

    def make(note: Note) -> Backfill:
        require_executions(engine, principal.tenant)
        return begun(engine, asked(engine, principal, job_id, request), note)

    return once(engine, principal.tenant, key, make, lambda made_id: read(engine, principal.tenant, made_id))


def begun(engine: Engine, backfill: Backfill, note: Note = lambda _id: ()) -> Backfill:
    """Store it with the dispatcher's timer, then take its first steps."""
    timer = next_timer(backfill, backfill.created_ms)
    engine.db.transact(
        ("catalog", Put(encode_backfill(backfill), Absent())),
        ("timers", Put(encode_timer(timer))),
        *note(backfill.id),
    )
    engine.witness.changed("backfill", backfill.id, None, _shown(backfill))
    return _advanced(engine, backfill)


def would_do(engine: Engine, backfill: Backfill) -> list[Candidate]:
    """The first occurrences that it would look at."""
    return candidates(engine, backfill, nominals_after(backfill, DRY_RUN_LOOKS_AT))


def read(engine: Engine, tenant: str, identifier: str) -> Backfill:
    """NotFound if there is none; what cannot be an id is not looked up."""
    item = engine.db.catalog.get(backfill_key(tenant, identifier)) if is_id(identifier, "backfill") else None
    if item is None or not is_kept(engine, item):
        raise NotFound("There is no such backfill.")
    return decode_backfill(item)


def cancel(engine: Engine, tenant: str, identifier: str) -> Backfill:
    """It claims nothing more; what is active goes on. One that is over or cancelled stays as it is."""
    for _ in range(TRIES):
        backfill = read(engine, tenant, identifier)
        if backfill.is_over or backfill.stopped:
            return backfill
        stopped = replace(backfill, stopped="cancelled", version=backfill.version + 1)
        try:
            engine.db.catalog.write(save(stopped, engine))
        except ConditionFailed:
            continue
        engine.witness.changed("backfill", identifier, {"stopped": None}, {"stopped": stopped.stopped})
        return _advanced(engine, stopped)
    raise Conflict("This backfill changes too fast just now; try again.")


def listed(
    engine: Engine, tenant: str, job_id: str, *, limit: int, after: str | None
) -> tuple[list[Backfill], str | None]:
    """A job's backfills, newest first. NotFound if neither the job nor a backfill of it is there."""
    if not is_id(job_id, "job"):
        raise NotFound("There is no such job.")

    def shown(item: Item) -> Backfill | None:
        return decode_backfill(item) if is_kept(engine, item) else None

    value, key_of = backfills_of_job(tenant, job_id), partial(backfill_key, tenant)
    fetch = in_lists(engine.db.catalog, value, key_of, shown)
    found, last = read_page(fetch, lambda _: True, limit, after)
    if not found and after is None:
        jobs.read(engine, tenant, job_id)
    return found, last


def _advanced(engine: Engine, backfill: Backfill) -> Backfill:
    """The commit stands whatever happens here: the dispatcher goes on within a minute."""
    try:
        return advance(engine, backfill.tenant, backfill.id, steps=FIRST_STEPS) or backfill
    except Unavailable as error:
        engine.telemetry.warning("A backfill's first steps are left to the dispatcher.", error=error.message)
        return backfill


def _shown(backfill: Backfill) -> dict[str, Any]:
    """What was asked for."""
    return {
        "job_id": backfill.job_id,
        "start": rfc3339(backfill.start_ms),
        "end": rfc3339(backfill.end_ms),
        "order": backfill.order,
        "reprocess": backfill.reprocess,
        "occurrences": backfill.total,
    }


def _document(job: Job) -> str:
    """What makes the occurrences; the config, which may be large, is read when a run starts."""
    document = job.model_dump(
        mode="json", exclude_none=True, exclude={"config", "description", "tags", "access"}
    )
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _count(job: Job, start_ms: int, end_ms: int) -> int:
    found = islice(timetable_of(job).between(start_ms, end_ms), MAX_OCCURRENCES + 1)
    count = sum(1 for _ in found)
    if count > MAX_OCCURRENCES:
        raise Invalid.field(
            "/end",
            f"There are more than {MAX_OCCURRENCES} occurrences from start to end: take less at a time.",
            "too_many_occurrences",
        )
    return count
