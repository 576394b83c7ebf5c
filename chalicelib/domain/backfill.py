"""A backfill: the occurrences of a stretch of the past, run again or at last. Its states, and what it leaves out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from chalicelib.domain.ids import run_id
from chalicelib.domain.job import Concurrency, Job
from chalicelib.domain.run import Run, RunStatus

Order = Literal["oldest_first", "newest_first"]
Reprocess = Literal["none", "failed", "all"]
BackfillStatus = Literal["running", "cancelling", "completed", "cancelled"]
StopReason = Literal["cancelled", "job_deleted", "restored"]
LeftOut = Literal["succeeded", "failed", "skipped", "active", "calendar"]
WHY_LEFT_OUT: Mapping[LeftOut, str] = {
    "succeeded": "It has succeeded; only reprocess `all` runs it again.",
    "failed": "It has run and did not succeed; reprocess `failed` or `all` runs it again.",
    "skipped": "It is recorded as skipped; reprocess `failed` or `all` runs it.",
    "active": "Its run has not ended yet.",
    "calendar": "Its calendar skips it.",
}
MAX_OCCURRENCES = 10_000
"""In the stretch of time of one backfill."""
MAX_ACTIVE = 100
CLAIMS = 25
"""Runs that one step brings into being: each is three writes of a transaction, which may have a hundred."""
STALLED_MS = 120_000
RING_EVERY_MINUTES = 5


@dataclass(frozen=True, slots=True)
class Backfill:
    """A stored backfill. `version` counts its changes; `job` is the job's document at the time of the request.

    `cursor_ms` is the last occurrence examined, None before the first; `active` the ids of runs that had not ended at
    the last look; `ended` counts the others by their status, `left_out` what was not run by why.
    """

    id: str
    tenant: str
    job_id: str
    shard: int
    job: str
    start_ms: int
    end_ms: int
    order: Order
    reprocess: Reprocess
    max_active: int
    limit: int | None
    total: int
    created_ms: int
    created_by: str = ""
    version: int = 1
    cursor_ms: int | None = None
    claimed: int = 0
    active: tuple[str, ...] = ()
    ended: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    exhausted: bool = False
    stopped: StopReason | None = None
    finished_ms: int | None = None

    @property
    def status(self) -> BackfillStatus:
        if self.stopped:
            return "cancelled" if self.is_over else "cancelling"
        return "completed" if self.is_over else "running"

    @property
    def is_over(self) -> bool:
        return self.finished_ms is not None

    def room(self, slots: int | None = None) -> int:
        """How many runs it may claim now. `slots`: as many as the job's concurrency rule lets be active, None: any."""
        if self.stopped or self.exhausted:
            return 0
        at_once = self.max_active if slots is None else min(self.max_active, slots)
        left = at_once if self.limit is None else self.limit - self.claimed
        return max(0, min(left, at_once - len(self.active), CLAIMS))


@dataclass(frozen=True, slots=True)
class Candidate:
    """An occurrence to examine: the latest run that was made of it, and whether it lies in a skipped range.

    `by_calendar`: the job's calendar, as it is now, does not let it run.
    """

    nominal_ms: int
    latest: Run | None = None
    skipped: bool = False
    by_calendar: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A run to bring into being, in place of `instead_of` if there was one."""

    run: Run
    instead_of: Run | None


def left_out(candidate: Candidate, reprocess: Reprocess) -> LeftOut | None:
    """Why the occurrence is not run, None if it is."""
    latest = candidate.latest
    if candidate.by_calendar:
        return "calendar"
    if latest is None:
        return "skipped" if candidate.skipped and reprocess == "none" else None
    if not latest.is_final:
        return "active"
    if reprocess == "all":
        return None
    if latest.status is RunStatus.SUCCEEDED:
        return "succeeded"
    if reprocess == "failed":
        return None
    return "skipped" if latest.status is RunStatus.SKIPPED else "failed"


def slots_of(concurrency: Concurrency) -> int | None:
    """How many runs of the job its rule lets be active: a backfill that claimed more would skip or cancel its own."""
    return None if concurrency.policy == "allow" else concurrency.limit


def looked_at(backfill: Backfill, runs: Mapping[str, Run], *, job_exists: bool) -> Backfill:
    """The backfill after a look at its active runs: those that ended, or whose record has expired, are counted."""
    ended = Counter(dict(backfill.ended))
    active = []
    for identifier in backfill.active:
        run = runs.get(identifier)
        if run is not None and not run.is_final:
            active.append(identifier)
        else:
            ended["EXPIRED" if run is None else run.status.value] += 1
    stopped = backfill.stopped or (None if job_exists else "job_deleted")
    return replace(backfill, active=tuple(active), ended=dict(ended), stopped=stopped)


def examined(
    backfill: Backfill, candidates: Sequence[Candidate], room: int, *, more: bool, job: Job, now_ms: int
) -> tuple[Backfill, list[Claim]]:
    """The next occurrences, in order, while there is room. `more`: whether others follow these candidates."""
    claims: list[Claim] = []
    counts, cursor_ms = Counter(dict(backfill.left_out)), backfill.cursor_ms
    seen = 0
    for candidate in candidates:
        if len(claims) == room:
            break
        why = left_out(candidate, backfill.reprocess)
        if why is None:
            claims.append(_claim(backfill, candidate, job.schedule_revision, now_ms))
        else:
            counts[why] += 1
        cursor_ms, seen = candidate.nominal_ms, seen + 1
    claimed = backfill.claimed + len(claims)
    at_end = seen == len(candidates) and not more
    after = replace(
        backfill,
        cursor_ms=cursor_ms,
        claimed=claimed,
        active=(*backfill.active, *(claim.run.id for claim in claims)),
        left_out=dict(counts),
        exhausted=at_end or claimed == backfill.limit,
    )
    return after, claims


def finished(backfill: Backfill, now_ms: int) -> Backfill:
    """The backfill, ended if nothing is left to start and nothing is active."""
    if backfill.is_over or backfill.active or not (backfill.stopped or backfill.exhausted):
        return backfill
    return replace(backfill, finished_ms=now_ms)


def is_stalled(run: Run, now_ms: int) -> bool:
    """Whether a run should have moved on two minutes ago: its message may be lost. True every fifth minute only.

    Never of one that waits at a gate: it is called from there.
    """
    if run.waits is not None:
        return False
    expected_ms = {
        RunStatus.PENDING: run.retry_ms or run.due_ms,
        RunStatus.RETRYING: run.retry_ms or run.due_ms,
        RunStatus.RUNNING: run.lease_ms,
        RunStatus.WAITING: run.lease_ms,
    }.get(run.status)
    if expected_ms is None or now_ms < expected_ms + STALLED_MS:
        return False
    return (now_ms - expected_ms - STALLED_MS) // 60_000 % RING_EVERY_MINUTES == 0


def _claim(backfill: Backfill, candidate: Candidate, schedule_revision: int, now_ms: int) -> Claim:
    """Where nothing was recorded the run is the occurrence's own, so that no one else can run it too."""
    key = "" if candidate.latest is None else f"backfill:{backfill.id}"
    run = Run(
        id=run_id(backfill.job_id, candidate.nominal_ms, key),
        tenant=backfill.tenant,
        job_id=backfill.job_id,
        status=RunStatus.PENDING,
        trigger="backfill",
        nominal_ms=candidate.nominal_ms,
        due_ms=now_ms,
        schedule_revision=schedule_revision,
        redrive_of=candidate.latest.id if candidate.latest else None,
        backfill=backfill.id,
    )
    return Claim(run, candidate.latest)
