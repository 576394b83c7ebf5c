"""Triggers: a run as soon as possible, beside the schedule, with a config of its own where that is wanted."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.errors import Invalid
from chalicelib.domain.ids import run_id
from chalicelib.domain.job import Job
from chalicelib.domain.merge_patch import merged
from chalicelib.domain.pause import MAX_NOTE
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.core import Engine
from chalicelib.engine.records import encode_run
from chalicelib.engine.wheel.arm import trigger_timer
from chalicelib.engine.wheel.timers import encode_timer
from chalicelib.executors.json_values import bounded
from chalicelib.features.base import Origin
from chalicelib.features.idempotency import IdempotencyKey, Note, once
from chalicelib.features.inline import ring_if_near
from chalicelib.features.jobs import service
from chalicelib.features.jobs.definition import config_problems
from chalicelib.features.jobs.roles import check_roles
from chalicelib.features.jobs.samples import sample_facts
from chalicelib.features.quotas import require_executions
from chalicelib.features.runs import service as runs
from chalicelib.features.validation import refusal
from chalicelib.ports.table import Absent, Put

MAX_OVERRIDES_BYTES = 32_768


class TriggerBody(BaseModel):
    """What a trigger may say about its run."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    config: dict[str, Any] | None = Field(
        None,
        description="A merge patch (RFC 7396) of the job's config, for this run and its redrives. At most 32 KB.",
        repr=False,
    )
    note: str | None = Field(None, max_length=MAX_NOTE, description="Why: shown with the run.")


def trigger(
    engine: Engine,
    tenant: str,
    identifier: str,
    wanted: TriggerBody | None = None,
    key: IdempotencyKey | None = None,
    origin: Origin = Origin(),  # noqa: B008 - a value
) -> Run:
    """A run of the job as soon as possible, also of a paused one. Invalid if its type cannot use the config."""
    wanted = wanted or TriggerBody()

    def make(note: Note) -> Run:
        job = service.read(engine, tenant, identifier)
        check_overrides(job, wanted.config)
        check_roles(engine, wanted.config)
        require_executions(engine, tenant)
        now_ms = engine.clock.now_ms()
        run = asked_for(job, wanted, now_ms=now_ms, randomness=engine.ids.random_bytes(10), origin=origin)
        timer = trigger_timer(run, job.shard)
        engine.db.transact(
            ("runs", Put(encode_run(run, expires_at=engine.settings.expires_at(now_ms)), Absent())),
            ("timers", Put(encode_timer(timer))),
            *note(run.id),
        )
        engine.witness.changed("run", run.id, None, asked_with(run))
        ring_if_near(engine, timer)
        return run

    return once(engine, tenant, key, make, lambda made_id: runs.read(engine, tenant, made_id))


def asked_with(run: Run) -> dict[str, Any]:
    """What its asker has decided about a run."""
    said = {"job_id": run.job_id, "trigger": run.trigger, "redrive_of": run.redrive_of, "note": run.note}
    return {name: value for name, value in {**said, "config": run.overrides}.items() if value is not None}


def check_overrides(job: Job, patch: dict[str, Any] | None) -> None:
    """Invalid, with pointers into the trigger's body, unless the job's type can use its config with this patch."""
    if not patch:
        return
    try:
        bounded(patch, MAX_OVERRIDES_BYTES)
    except ValueError as error:
        raise Invalid.field("/config", f"This {error}.", "too_large") from None
    problems = config_problems(job.type, merged(job.config, patch), sample_facts(job.name, job.tags))
    if problems:
        raise refusal(problems)


def asked_for(job: Job, wanted: TriggerBody, *, now_ms: int, randomness: bytes, origin: Origin) -> Run:
    """The run of a trigger. Pure."""
    return Run(
        id=run_id(job.id, now_ms, randomness.hex()),
        tenant=job.tenant,
        job_id=job.id,
        status=RunStatus.PENDING,
        trigger="manual",
        nominal_ms=now_ms,
        due_ms=now_ms,
        schedule_revision=job.schedule_revision,
        note=wanted.note or None,
        overrides=wanted.config or None,
        request_id=origin.request_id,
        trace=origin.trace,
    )
