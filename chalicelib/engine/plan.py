"""What a timer asks for at a moment: rings, skips, and the timers that follow it. Pure."""

from dataclasses import dataclass

from chalicelib.domain.ids import run_id
from chalicelib.domain.occurrences import Timetable
from chalicelib.engine.arm import timer_at, timetable_of
from chalicelib.engine.core import Lane, lane_of
from chalicelib.engine.due_job import DueJob
from chalicelib.engine.message import RunMessage
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
class SkippedRange:
    """Occurrences of a job that will not run: all of its timetable's from the first to the last, both included."""

    tenant: str
    job_id: str
    schedule_revision: int
    first_ms: int
    last_ms: int
    reason: str = "misfire"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about one timer, which is removed when all of it is done."""

    timer: DispatchedTimer
    rings: tuple[Ring, ...] = ()
    skipped: tuple[SkippedRange, ...] = ()
    following: tuple[DispatchedTimer, ...] = ()


def plan_timer(timer: DispatchedTimer, job: DueJob | None, *, now_ms: int, until_ms: int) -> Plan:
    """Everything of this timer before `until_ms`. A job's timer without its active job and revision only dies."""
    if isinstance(timer, RunTimer):
        lane: Lane = lane_of(job) if job else "fast"
        return Plan(timer, (Ring(lane, timer.message),))
    if job is None or job.status != "active" or job.schedule_revision != timer.schedule_revision:
        return Plan(timer)
    table = timetable_of(job)
    late, skipped, upcoming = _missed(timer, job, table, now_ms)
    chosen = list(late)
    while upcoming is not None and upcoming < until_ms and len(chosen) < MAX_RINGS_PER_TIMER:
        chosen.append(upcoming)
        upcoming = table.next_after(upcoming)
    following: list[DispatchedTimer] = [] if upcoming is None else [timer_at(job, upcoming)]
    rings = []
    for nominal_ms in chosen:
        message = _message(job, nominal_ms, table.due(nominal_ms))
        if message.due_ms < until_ms:
            rings.append(Ring(lane_of(job), message, job.precision == "exact"))
        else:
            following.append(RunTimer(job.shard, message))
    return Plan(timer, tuple(rings), skipped, tuple(following))


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
    kept = table.latest(window_start, missed_until, wanted) if wanted and window_start < missed_until else []
    last_skipped = table.latest(first_ms - 1, kept[0] - 1 if kept else missed_until)
    skipped = tuple(
        SkippedRange(job.tenant, job.id, job.schedule_revision, first_ms, last_ms) for last_ms in last_skipped
    )
    return kept, skipped, table.next_after(missed_until)
