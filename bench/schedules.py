"""What the next occurrence costs: amortised over a walk, as the dispatcher and the preview ask for it.

Beside it what it would cost to parse the expression afresh with croniter each time, as schedulers commonly do.
"""

import statistics
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from croniter import croniter

from bench.jobs import NOON
from chalicelib.domain.occurrences import timetable
from chalicelib.domain.schedule import MAX_RUNS, SCHEDULE, CronSchedule
from chalicelib.domain.zones import load_zone, zone

ZONE = "Europe/Berlin"
EXPRESSIONS = {
    "every_second": "* * * * * *",
    "every_minute": "* * * * *",
    "every_5_minutes": "*/5 * * * *",
    "hourly": "0 * * * *",
    "daily": "30 2 * * *",
    "weekdays": "0 9 * * MON-FRI",
    "weekly": "0 9 * * MON",
    "monthly": "0 0 1 * *",
    "last_day": "0 0 L * *",
    "second_friday": "0 0 * * 5#2",
    "leap_day": "0 0 29 2 *",
}
WALK, FRESH, ROUNDS = 2000, 200, 5


def figures() -> Iterable[tuple[str, float, str]]:
    for name, expression in EXPRESSIONS.items():
        yield f"next_after_us_{name}", _least(lambda text=expression: _walk(text)), "us"
        yield f"croniter_afresh_us_{name}", _least(lambda text=expression: _afresh(text)), "us"
    yield "max_runs_first_timetable_ms", statistics.median(_count(number) for number in range(ROUNDS)), "ms"


def _least(measure: Callable[[], float]) -> float:
    """The least of some rounds: what else the machine does only adds."""
    return min(measure() for _ in range(ROUNDS))


def _walk(expression: str) -> float:
    """Microseconds for one of up to 2,000 occurrences in a row, the timetable made anew for each."""
    schedule = CronSchedule(expression=expression, timezone=ZONE)
    at: int | None = NOON
    began, found = time.process_time(), 0
    while at is not None and found < WALK:
        at = timetable(schedule, job_id="job", created_ms=NOON).next_after(at)
        found += 1
    return (time.process_time() - began) / found * 1e6


def _afresh(expression: str) -> float:
    at, info = float(NOON // 1000), load_zone(ZONE)
    began = time.process_time()
    for _ in range(FRESH):
        start = datetime.fromtimestamp(at, info)
        at = croniter(expression, start, second_at_beginning=True).get_next(float)
        at = float(NOON // 1000) if at > 4e9 else at
    return (time.process_time() - began) / FRESH * 1e6


def _count(number: int) -> float:
    """Milliseconds for the first timetable of the longest count: 10,000 Mondays in a zone that goes on changing."""
    schedule = SCHEDULE.validate_python(
        {"kind": "cron", "expression": "0 9 * * MON", "timezone": ZONE, "max_runs": MAX_RUNS}
    )
    zone.cache_clear()
    began = time.process_time()
    timetable(schedule, job_id="job", created_ms=NOON + number)
    return (time.process_time() - began) * 1000
