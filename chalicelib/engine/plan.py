"""What a timer asks for at a moment: rings, skips, and the timers that follow it. Pure."""

from dataclasses import dataclass

from chalicelib.domain.ids import run_id
from chalicelib.domain.occurrences import Timetable
from chalicelib.domain.pause import falls_into_pause
from chalicelib.engine.arm import timer_at, timetable_of
from chalicelib.engine.core import Lane, lane_of
from chalicelib.engine.due_job import DueJob
from chalicelib.engine.message import RunMessage
from chalicelib.engine.missed import SkippedRange, left_out, made_up
from chalicelib.engine.timers import DispatchedTimer, JobTimer, RunTimer

MAX_RINGS_PER_TIMER = 600
"""A job that fires each second has 120 occurrences inside the horizon; after an outage the rest waits a tick."""


@dataclass(frozen=True, slots=True)
class Ring:
    """A message, the lane it goes to, and whether its worker waits for the exact instant."""

    lane: Lane
    message: RunMessage
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about one timer, which is removed when all of it is done."""

    timer: DispatchedTimer
    rings: tuple[Ring, ...] = ()
    skipped: tuple[SkippedRange, ...] = ()
    following: tuple[DispatchedTimer, ...] = ()


def plan_timer(timer: DispatchedTimer, job: DueJob | None, *, now_ms: int, until_ms: int) -> Plan:
    """Everything of this timer before `until_ms`. A job's timer without its job and revision only dies.

    That of a paused job dies too, unless its pause has an end: then this looks ahead to that moment, and judges what
    will have been missed.
    """
    if isinstance(timer, RunTimer):
        lane: Lane = lane_of(job) if job else "fast"
        return Plan(timer, (Ring(lane, timer.message),))
    if job is None or job.schedule_revision != timer.schedule_revision:
        return Plan(timer)
    wakes_ms = job.paused_until_ms if job.status == "paused" else now_ms
    if wakes_ms is None:
        return Plan(timer)
    if wakes_ms >= until_ms:
        return Plan(timer, following=(timer_at(job, timer.nominal_ms, wakes_ms),))
    table = timetable_of(job)
    late, skipped, upcoming = _missed(timer, job, table, max(now_ms, wakes_ms))
    chosen = list(late)
    while upcoming is not None and upcoming < until_ms and len(chosen) < MAX_RINGS_PER_TIMER:
        chosen.append(upcoming)
        upcoming = table.next_after(upcoming)
    following: list[DispatchedTimer] = [] if upcoming is None else [timer_at(job, upcoming)]
    rings = []
    for nominal_ms in chosen:
        message = _message(job, nominal_ms, _due(job, table, nominal_ms))
        if message.due_ms < until_ms:
            rings.append(Ring(lane_of(job), message, job.precision == "exact"))
        else:
            following.append(RunTimer(job.shard, message))
    return Plan(timer, tuple(rings), skipped, tuple(following))


def _due(job: DueJob, table: Timetable, nominal_ms: int) -> int:
    """When the occurrence is to start: one that a pause held back not before its end."""
    due_ms = table.due(nominal_ms)
    if job.paused_until_ms and falls_into_pause(job, nominal_ms, job.schedule.jitter_seconds * 1000):
        return max(due_ms, job.paused_until_ms)
    return due_ms


def _message(job: DueJob, nominal_ms: int, due_ms: int) -> RunMessage:
    return RunMessage(
        job.tenant, job.id, job.schedule_revision, run_id(job.id, nominal_ms), nominal_ms, due_ms
    )


def _missed(
    timer: JobTimer, job: DueJob, table: Timetable, now_ms: int
) -> tuple[list[int], tuple[SkippedRange, ...], int | None]:
    """The missed occurrences that still run, the ranges that do not, and the first that is not missed.

    Missed is what lies more than the grace, and the whole of the job's jitter, in the past.
    """
    misfire, first_ms = job.misfire, timer.nominal_ms
    missed_until = now_ms - (misfire.grace_seconds + job.schedule.jitter_seconds) * 1000 - 1
    if first_ms > missed_until:
        return [], (), first_ms
    window_start = max(first_ms - 1, now_ms - misfire.window_seconds * 1000)
    wanted = {"fire_once": 1, "fire_all": misfire.limit, "skip": 0}[misfire.policy]
    kept = made_up(job, table, window_start, missed_until, wanted)
    skipped = left_out(job, table, first_ms, missed_until, kept)
    return kept, skipped, table.next_after(missed_until)
