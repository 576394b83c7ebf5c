"""What a timer asks for at a moment: rings, skips, and the timers that follow it. Pure."""

from dataclasses import dataclass, replace

from chalicelib.domain.ids import run_id
from chalicelib.domain.lanes import Lane
from chalicelib.domain.limits import Priority
from chalicelib.domain.occurrences import Timetable
from chalicelib.domain.pause import falls_into_pause
from chalicelib.engine.message import STARTS_NOTHING, RunMessage
from chalicelib.engine.wheel.arm import agenda_of, timer_at, timetable_of
from chalicelib.engine.wheel.calendars import NO_CALENDARS, Calendars
from chalicelib.engine.wheel.due_job import DueJob
from chalicelib.engine.wheel.missed import SkippedRange, left_out, made_up
from chalicelib.engine.wheel.timers import DispatchedTimer, JobTimer, RunTimer

MAX_RINGS_PER_TIMER = 600
"""A job that fires each second has 120 occurrences inside the horizon; after an outage the rest waits a tick."""


@dataclass(frozen=True, slots=True)
class Ring:
    """A message, the lane it goes to, whether its worker waits for the exact instant, and how urgent its job is."""

    lane: Lane
    message: RunMessage
    exact: bool = True
    priority: Priority = "normal"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about one timer, which is removed when all of it is done."""

    timer: DispatchedTimer
    rings: tuple[Ring, ...] = ()
    skipped: tuple[SkippedRange, ...] = ()
    following: tuple[DispatchedTimer, ...] = ()
    restored: tuple[RunMessage, ...] = ()
    """Whose runs end, since they lie below the dispatch floor."""


def plan_timer(
    timer: DispatchedTimer,
    job: DueJob | None,
    *,
    now_ms: int,
    until_ms: int,
    calendars: Calendars = NO_CALENDARS,
    floor_ms: int = 0,
) -> Plan:
    """Everything of this timer before `until_ms`. A job's timer without its job and revision only dies.

    That of a paused job dies too, unless its pause has an end: then this looks ahead to that moment, and judges what
    will have been missed. What lies below the dispatch floor is skipped.
    """
    if isinstance(timer, RunTimer):
        if timer.due_ms < floor_ms:
            return Plan(timer, restored=(timer.message,))
        lane: Lane = job.lane if job else "fast"
        exact, priority = STARTS_NOTHING not in timer.message.passed, job.priority if job else "normal"
        return Plan(timer, (Ring(lane, timer.message, exact, priority),))
    if job is None or job.schedule_revision != timer.schedule_revision:
        return Plan(timer)
    wakes_ms = job.paused_until_ms if job.status == "paused" else now_ms
    if wakes_ms is None:
        return Plan(timer)
    if wakes_ms >= until_ms:
        return Plan(timer, following=(timer_at(job, timer.nominal_ms, wakes_ms, timer.since_ms),))
    table = agenda_of(job, calendars)
    kept, lost = _above(timer, job, table, floor_ms)
    late, missed, present_ms = _missed(kept, job, table, max(now_ms, wakes_ms))
    skipped = (*lost, *missed)
    chosen, step = list(late), table.seek(present_ms - 1)
    while step.at_ms is not None and step.at_ms < until_ms and len(chosen) < MAX_RINGS_PER_TIMER:
        chosen.append(step.at_ms)
        step = table.seek(step.at_ms)
    end_ms = until_ms if step.place_ms is None else min(until_ms, step.place_ms)
    following: list[DispatchedTimer]
    by_calendar, following = _skipped_by_calendar(kept, job, table, end_ms)
    rings = []
    for moment_ms in chosen:
        message = _message(job, table.nominal(moment_ms), _due(job, table, moment_ms))
        if message.due_ms < until_ms:
            rings.append(Ring(job.lane, message, job.precision == "exact", job.priority))
        else:
            following.append(RunTimer(job.shard, message))
    return Plan(timer, tuple(rings), (*skipped, *by_calendar), tuple(following))


def _above(
    timer: JobTimer, job: DueJob, table: Timetable, floor_ms: int
) -> tuple[JobTimer, tuple[SkippedRange, ...]]:
    """The timer from the dispatch floor on, and what lies below it."""
    if timer.nominal_ms >= floor_ms:
        return timer, ()
    lost = tuple(
        SkippedRange(job.tenant, job.id, job.schedule_revision, first_ms, last_ms, "restored")
        for first_ms, last_ms in table.runs(timer.nominal_ms, floor_ms)
    )
    return replace(timer, nominal_ms=floor_ms, since_ms=None), lost


def _skipped_by_calendar(
    timer: JobTimer, job: DueJob, table: Timetable, end_ms: int
) -> tuple[list[SkippedRange], list[DispatchedTimer]]:
    """What a calendar skips before `end_ms`, as ranges that go on where the last plan's ended; and the next timer."""
    spans = table.skips(timer.nominal_ms, end_ms)
    if spans and timer.since_ms is not None:
        spans[0] = timer.since_ms, spans[0][1]
    skipped = [
        SkippedRange(job.tenant, job.id, job.schedule_revision, first_ms, last_ms, "calendar")
        for first_ms, last_ms in spans
    ]
    place_ms = table.place(end_ms - 1).place_ms
    if place_ms is None:
        return skipped, []
    goes_on = (
        spans
        and timetable_of(job).next_after(spans[-1][1]) == place_ms
        and table.skips(place_ms, place_ms + 1)
    )
    return skipped, [timer_at(job, place_ms, since_ms=spans[-1][0] if goes_on else None)]


def _due(job: DueJob, table: Timetable, moment_ms: int) -> int:
    """When what runs at a moment is to start: what a pause held back not before its end."""
    due_ms = table.due(moment_ms)
    if job.paused_until_ms and falls_into_pause(job, moment_ms, table.jitter_ms):
        return max(due_ms, job.paused_until_ms)
    return due_ms


def _message(job: DueJob, nominal_ms: int, due_ms: int) -> RunMessage:
    return RunMessage(
        job.tenant, job.id, job.schedule_revision, run_id(job.id, nominal_ms), nominal_ms, due_ms
    )


def _missed(
    timer: JobTimer, job: DueJob, table: Timetable, now_ms: int
) -> tuple[list[int], tuple[SkippedRange, ...], int]:
    """The missed moments at which something still runs, the ranges that do not run, and where the present begins.

    Missed is what lies more than the grace, and the whole of the job's jitter, in the past.
    """
    misfire, first_ms = job.misfire, timer.nominal_ms
    missed_until = now_ms - misfire.grace_seconds * 1000 - table.jitter_ms - 1
    if first_ms > missed_until:
        return [], (), first_ms
    window_start = max(first_ms - 1, now_ms - misfire.window_seconds * 1000)
    wanted = {"fire_once": 1, "fire_all": misfire.limit, "skip": 0}[misfire.policy]
    kept = made_up(job, table, window_start, missed_until, wanted)
    skipped = left_out(job, table, first_ms, missed_until, kept)
    return kept, skipped, missed_until + 1
