"""What an owner should know before saving a schedule that is valid."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from chalicelib.domain.cron import CronCalendar, cron_calendar
from chalicelib.domain.instants import rfc3339
from chalicelib.domain.occurrences import timetable
from chalicelib.domain.schedule import CronSchedule, IntervalSchedule, ManualSchedule, Schedule
from chalicelib.domain.zones import Stretch, zone

WarningCode = Literal["day_rule", "frequent", "dst_gap", "dst_overlap", "never_fires"]

_DAY_MS = 86_400_000
_YEAR_S = 366 * 86_400
_MONTH_DAYS = 30


@dataclass(frozen=True, slots=True)
class ScheduleWarning:
    """A stable code and a sentence for a person."""

    code: WarningCode
    message: str


def warnings(
    schedule: Schedule,
    *,
    now_ms: int,
    job_id: str = "",
    created_ms: int | None = None,
    usd_per_run: float | None = None,
) -> list[ScheduleWarning]:
    """All that apply, from `now_ms` on; a price per run turns a high frequency into a cost per month."""
    created_ms = now_ms if created_ms is None else created_ms
    found = _never_fires(schedule, now_ms, job_id, created_ms) + _frequent(
        schedule, now_ms, job_id, usd_per_run
    )
    if not isinstance(schedule, CronSchedule):
        return found
    calendar = cron_calendar(schedule.expression, schedule.day_match, job_id)
    return _day_rule(schedule, calendar) + found + _clock_changes(schedule, calendar, now_ms)


def _day_rule(schedule: CronSchedule, calendar: CronCalendar) -> list[ScheduleWarning]:
    fields = calendar.fields
    day, weekday = fields.texts[3], fields.texts[5]
    if day in "*?" or weekday in "*?":
        return []
    subject = f"Day of month ({day}) and day of week ({weekday}) are both given: "
    if fields.is_either(schedule.day_match):
        rule = "it fires on days that match either of them. Set day_match to all for days that match both."
    elif schedule.day_match == "all":
        rule = "it fires only on days that match both, since day_match is all."
    else:
        rule = "it fires only on days that match both, since for cron a field that starts with * does not restrict."
    return [ScheduleWarning("day_rule", subject + rule)]


def _frequent(
    schedule: Schedule, now_ms: int, job_id: str, usd_per_run: float | None
) -> list[ScheduleWarning]:
    runs = _runs_a_month(schedule, now_ms, job_id)
    if runs is None:
        return []
    cost = "" if usd_per_run is None else f", about {runs * usd_per_run:,.2f} USD"
    message = f"It fires more often than once a minute: about {runs:,} runs in {_MONTH_DAYS} days{cost}."
    return [ScheduleWarning("frequent", message)]


def _runs_a_month(schedule: Schedule, now_ms: int, job_id: str) -> int | None:
    """None if it does not fire more often than once a minute."""
    if isinstance(schedule, IntervalSchedule):
        return _MONTH_DAYS * _DAY_MS // schedule.every_ms if schedule.every_ms < 60_000 else None
    if not isinstance(schedule, CronSchedule):
        return None
    calendar = cron_calendar(schedule.expression, schedule.day_match, job_id)
    if len(calendar.seconds) == 1:
        return None
    today = now_ms // _DAY_MS
    days = sum(calendar.next_day(day) == day for day in range(today, today + _MONTH_DAYS))
    return days * len(calendar.minutes) * len(calendar.seconds)


def _never_fires(schedule: Schedule, now_ms: int, job_id: str, created_ms: int) -> list[ScheduleWarning]:
    if isinstance(schedule, ManualSchedule):
        return []
    if timetable(schedule, job_id=job_id, created_ms=created_ms).next_after(now_ms) is not None:
        return []
    bounds = " inside its bounds" if schedule.start_at or schedule.end_at or schedule.max_runs else ""
    return [
        ScheduleWarning(
            "never_fires", f"It does not fire: no occurrence{bounds} is later than {rfc3339(now_ms)}."
        )
    ]


def _clock_changes(schedule: CronSchedule, calendar: CronCalendar, now_ms: int) -> list[ScheduleWarning]:
    """The changes of the coming year that touch an occurrence with a fixed hour and minute."""
    if not calendar.has_fixed_time:
        return []
    start = now_ms // 1000
    times = timetable(schedule.model_copy(update={"max_runs": None}), job_id="", created_ms=now_ms)
    found: list[ScheduleWarning] = []
    for before, after in zone(schedule.timezone).changes(start, start + _YEAR_S):
        low, high = sorted((after.start + before.offset, after.start + after.offset))
        local = calendar.next(low - 1)
        if local is not None and local < high and times.covers(after.start * 1000):
            found.append(
                _gap(schedule, before, after, local)
                if after.offset > before.offset
                else _overlap(schedule, before, after, local)
            )
    return found


def _gap(schedule: CronSchedule, before: Stretch, after: Stretch, local: int) -> ScheduleWarning:
    change = _change(schedule, before, after, "forward")
    late = f"fires at {_clock(after.start + after.offset)} instead"
    effect = late if schedule.dst == "once" else "does not fire"
    return ScheduleWarning("dst_gap", f"{change}: the occurrence of {_clock(local)} {effect}.")


def _overlap(schedule: CronSchedule, before: Stretch, after: Stretch, local: int) -> ScheduleWarning:
    change = _change(schedule, before, after, "back")
    effect = (
        "fires twice" if schedule.dst == "literal" else "fires once, the first time that the clock shows it"
    )
    return ScheduleWarning("dst_overlap", f"{change}: the occurrence of {_clock(local)} {effect}.")


def _change(schedule: CronSchedule, before: Stretch, after: Stretch, direction: str) -> str:
    old, new = after.start + before.offset, after.start + after.offset
    day = datetime.fromtimestamp(old, UTC).date().isoformat()
    return f"On {day} the clocks of {schedule.timezone} go {direction} from {_clock(old)} to {_clock(new)}"


def _clock(local: int) -> str:
    return datetime.fromtimestamp(local, UTC).strftime("%H:%M:%S" if local % 60 else "%H:%M")
