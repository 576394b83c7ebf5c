"""Runs as rows of a report: one by one, or what they come to by day or by job. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.run import Run, RunStatus
from chalicelib.domain.zones import Zone
from chalicelib.executors.report.tables import Value, value_of
from chalicelib.ports.run_history import PastRun

Row = tuple[Value, ...]
ROW_FIELDS = (
    "job",
    "status",
    "trigger",
    "nominal_at",
    "started_at",
    "finished_at",
    "seconds",
    "drift_ms",
    "attempts",
    "error_kind",
    "error",
    "skip_reason",
    "cost_usd",
    "run_id",
    "job_id",
)
_ENDS = (
    RunStatus.SUCCEEDED,
    RunStatus.FAILED,
    RunStatus.TIMED_OUT,
    RunStatus.CANCELLED,
    RunStatus.SKIPPED,
)
TOTAL_FIELDS = (
    "runs",
    *(status.value.lower() for status in _ENDS),
    "unfinished",
    "mean_seconds",
    "max_seconds",
    "max_drift_ms",
    "cost_usd",
)


def row_of(past: PastRun) -> Row:
    """A run, in the order of ROW_FIELDS."""
    run = past.run
    error = _error(run)
    return (
        _job(past),
        run.status.value,
        run.trigger,
        rfc3339(run.nominal_ms),
        _moment(run.first_started_ms),
        _moment(run.finished_ms),
        _seconds(run),
        run.drift_ms,
        run.attempt,
        value_of(error.get("kind")),
        value_of(error.get("message")),
        run.skip_reason,
        _usd(past.usd),
        run.id,
        run.job_id,
    )


def by_day(found: Iterable[PastRun], window: tuple[int, int], zone: Zone) -> tuple[list[str], list[Row]]:
    """Each day of the window, also those without a run; no row if there is no run at all."""
    totals: defaultdict[date, _Totals] = defaultdict(_Totals)
    for past in found:
        totals[_day(past.run.nominal_ms, zone)].add(past)
    rows: list[Row] = []
    if totals:
        first, last = _day(window[0], zone), _day(window[1] - 1, zone)
        days = (first + timedelta(days=number) for number in range((last - first).days + 1))
        rows = [(day.isoformat(), *totals[day].row()) for day in days]
    return ["day", *TOTAL_FIELDS], rows


def by_job(found: Iterable[PastRun]) -> tuple[list[str], list[Row]]:
    """By the jobs' names."""
    totals: defaultdict[tuple[str, str], _Totals] = defaultdict(_Totals)
    for past in found:
        totals[_job(past), past.run.job_id].add(past)
    rows: list[Row] = [(job, *totals[job, job_id].row(), job_id) for job, job_id in sorted(totals)]
    return ["job", *TOTAL_FIELDS, "job_id"], rows


class _Totals:
    """What some runs come to."""

    def __init__(self) -> None:
        self._runs, self._usd = 0, 0.0
        self._ended = dict.fromkeys(_ENDS, 0)
        self._seconds: list[float] = [0, 0, 0]
        self._drift_ms: int | None = None

    def add(self, past: PastRun) -> None:
        run, seconds = past.run, _seconds(past.run)
        self._runs += 1
        self._usd += past.usd
        if run.status in self._ended:
            self._ended[run.status] += 1
        if seconds is not None:
            count, together, longest = self._seconds
            self._seconds = [count + 1, together + seconds, max(longest, seconds)]
        if run.drift_ms is not None:
            self._drift_ms = max(self._drift_ms or 0, run.drift_ms)

    def row(self) -> Row:
        """In the order of TOTAL_FIELDS."""
        count, together, longest = self._seconds
        unfinished = self._runs - sum(self._ended.values())
        mean = round(together / count, 3) if count else None
        slowest = longest if count else None
        return (
            self._runs,
            *self._ended.values(),
            unfinished,
            mean,
            slowest,
            self._drift_ms,
            _usd(self._usd),
        )


def _job(past: PastRun) -> str:
    """The job's name; of a deleted job its id."""
    return str(value_of(past.job_name or past.run.job_id))


def _error(run: Run) -> dict[str, object]:
    """Why the latest attempt failed; nothing of a run that succeeded."""
    ended = run.attempts[-1] if run.attempts and run.status is not RunStatus.SUCCEEDED else None
    return (ended and ended.error) or {}


def _seconds(run: Run) -> float | None:
    """From the first start to the end, with the waits between attempts."""
    if run.first_started_ms is None or run.finished_ms is None:
        return None
    return (run.finished_ms - run.first_started_ms) / 1000


def _day(at_ms: int, zone: Zone) -> date:
    second = at_ms // 1000
    return date(1970, 1, 1) + timedelta(days=(second + zone.offset(second)) // 86_400)


def _moment(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc3339(at_ms)


def _usd(amount: float) -> float:
    return round(amount, 9)
