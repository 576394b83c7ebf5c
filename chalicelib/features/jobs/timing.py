"""What a job's timing needs when it is saved: its calendars, held still, and checks of what they mean together.

A calendar knows the jobs that use it by records that are written in the jobs' own transactions.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from chalicelib.domain.calendar_use import MAX_MOVED_A_DAY, CalendarUse
from chalicelib.domain.cron import cron_calendar
from chalicelib.domain.errors import FieldProblem
from chalicelib.domain.job import Job
from chalicelib.domain.occurrences import timetables
from chalicelib.domain.schedule import CronSchedule, IntervalSchedule, Schedule
from chalicelib.engine.core import Engine
from chalicelib.engine.wheel.calendars import (
    NO_CALENDARS,
    Calendars,
    calendar_key,
    calendar_names,
    decode_days,
    effective,
    uses_of,
)
from chalicelib.engine.wheel.due_job import Scheduled
from chalicelib.features.validation import refusal
from chalicelib.ports.table import Check, Delete, Is, Item, Put, TableName, Write

MAX_JOBS = 500
"""Jobs that may use one calendar: a change of it gives each of them a new timer, within one request."""
RETIRED = "retired"
"""The attribute of a calendar that is being deleted: no job may begin to use it."""

TimingWrite = tuple[TableName, Write | Check]


@dataclass(frozen=True, slots=True)
class Timing:
    """The calendars of a job, and what its transaction has to contain so that they are still the same then."""

    calendars: Calendars
    writes: tuple[TimingWrite, ...] = ()


def prepared(engine: Engine, before: Job | None, after: Job, now_ms: int) -> Timing:
    """For a change after which the job is armed anew. Invalid if its calendars or exclusions do not do."""
    if before is not None and before.schedule_revision == after.schedule_revision:
        return Timing(NO_CALENDARS)
    names = calendar_names(after)
    items = _items(engine, after.tenant, names)
    used = calendar_names(before) if before else set()
    if before is None or before.timing != after.timing:
        check(after, _usable(items, used), now_ms)
    _check_room(engine, after, names - used)
    held: Iterator[TimingWrite] = (
        ("catalog", Check(calendar_key(after.tenant, name), Is("revision", int(item["revision"]))))
        for name, item in items.items()
    )
    begun: Iterator[TimingWrite] = (
        ("catalog", Put(_use(after, name, int(item["revision"])))) for name, item in items.items()
    )
    ended: Iterator[TimingWrite] = (
        ("catalog", Delete((uses_of(after.tenant, name), after.id))) for name in sorted(used - names)
    )
    calendars = {calendar_key(after.tenant, name): decode_days(item) for name, item in items.items()}
    return Timing(calendars, (*held, *begun, *ended))


def no_more_uses(job: Job) -> list[TimingWrite]:
    """What the transaction that deletes a job has to contain."""
    return [("catalog", Delete((uses_of(job.tenant, name), job.id))) for name in sorted(calendar_names(job))]


def calendars_for(engine: Engine, job: Scheduled, now_ms: int) -> Calendars:
    """The calendars of something that is only tried. Invalid as in `prepared`."""
    items = _items(engine, job.tenant, calendar_names(job))
    check(job, _usable(items), now_ms)
    return {calendar_key(job.tenant, name): decode_days(item) for name, item in items.items()}


def check(job: Scheduled, known: Iterable[str], now_ms: int) -> None:
    """Invalid, with everything that is wrong with the job's calendars and exclusions."""
    problems = [*_calendar_problems(job, set(known)), *_exclusion_problems(job, now_ms)]
    if problems:
        raise refusal(list({problem.pointer: problem for problem in problems}.values()))


def _items(engine: Engine, tenant: str, names: Iterable[str]) -> dict[str, Item]:
    keys = [calendar_key(tenant, name) for name in sorted(names)]
    items = engine.db.catalog.get_many(keys) if keys else {}
    return {name: item for (_, name), item in items.items()}


def _usable(items: Mapping[str, Item], used: Collection[str] = ()) -> set[str]:
    """The calendars that a job may name: one that is being deleted only if the job uses it already."""
    return {name for name, item in items.items() if name in used or RETIRED not in item}


def _use(job: Job, name: str, revision: int) -> Item:
    """That the job uses the calendar, and by which of its revisions the job is armed."""
    return {"pk": uses_of(job.tenant, name), "sk": job.id, "armed": revision}


def _check_room(engine: Engine, job: Job, names: Iterable[str]) -> None:
    full = [
        name
        for name in names
        if len(engine.db.catalog.query(uses_of(job.tenant, name), limit=MAX_JOBS).items) >= MAX_JOBS
    ]
    if full:
        message = (
            f"{MAX_JOBS} jobs use the calendar {full[0]!r}, which is the most; make a second one like it."
        )
        raise refusal([FieldProblem("/calendar", message, "too_many_jobs")])


def _calendar_problems(job: Scheduled, known: set[str]) -> Iterator[FieldProblem]:
    for place, (schedule, use) in enumerate(effective(job)):
        if use is None:
            continue
        pointer = f"{_pointer(job, place)}/calendar" if schedule.calendar else "/calendar"
        if use.name not in known:
            yield FieldProblem(pointer, f"There is no calendar {use.name!r}.", "unknown_calendar")
        elif _moves_too_much(schedule, use, job.id):
            message = f"At most {MAX_MOVED_A_DAY} occurrences a day can be moved; skip them, or use fewer."
            yield FieldProblem(pointer, message, "too_many_to_move")


def _moves_too_much(schedule: Schedule, use: CalendarUse, job_id: str) -> bool:
    if use.on_excluded == "skip":
        return False
    if isinstance(schedule, IntervalSchedule):
        return 86_400_000 / schedule.every_ms > MAX_MOVED_A_DAY
    if not isinstance(schedule, CronSchedule):
        return False
    calendar = cron_calendar(schedule.expression, schedule.day_match, job_id)
    return len(calendar.minutes) * len(calendar.seconds) > MAX_MOVED_A_DAY


def _exclusion_problems(job: Scheduled, now_ms: int) -> Iterator[FieldProblem]:
    """A schedule that still fires, but of which the exclusions leave nothing that a search finds."""
    if not job.exclude:
        return
    bare = timetables(job.schedule, job_id=job.id, created_ms=job.created_ms)
    left = timetables(job.schedule, job_id=job.id, created_ms=job.created_ms, exclude=job.exclude)
    for place, (whole, rest) in enumerate(zip(bare, left, strict=True)):
        if whole.next_after(now_ms) is not None and rest.next_after(now_ms) is None:
            what = "the schedule" if place == 0 and len(bare) == 1 else f"the schedule {_pointer(job, place)}"
            message = f"Nothing is left of {what}: no occurrence that is not excluded was found."
            yield FieldProblem("/exclude", message, "never_fires")


def _pointer(job: Scheduled, place: int) -> str:
    return f"/schedule/{place}" if isinstance(job.schedule, tuple) else "/schedule"
