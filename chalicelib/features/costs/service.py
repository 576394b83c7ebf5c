"""Counting a schedule's occurrences to come, and summing up what runs have used."""

from dataclasses import dataclass, replace
from itertools import islice

from chalicelib.domain.cost import Usage
from chalicelib.domain.errors import NotFound
from chalicelib.domain.ids import is_id
from chalicelib.domain.job import Job
from chalicelib.domain.occurrences import Timetable
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.records import runs_of_job, usage_of
from chalicelib.features.jobs import service as jobs
from chalicelib.features.runs.reading import Span, in_index

COUNTED = 50_000
"""Occurrences counted one by one, more than a month of minutes. What is denser is taken to go on as it began."""
AT_ONCE = 100
"""Runs read in one call."""


@dataclass(frozen=True, slots=True)
class Count:
    """`exact`: each occurrence was counted."""

    runs: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Sum:
    """What some runs have used. `last` is the id of the last one looked at, None where no more follow."""

    runs: int
    attempts: int
    usage: Usage
    last: str | None


def count(table: Timetable, start_ms: int, end_ms: int) -> Count:
    """How many moments of [start, end) run."""
    found = list(islice(table.between(start_ms, end_ms), COUNTED))
    if len(found) < COUNTED:
        return Count(len(found), exact=True)
    apart_ms = (found[-1] - found[0]) / (len(found) - 1)
    return Count(len(found) + int((end_ms - 1 - found[-1]) / apart_ms), exact=False)


def spent(
    engine: Engine, tenant: str, job_id: str, window: tuple[int, int], *, limit: int, after: str | None
) -> Sum:
    """At most `limit` runs with nominal times in [start, end), the latest first, after an id of a former call.

    NotFound if neither the job nor any run of it is there.
    """
    if not is_id(job_id, "job"):
        raise NotFound("There is no such job.")
    fetch = in_index(engine, tenant, "by_job", runs_of_job(tenant, job_id), Span(*window))
    place, looked_at, total = after, 0, Sum(0, 0, Usage(), None)
    while looked_at < limit:
        rows, more = fetch(place, min(AT_ONCE, limit - looked_at))
        total = _added(total, [run for _, run in rows if run is not None])
        if not more:
            break
        looked_at, place = looked_at + len(rows), rows[-1][0]
    else:
        total = replace(total, last=place)
    if not total.runs and after is None:
        _must_exist(engine, tenant, job_id)
    return total


def _added(total: Sum, runs: list[Run]) -> Sum:
    usage = total.usage
    for run in runs:
        usage += usage_of(run)
    return Sum(total.runs + len(runs), total.attempts + sum(run.attempt for run in runs), usage, None)


def _must_exist(engine: Engine, tenant: str, job_id: str) -> Job | None:
    """The job; None if it is gone, but has had runs."""
    fetch = in_index(engine, tenant, "by_job", runs_of_job(tenant, job_id))
    rows, _ = fetch(None, 1)
    return None if rows else jobs.read(engine, tenant, job_id)
