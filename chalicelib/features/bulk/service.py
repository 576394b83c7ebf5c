"""Carrying out a bulk operation: jobs are looked at in pages, and changed one by one, each in its own transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chalicelib.domain import pause
from chalicelib.domain.errors import ChronosError, Invalid
from chalicelib.domain.job import MAX_TAGS, Job
from chalicelib.domain.pause import PauseFields
from chalicelib.engine.core import Engine
from chalicelib.features.base import Request
from chalicelib.features.bulk.views import Action, BulkBody, BulkError, BulkItem, Outcome
from chalicelib.features.idempotency import IdempotencyKey
from chalicelib.features.jobs import changes, service
from chalicelib.features.jobs.trigger import TriggerBody, trigger
from chalicelib.features.permitted import check_on_job

PERMISSIONS: Mapping[Action, str] = {
    "pause": "jobs:operate",
    "resume": "jobs:operate",
    "trigger": "runs:write",
    "delete": "jobs:write",
    "tag": "jobs:write",
}
"""What each action needs on each job: that of the route which does it to one."""
BUDGET_MS = 15_000
"""After this long no further job is begun: the gateway gives up after 29 s, and the cursor says where to go on."""


@dataclass(frozen=True, slots=True)
class Done:
    """One request's share. `after` is the last job that was looked at, None at the end of them."""

    items: list[BulkItem]
    after: str | None


def carry_out(engine: Engine, request: Request, after: str | None) -> Done:
    """Items for the jobs that the filter means, from `after` on."""
    body: BulkBody = request.body
    jobs, last = service.listed(engine, request.tenant, body.filter.wanted(), limit=body.limit, after=after)
    began_ms = engine.clock.now_ms()
    items: list[BulkItem] = []
    for job in jobs:
        if items and engine.clock.now_ms() - began_ms > BUDGET_MS:
            return Done(items, items[-1].job_id)
        items.append(_item(engine, request, job))
    return Done(items, last)


def _item(engine: Engine, request: Request, job: Job) -> BulkItem:
    body: BulkBody = request.body
    try:
        check_on_job(engine, request.principal, PERMISSIONS[body.action], job.id)
        if body.dry_run:
            return _told(job, "would", job.revision)
        return _done(engine, request, job)
    except ChronosError as error:
        told = BulkError.model_construct(code=error.code, message=_message(error))
        return _told(job, "failed", None).model_copy(update={"error": told})


def _message(error: ChronosError) -> str:
    reasons = [each.message for each in error.problems] if isinstance(error, Invalid) else []
    return " ".join([error.message, *reasons])


def _done(engine: Engine, request: Request, job: Job) -> BulkItem:
    body, tenant, actor = request.body, request.tenant, request.principal.actor
    if body.action == "trigger":
        key = _key_of(request.idempotency, job)
        run = trigger(engine, tenant, job.id, TriggerBody(note=body.note), key, request.origin)
        return _told(job, "done", job.revision).model_copy(update={"run_id": run.id})
    if body.action == "delete":
        service.delete(engine, tenant, job.id, None, actor=actor)
        return _told(job, "done", None)
    before: list[int] = []

    def decide(now: Job, now_ms: int) -> Job:
        before[:] = [now.revision]
        return _changed(body, now, now_ms)

    after = service.change(engine, tenant, job.id, None, decide, actor=actor)
    return _told(job, "unchanged" if [after.revision] == before else "done", after.revision)


def _key_of(key: IdempotencyKey | None, job: Job) -> IdempotencyKey | None:
    """A key for each job: a request that is sent again triggers nothing twice, however far the first one came."""
    return replace(key, key=f"{key.key}#{job.id}") if key else None


def _changed(body: BulkBody, job: Job, now_ms: int) -> Job:
    if body.action == "pause":
        fields = PauseFields() if body.note is None else PauseFields(pause_note=body.note or None)
        return pause.paused(job, now_ms, fields)
    if body.action == "resume":
        return pause.resumed(job, now_ms)
    tags = {key: value for key, value in {**job.tags, **body.set_tags}.items() if key not in body.remove_tags}
    if len(tags) > MAX_TAGS:
        raise Invalid(f"It would have {len(tags)} tags; {MAX_TAGS} are the most.")
    return changes.redefined(job, job.definition.model_copy(update={"tags": tags}), now_ms)


def _told(job: Job, outcome: Outcome, revision: int | None) -> BulkItem:
    return BulkItem.model_construct(
        job_id=job.id, name=job.name, outcome=outcome, revision=revision, run_id=None, error=None
    )
