"""The sweeper: once an hour each shard's jobs are compared with its timers, and what is missing is set again.

The turns are spread over the hour. A turn may be repeated at any point: timers that are there already are not touched.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chalicelib.domain.job import Job
from chalicelib.engine.audit.findings import Finding
from chalicelib.engine.audit.roster import (
    INDEX,
    Mend,
    Nominee,
    Prove,
    Turn,
    decode_nominee,
    index_partition,
    judge,
)
from chalicelib.engine.core import Engine
from chalicelib.engine.ledger.skips import skips_between
from chalicelib.engine.records import ROSTER_MARKS, decode_job, job_key, run_key
from chalicelib.engine.wheel.calendars import Calendars, read_calendars
from chalicelib.engine.wheel.timers import JobTimer, TendedTimer, Timer, decode_timer, encode_timer, partition
from chalicelib.ports.table import Is, Item, Key, Update

PAGE = 5_000
TOGETHER = 500
"""Jobs that are looked at together."""
OVERDUE_MS = 600_000
"""A timer that is still there so long after it was due: perhaps its job cannot be read."""


@dataclass(slots=True)
class _Wheel:
    """The timers of a shard: the jobs that have one, those of overdue ones, and what nobody can read."""

    armed: set[Nominee] = field(default_factory=set)
    overdue: set[Key] = field(default_factory=set)
    unreadable: list[Finding] = field(default_factory=list)


def repair(engine: Engine, turn: Turn, *, deadline: float) -> list[Finding] | None:
    """Look after a shard; what was found, None if the time (monotonic seconds) was up before the end.

    The roster is read before the timers: a job that was saved in between has a timer then. Unavailable may be raised.
    """
    nominees, findings = _nominees(engine, turn.shard)
    wheel = _wheel(engine, turn.shard)
    findings += wheel.unreadable + _unreadable_jobs(engine, wheel.overdue)
    lacking = sorted(nominees - wheel.armed, key=lambda each: each.job_id)
    for start in range(0, len(lacking), TOGETHER):
        if engine.clock.monotonic() >= deadline:
            return None
        findings += _mend(engine, lacking[start : start + TOGETHER], turn.since_ms)
    return findings


def _nominees(engine: Engine, shard: int) -> tuple[set[Nominee], list[Finding]]:
    """The jobs on the shard's roster, and entries that name none."""
    nominees, findings, after = set[Nominee](), list[Finding](), None
    while True:
        rows, after = engine.db.catalog.index_rows(INDEX, index_partition(shard), limit=PAGE, after=after)
        for row in rows:
            try:
                nominees.add(decode_nominee(row))
            except ValueError as error:
                told = {"error": type(error).__name__}
                findings.append(Finding("", "job.unreadable", _place(row), told))
        if after is None:
            return nominees, findings


def _wheel(engine: Engine, shard: int) -> _Wheel:
    wheel, after, late_ms = _Wheel(), None, engine.clock.now_ms() - OVERDUE_MS
    while True:
        page = engine.db.timers.query(partition(shard), limit=PAGE, after=after)
        for item in page.items:
            try:
                timer = decode_timer(item)
            except ValueError as error:
                told = {"error": type(error).__name__}
                wheel.unreadable.append(Finding("", "timer.unreadable", _place(item), told))
            else:
                _note(wheel, timer, late_ms)
        after = page.next
        if after is None:
            return wheel


def _place(item: Item) -> str:
    return "/".join(str(item[name]) for name in ("pk", "sk"))


def _note(wheel: _Wheel, timer: Timer, late_ms: int) -> None:
    if isinstance(timer, JobTimer):
        wheel.armed.add(Nominee(timer.tenant, timer.job_id, timer.schedule_revision))
    if timer.due_ms < late_ms and not isinstance(timer, TendedTimer) and len(wheel.overdue) < TOGETHER:
        owner = timer if isinstance(timer, JobTimer) else timer.message
        wheel.overdue.add(job_key(owner.tenant, owner.job_id))


def _unreadable_jobs(engine: Engine, keys: Iterable[Key]) -> list[Finding]:
    """Of the jobs whose timers stay, those that cannot be read."""
    items = engine.db.catalog.get_many(keys) if keys else {}
    return [finding for finding in map(_readable, items.values()) if isinstance(finding, Finding)]


def _readable(item: Item) -> Job | Finding:
    tenant, _, job_id = str(item["pk"]).rpartition("#")
    try:
        return decode_job(item)
    except ValueError as error:
        return Finding(tenant, "job.unreadable", job_id, {"error": type(error).__name__})


def _mend(engine: Engine, nominees: Sequence[Nominee], since_ms: int) -> list[Finding]:
    """Set the timers that are lost, and then strike off the roster whose schedule is over."""
    revisions = {job_key(each.tenant, each.job_id): each.schedule_revision for each in nominees}
    items = engine.db.catalog.get_many(revisions)
    read = {key: _readable(item) for key, item in items.items()}
    findings = [each for each in read.values() if isinstance(each, Finding)]
    jobs = [each for key, each in read.items() if isinstance(each, Job) and _is_meant(each, revisions[key])]
    lost, retired = _judged(engine, jobs, read_calendars(engine, jobs), since_ms)
    engine.db.timers.put_all([encode_timer(timer) for timer in lost])
    if retired:
        engine.db.catalog.write_each([struck_off(job) for job in retired])
    return findings + [
        Finding(timer.tenant, "timer.repaired", timer.job_id, {"due_ms": timer.due_ms}) for timer in lost
    ]


def _is_meant(job: Job, schedule_revision: int) -> bool:
    """Whether the job is as it was nominated: one that was changed since then was armed with the change."""
    return job.schedule_revision == schedule_revision


def _judged(
    engine: Engine, jobs: Iterable[Job], calendars: Calendars, since_ms: int
) -> tuple[list[JobTimer], list[Job]]:
    """The timers that are lost, and the jobs that need none after these.

    What rings last belongs to the auditor: a job whose schedule is over is made up for once, not each hour.
    """
    now_ms, horizon_ms = engine.clock.now_ms(), engine.settings.horizon_ms
    lost, retired, over = list[JobTimer](), list[Job](), list[tuple[Job, Prove]]()
    for job in jobs:
        match judge(job, calendars, since_ms=since_ms, now_ms=now_ms, horizon_ms=horizon_ms):
            case Mend(timer):
                lost.append(timer)
            case Prove() as found:
                over.append((job, found))
            case "retire":
                retired.append(job)
    recorded = engine.db.runs.get_many([run_key(job.tenant, found.run_id) for job, found in over])
    for job, found in over:
        retired.append(job)
        if run_key(job.tenant, found.run_id) not in recorded and not _is_skipped(engine, job, found.last_ms):
            lost.append(found.timer)
    return lost, retired


def _is_skipped(engine: Engine, job: Job, nominal_ms: int) -> bool:
    skips = skips_between(engine, job.tenant, job.id, nominal_ms, nominal_ms)
    return any(skip.covers(nominal_ms) for skip in skips)


def struck_off(job: Job) -> Update:
    """The job off the roster, unless it has been changed: a later change puts it back where it belongs."""
    return Update(job_key(job.tenant, job.id), remove=ROSTER_MARKS, when=Is("revision", job.revision))
