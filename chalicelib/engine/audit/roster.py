"""The roster: which jobs should have a timer. Pure decisions about those that seem to have none.

An index of the catalog, `by_shard`, nominates: it holds each such job with the revision of its schedule. What is done
about a job follows from its record, read with strong consistency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from chalicelib.domain.ids import run_id
from chalicelib.domain.job import Job
from chalicelib.domain.pause import is_paused
from chalicelib.engine.records import ROSTER, on_roster
from chalicelib.engine.ringing.journal import GRACE_MS
from chalicelib.engine.wheel.arm import agenda_of, first_missed, parked_timer, timer_at
from chalicelib.engine.wheel.calendars import Calendars
from chalicelib.engine.wheel.timers import JobTimer, partition
from chalicelib.ports.table import Item

INDEX = "by_shard"
ROUND_MS = 3_600_000
"""Each shard has its turn once in so long."""
SLACK_MS = 3_600_000
"""A timer that was there at the last turn may have been so much behind, after an outage."""


@dataclass(frozen=True, slots=True)
class Nominee:
    """A job that should have a timer of this revision of its schedule."""

    tenant: str
    job_id: str
    schedule_revision: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A shard that is to be looked at. What was lost since `since_ms` is made up; when done, `until_ms` is noted."""

    shard: int
    since_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Mend:
    """The job's timer is lost: set this one."""

    timer: JobTimer


@dataclass(frozen=True, slots=True)
class Prove:
    """Its schedule is over. If its last occurrence has no record, its timer was lost: set it. Else it may retire."""

    run_id: str
    last_ms: int
    timer: JobTimer


Judgement = Mend | Prove | Literal["retire", "wait"]


def index_partition(shard: int) -> str:
    """The partition of the index that names a shard's jobs."""
    return partition(shard)


def decode_nominee(row: Item) -> Nominee:
    """ValueError if the row names no job."""
    tenant, job_id, revision = str(row[ROSTER]).split("#")
    return Nominee(tenant, job_id, int(revision))


def turns(shards: Sequence[int], repaired_ms: int | None, now_ms: int) -> list[Turn]:
    """The turns that are due: one shard after the other, all in a round. What was missed is made up, each shard once.

    `repaired_ms`: until when all turns are done; None before the first, which then begins with the next turn.
    """
    if repaired_ms is None or not shards:
        return []
    count = len(shards)
    length = ROUND_MS // count
    following, present = repaired_ms // length, now_ms // length
    due = []
    for turn in range(max(following, present - count + 1), present + 1):
        before = turn - count * ((turn - following) // count + 1)
        due.append(Turn(shards[turn % count], before * length - SLACK_MS, (turn + 1) * length))
    return due


def begun(shards: Sequence[int], now_ms: int) -> int:
    """What is noted before the first turn: the next one is due when the present one is over."""
    length = ROUND_MS // max(1, len(shards))
    return (now_ms // length + 1) * length


def judge(job: Job, calendars: Calendars, *, since_ms: int, now_ms: int, horizon_ms: int) -> Judgement:
    """What to do about a job that is on the roster and has no timer.

    A timer is set so far back that nothing of the last round is lost: what has a record refuses to run again, and the
    misfire policy judges the rest.
    """
    if not on_roster(job):
        return "wait"
    if is_paused(job, now_ms):
        parked = parked_timer(job, now_ms, calendars)
        return Mend(parked) if parked else "retire"
    table = agenda_of(job, calendars)
    first_ms = _first(job, calendars, since_ms)
    if first_ms is None:
        return "retire"
    timer, ahead_ms = timer_at(job, first_ms), now_ms + horizon_ms
    if table.place(ahead_ms - 1).place_ms is not None:
        return Mend(timer)
    last_ms = next(iter(table.latest(first_ms - 1, ahead_ms - 1)), first_ms)
    if table.due(last_ms) + GRACE_MS > now_ms:
        return "wait"
    nominal_ms = table.nominal(last_ms)
    return Prove(run_id(job.id, nominal_ms), nominal_ms, timer)


def _first(job: Job, calendars: Calendars, since_ms: int) -> int | None:
    """The first occurrence that may have been lost: of the present schedule, and of a pause that has ended since."""
    floor_ms = max(since_ms, job.created_ms, job.schedule_ms or 0)
    first_ms = agenda_of(job, calendars).place(floor_ms).place_ms
    if job.paused_until_ms is None or job.paused_until_ms < floor_ms:
        return first_ms
    known = [each for each in (first_ms, first_missed(job, calendars)) if each is not None]
    return min(known, default=None)
