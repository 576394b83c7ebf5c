"""Reading runs: one, those of a job, and all of a tenant."""

from collections.abc import Callable

from chalicelib.domain.errors import Conflict, NotFound
from chalicelib.domain.ids import is_id
from chalicelib.domain.run import Run
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.admission import Admission
from chalicelib.engine.ledger.cancel import ask_to_stop
from chalicelib.engine.records import decode_job, decode_run, job_key, run_key, run_partitions, runs_of_job
from chalicelib.engine.retention import is_shown
from chalicelib.features.jobs import service as jobs
from chalicelib.features.paging import Fetch, read_page
from chalicelib.ports.table import ConditionFailed, Item

Wanted = Callable[[Run], bool]
TRIES = 5
"""How often a cancellation is decided anew when the run has moved on."""
_LOWEST, _PAST_ALL = "run_", "run_~"


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
        return after
    raise Conflict("The run keeps changing; try again.")


def _make_room(engine: Engine, run: Run) -> None:
    item = engine.db.catalog.get(job_key(run.tenant, run.job_id))
    if item is not None:
        Admission(engine).leave(decode_job(item), run)


def of_job(
    engine: Engine, tenant: str, job_id: str, wanted: Wanted, *, limit: int, after: str | None
) -> tuple[list[Run], str | None]:
    """The job's runs, latest first. NotFound if neither the job nor any run of it is there."""
    if not is_id(job_id, "job"):
        raise NotFound("There is no such job.")
    fetch = in_index(engine, tenant, "by_job", runs_of_job(tenant, job_id))
    found, last = read_page(fetch, wanted, limit, after)
    if not found and after is None:
        jobs.read(engine, tenant, job_id)
    return found, last


def of_tenant(
    engine: Engine, tenant: str, wanted: Wanted, *, limit: int, after: str | None
) -> tuple[list[Run], str | None]:
    """All of a tenant's runs, latest first."""

    def fetch(after: str | None, count: int) -> tuple[list[tuple[str, Run | None]], bool]:
        items: list[Item] = []
        more = False
        for partition in run_partitions(tenant):
            page = engine.db.runs.query(
                partition, low=_LOWEST, high=after or _PAST_ALL, limit=count, backwards=True
            )
            items += page.items
            more = more or page.next is not None
        items.sort(key=lambda item: str(item["sk"]), reverse=True)
        rows = [(str(item["sk"]), _shown(engine, item)) for item in items[:count]]
        return rows, more or len(items) > count

    return read_page(fetch, wanted, limit, after)


def _shown(engine: Engine, item: Item | None) -> Run | None:
    return decode_run(item) if item and is_shown(engine, item) else None


_INDEX_KEYS = {"by_job": ("job", "sk"), "dead": ("dead_pk", "dead_sk")}


def in_index(engine: Engine, tenant: str, index: str, value: str) -> Fetch[Run]:
    """The runs in one partition of an index, latest first."""
    hash_name, sort_name = _INDEX_KEYS[index]

    def fetch(after: str | None, count: int) -> tuple[list[tuple[str, Run | None]], bool]:
        start: Item | None = None
        if after is not None:
            pk, sk = run_key(tenant, after)
            start = {"pk": pk, "sk": sk, hash_name: value, sort_name: after}
        keys, more = engine.db.runs.query_index(index, value, limit=count, backwards=True, after=start)
        items = engine.db.runs.get_many(keys)
        return [(key[1], _shown(engine, items.get(key))) for key in keys], more is not None

    return fetch
