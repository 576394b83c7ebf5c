"""Reading runs: one, those of a job, and all of a tenant."""

from chalicelib.domain.errors import Conflict, NotFound
from chalicelib.domain.ids import is_id
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.admission import Admission
from chalicelib.engine.ledger.cancel import ask_to_stop
from chalicelib.engine.records import decode_job, decode_run, job_key, run_key, runs_of_job
from chalicelib.engine.retention import is_shown
from chalicelib.features.jobs import service as jobs
from chalicelib.features.paging import read_page
from chalicelib.features.runs import reading
from chalicelib.features.runs.filters import JobRunsQuery, RunsQuery
from chalicelib.ports.table import ConditionFailed

TRIES = 5
"""How often a cancellation is decided anew when the run has moved on."""


def read(engine: Engine, tenant: str, identifier: str) -> Run:
    """NotFound if there is none; what cannot be an id is not looked up."""
    item = engine.db.runs.get(run_key(tenant, identifier)) if is_id(identifier, "run") else None
    if item is None or not is_shown(engine, item):
        raise NotFound("There is no such run.")
    return decode_run(item)


def cancel(engine: Engine, tenant: str, identifier: str) -> Run:
    """The run, cancelled or asked to stop. NotFound; Conflict if it is over, or changes all the time."""
    for _ in range(TRIES):
        run = read(engine, tenant, identifier)
        try:
            after = ask_to_stop(engine, run)
        except ConditionFailed:
            continue
        if after.is_final:  # also if it was before: who asks again may have been told nothing
            _make_room(engine, after)
        engine.witness.changed("run", run.id, {"status": run.status}, {"status": after.status})
        return after
    raise Conflict("The run keeps changing; try again.")


def _make_room(engine: Engine, run: Run) -> None:
    item = engine.db.catalog.get(job_key(run.tenant, run.job_id))
    if item is not None:
        Admission(engine).leave(decode_job(item), run)


def of_job(
    engine: Engine, tenant: str, job_id: str, query: JobRunsQuery, after: str | None
) -> tuple[list[Run], str | None]:
    """The job's runs that the query means. NotFound if neither the job nor any run of it is there."""
    if not is_id(job_id, "job"):
        raise NotFound("There is no such job.")
    found, last = _in_job(engine, tenant, job_id, query, after)
    if not found and after is None:
        jobs.read(engine, tenant, job_id)
    return found, last


def of_tenant(
    engine: Engine, tenant: str, query: RunsQuery, after: str | None
) -> tuple[list[Run], str | None]:
    """The tenant's runs that the query means."""
    if query.job:
        return _in_job(engine, tenant, query.job, query, after)
    fetch = reading.of_tenant(engine, tenant, query.span(), after)
    return read_page(fetch, query.wants, query.limit, after)


def _in_job(
    engine: Engine, tenant: str, job_id: str, query: JobRunsQuery, after: str | None
) -> tuple[list[Run], str | None]:
    fetch = reading.in_index(engine, tenant, "by_job", runs_of_job(tenant, job_id), query.span())
    return read_page(fetch, query.wants, query.limit, after)
