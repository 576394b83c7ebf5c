"""Timers made from jobs and runs. Pure."""

from chalicelib.domain.job import Job
from chalicelib.domain.occurrences import Timetable, timetable, timetables
from chalicelib.domain.pause import is_paused
from chalicelib.domain.run import Run
from chalicelib.domain.schedule import CronSchedule
from chalicelib.domain.zones import zone
from chalicelib.engine.message import RunMessage
from chalicelib.engine.wheel.calendars import NO_CALENDARS, Calendars, calendar_names, days_of, effective
from chalicelib.engine.wheel.due_job import Scheduled
from chalicelib.engine.wheel.timers import JobTimer, RunTimer


def timetable_of(job: Scheduled) -> Timetable:
    """The job's occurrences by their nominal times, also those that a calendar skips or moves."""
    return timetable(job.schedule, job_id=job.id, created_ms=job.created_ms, exclude=job.exclude)


def agenda_of(job: Scheduled, calendars: Calendars) -> Timetable:
    """The moments at which the job's occurrences run, as its calendars have it."""
    if not calendar_names(job):
        return timetable_of(job)
    from chalicelib.domain.agenda import Agenda, LocalDays, stream

    tables = timetables(job.schedule, job_id=job.id, created_ms=job.created_ms, exclude=job.exclude)
    streams = []
    for (schedule, use), times in zip(effective(job), tables, strict=True):
        if use is None:
            streams.append(stream(times, None, "skip"))
            continue
        days = days_of(calendars, job.tenant, use.name)
        own_zone = schedule.timezone if isinstance(schedule, CronSchedule) else "UTC"
        streams.append(stream(times, LocalDays(days, zone(days.timezone or own_zone)), use.on_excluded))
    return Agenda(job.id, streams)


def timer_at(
    job: Scheduled, nominal_ms: int, not_before_ms: int = 0, since_ms: int | None = None
) -> JobTimer:
    """The job's timer for what comes at `nominal_ms` or later, parked until `not_before_ms` if that is later."""
    parked_ms = not_before_ms if not_before_ms > nominal_ms else 0
    return JobTimer(job.shard, job.tenant, job.id, job.schedule_revision, nominal_ms, parked_ms, since_ms)


def first_timer(job: Scheduled, after_ms: int, calendars: Calendars = NO_CALENDARS) -> JobTimer | None:
    """The timer of what comes first strictly after `after_ms`, None if there is nothing."""
    place_ms = agenda_of(job, calendars).place(after_ms).place_ms
    return None if place_ms is None else timer_at(job, place_ms)


def parked_timer(job: Job, now_ms: int, calendars: Calendars) -> JobTimer | None:
    """The timer of a job from the beginning of its pause on, due at once or at the pause's end; None if it has none."""
    rests = is_paused(job, now_ms)
    if rests and job.paused_until_ms is None:
        return None
    nominal_ms = first_missed(job, calendars)
    parked_ms = job.paused_until_ms or 0 if rests else 0
    return None if nominal_ms is None else timer_at(job, nominal_ms, parked_ms)


def first_missed(job: Job, calendars: Calendars = NO_CALENDARS) -> int | None:
    """What came first after the job's pause began, or its schedule was edited, and was still to start."""
    table, paused_ms = agenda_of(job, calendars), job.paused_ms or 0
    known_ms = max(job.created_ms, job.schedule_ms or 0)
    place_ms = table.place(max(paused_ms - table.jitter_ms, known_ms)).place_ms
    while place_ms is not None and table.due(place_ms) <= paused_ms:
        place_ms = table.place(place_ms).place_ms
    return place_ms


def message_of(run: Run, *, due_ms: int, attempt: int) -> RunMessage:
    """The doorbell for one attempt of a stored run."""
    return RunMessage(
        run.tenant, run.job_id, run.schedule_revision, run.id, run.nominal_ms, due_ms, attempt, run.trigger
    )


def trigger_timer(run: Run, shard: int) -> RunTimer:
    """Rings a PENDING run at its due moment."""
    return RunTimer(shard, message_of(run, due_ms=run.due_ms, attempt=1))
