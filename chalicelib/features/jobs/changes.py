"""What a request makes of a job, and of its timer. Pure."""

from chalicelib.domain.ids import bucket_of
from chalicelib.domain.job import Job, JobDefinition
from chalicelib.engine.arm import first_timer
from chalicelib.engine.timers import JobTimer


def created(definition: JobDefinition, *, job_id: str, tenant: str, shards: int, now_ms: int) -> Job:
    """A new, active job."""
    return Job.model_construct(
        **dict(definition),
        id=job_id,
        tenant=tenant,
        shard=bucket_of(job_id, shards),
        created_ms=now_ms,
        updated_ms=now_ms,
    )


def redefined(job: Job, definition: JobDefinition, now_ms: int) -> Job:
    """The job with another definition; the same job if nothing differs.

    Another schedule makes older messages stale. For a paused job the pause begins anew with it: what the new schedule
    would have had before it existed was never missed.
    """
    if job.definition == definition:
        return job
    update = {**dict(definition), "revision": job.revision + 1, "updated_ms": now_ms}
    if job.schedule != definition.schedule:
        update["schedule_revision"] = job.schedule_revision + 1
        update["paused_ms"] = now_ms if job.status == "paused" else None
    return job.model_copy(update=update)


def paused(job: Job, now_ms: int) -> Job:
    """The job at rest; a paused one stays as it is."""
    if job.status == "paused":
        return job
    return job.model_copy(
        update={"status": "paused", "paused_ms": now_ms, "revision": job.revision + 1, "updated_ms": now_ms}
    )


def resumed(job: Job, now_ms: int) -> Job:
    """The job at work again; an active one stays as it is."""
    if job.status == "active":
        return job
    return job.model_copy(
        update={
            "status": "active",
            "paused_ms": None,
            "revision": job.revision + 1,
            "schedule_revision": job.schedule_revision + 1,
            "updated_ms": now_ms,
        }
    )


def timer_after(before: Job | None, after: Job, now_ms: int) -> JobTimer | None:
    """The timer that has to be written together with the change, if any.

    A resumed job takes up where its pause began, so that the misfire rules apply to what it missed.
    """
    if after.status != "active":
        return None
    if before is None:
        return first_timer(after, now_ms)
    if before.schedule_revision == after.schedule_revision:
        return None
    return first_timer(after, now_ms if before.paused_ms is None else before.paused_ms)
