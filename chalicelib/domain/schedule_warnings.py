"""What an owner should know before saving a schedule that is valid."""

from dataclasses import dataclass
from typing import Literal

from chalicelib.domain.clock_warnings import clock_warnings
from chalicelib.domain.cron import CronCalendar, cron_calendar
from chalicelib.domain.instants import rfc3339
from chalicelib.domain.occurrences import Timetable, timetable
from chalicelib.domain.schedule import CronSchedule, IntervalSchedule, ManualSchedule, Schedule

WarningCode = Literal["day_rule", "frequent", "dst_gap", "dst_overlap", "never_fires"]

USD_PER_RUN = (3.78e-6, 6.59e-6)
"""The price of a run in full batches, and of one that is alone in its batch, as `python -m bench cost` counts it at the
prices of `prices.py`, on arm64. What your target costs is not in it."""

_DAY_MS = 86_400_000
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
) -> list[ScheduleWarning]:
    """All that apply, from `now_ms` on; without `created_ms` for a job that is created now."""
    times = timetable(schedule, job_id=job_id, created_ms=now_ms if created_ms is None else created_ms)
    found = _never_fires(schedule, times, now_ms) + _frequent(schedule, now_ms, job_id)
    if not isinstance(schedule, CronSchedule):
        return found
    calendar = cron_calendar(schedule.expression, schedule.day_match, job_id)
    changes = clock_warnings(schedule, calendar, times, now_ms)
    return _day_rule(schedule, calendar) + found + [ScheduleWarning(*change) for change in changes]


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


def _frequent(schedule: Schedule, now_ms: int, job_id: str) -> list[ScheduleWarning]:
    runs = _runs_a_month(schedule, now_ms, job_id)
    if runs is None:
        return []
    low, high = (f"{runs * price:,.2f}" for price in USD_PER_RUN)
    cost = f"{low} USD" if low == high else f"{low} to {high} USD"
    message = (
        f"It fires more often than once a minute: about {runs:,} runs in {_MONTH_DAYS} days, at about {cost}."
    )
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


def _never_fires(schedule: Schedule, times: Timetable, now_ms: int) -> list[ScheduleWarning]:
    if isinstance(schedule, ManualSchedule) or times.next_after(now_ms) is not None:
        return []
    bounds = " inside its bounds" if schedule.start_at or schedule.end_at or schedule.max_runs else ""
    message = f"It does not fire: no occurrence{bounds} is later than {rfc3339(now_ms)}."
    return [ScheduleWarning("never_fires", message)]
