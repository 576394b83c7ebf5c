"""Timers made from jobs and runs. Pure."""

from chalicelib.domain.occurrences import Timetable, timetable
from chalicelib.domain.run import Run
from chalicelib.engine.due_job import Scheduled
from chalicelib.engine.message import RunMessage
from chalicelib.engine.timers import JobTimer, RunTimer


def timetable_of(job: Scheduled) -> Timetable:
    return timetable(job.schedule, job_id=job.id, created_ms=job.created_ms)


def timer_at(job: Scheduled, nominal_ms: int, not_before_ms: int = 0) -> JobTimer:
    """The job's timer for the occurrence at `nominal_ms`, parked until `not_before_ms` if that is later."""
    parked_ms = not_before_ms if not_before_ms > nominal_ms else 0
    return JobTimer(job.shard, job.tenant, job.id, job.schedule_revision, nominal_ms, parked_ms)


def first_timer(job: Scheduled, after_ms: int) -> JobTimer | None:
    """The timer of the first occurrence strictly after `after_ms`, None if there is none."""
    nominal_ms = timetable_of(job).next_after(after_ms)
    return None if nominal_ms is None else timer_at(job, nominal_ms)


def message_of(run: Run, *, due_ms: int, attempt: int) -> RunMessage:
    """The doorbell for one attempt of a stored run."""
    return RunMessage(
        run.tenant, run.job_id, run.schedule_revision, run.id, run.nominal_ms, due_ms, attempt, run.trigger
    )


def trigger_timer(run: Run, shard: int) -> RunTimer:
    """Rings a PENDING run at its due moment."""
    return RunTimer(shard, message_of(run, due_ms=run.due_ms, attempt=1))
