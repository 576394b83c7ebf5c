"""What a request makes of a job, and of its timer. Pure."""

from chalicelib.domain import skip_next
from chalicelib.domain.errors import Conflict
from chalicelib.domain.ids import bucket_of
from chalicelib.domain.job import Job, JobDefinition
from chalicelib.domain.pause import is_paused
from chalicelib.engine.wheel.arm import agenda_of, first_missed, first_timer, parked_timer, timetable_of
from chalicelib.engine.wheel.calendars import NO_CALENDARS, Calendars
from chalicelib.engine.wheel.missed import SkippedRange
from chalicelib.engine.wheel.timers import JobTimer


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

    Another schedule, exclusion or calendar makes older messages stale, and nothing of it is left out any more. A pause
    goes on; what the new schedule would have had before it existed was never missed.
    """
    if job.definition == definition:
        return job
    update = {**dict(definition), "revision": job.revision + 1, "updated_ms": now_ms}
    if job.timing != definition.timing:
        update["schedule_revision"] = job.schedule_revision + 1
        update |= {"schedule_ms": now_ms, "skip_from_ms": None, "skip_until_ms": None}
    return job.model_copy(update=update)


def skipping(job: Job, count: int, now_ms: int, calendars: Calendars = NO_CALENDARS) -> Job:
    """The job without its next `count` occurrences, 0 for none left out. Conflict where nothing is to come."""
    if count and is_paused(job, now_ms) and job.paused_until_ms is None:
        raise Conflict("The job is paused without an end: nothing is to come that could be skipped.")
    return skip_next.skipping(
        job, agenda_of(job, calendars), count, after_ms=asleep_until(job, now_ms), now_ms=now_ms
    )


def asleep_until(job: Job, now_ms: int) -> int:
    """The moment after which the job's next occurrence is: now, or just before the end of its pause."""
    return max(now_ms, (job.paused_until_ms or 0) - 1) if is_paused(job, now_ms) else now_ms


def rearmed(job: Job, now_ms: int) -> Job:
    """The job under a new revision of its schedule, because a calendar of it has changed.

    One that is paused without an end stays as it is: when it is resumed, it is armed by the calendar of that time.
    """
    if is_paused(job, now_ms) and job.paused_until_ms is None:
        return job
    return job.model_copy(
        update={
            "revision": job.revision + 1,
            "schedule_revision": job.schedule_revision + 1,
            "updated_ms": now_ms,
        }
    )


def timer_after(
    before: Job | None, after: Job, now_ms: int, calendars: Calendars = NO_CALENDARS
) -> JobTimer | None:
    """The timer that has to be written together with the change, if any.

    A job whose pause ends, now or at a known moment, takes up where the pause began, so that the misfire rules apply to
    what it missed.
    """
    if before is not None and before.schedule_revision == after.schedule_revision:
        return None
    rests = is_paused(after, now_ms)
    if before is None or not (rests or is_paused(before, now_ms)):
        return first_timer(after, now_ms, calendars)
    return parked_timer(after, now_ms, calendars)


def never_run(before: Job, after: Job, now_ms: int) -> SkippedRange | None:
    """What a paused job missed of a schedule that it does not have any more: no misfire rule can make that up."""
    if not is_paused(before, now_ms) or before.timing == after.timing:
        return None
    first_ms = first_missed(before)
    last_ms = [] if first_ms is None else timetable_of(before).latest(first_ms - 1, now_ms)
    if first_ms is None or not last_ms:
        return None
    return SkippedRange(before.tenant, before.id, before.schedule_revision, first_ms, last_ms[0], "paused")
