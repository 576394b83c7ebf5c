"""The routes of costs. Their service is loaded when it is first asked for."""

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.cost import CROWDED, LONELY, Setting, Sizes, Usage, estimated, item_bytes
from chalicelib.domain.errors import Invalid
from chalicelib.domain.instants import epoch_ms
from chalicelib.domain.job import MAX_TIMEOUT_SECONDS, Job, JobDefinition
from chalicelib.domain.schedule import Moment
from chalicelib.engine.core import Engine
from chalicelib.engine.records import encode_job
from chalicelib.engine.wheel.arm import agenda_of
from chalicelib.features.base import Answer, Request, Response, Route
from chalicelib.features.costs.views import CostEstimate, JobCost, bound, items, moments, prices_of
from chalicelib.features.jobs.api import DEFINITION
from chalicelib.features.jobs.changes import created
from chalicelib.features.jobs.timing import calendars_for
from chalicelib.features.paging import List, PageQuery

DAY_MS = 86_400_000
DAYS = 30
MAX_DAYS, MOST = 400, 2_000
MINUTES = DAYS * 1440
_NO_JOB = "job_" + "0" * 26
WORKER_MB = 256
"""The workers' memory: the api has another."""
RECORD_BYTES = {"dummy": 450, "http": 1_000}
"""Of a run that succeeds, by the job's type: what is known of its result before it has run."""


class EstimateQuery(BaseModel):
    """What the definition does not say."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    seconds: float = Field(
        0.5,
        ge=0,
        le=MAX_TIMEOUT_SECONDS,
        description="How long one attempt will take: mostly your own server.",
    )


class CostQuery(PageQuery):
    """Which stretch of time."""

    limit: int = Field(MOST, ge=1, le=MOST, description="How many runs to sum up at most.")
    from_: Moment | None = Field(None, alias="from", description=f"Default: {DAYS} days before `to`.")
    to: Moment | None = Field(
        None, description=f"Not included. Default: now; at most {MAX_DAYS} days after `from`."
    )

    def window(self, now_ms: int) -> tuple[int, int]:
        """[start, end). Invalid if it is empty or too wide."""
        end_ms = epoch_ms(self.to) if self.to else now_ms
        start_ms = epoch_ms(self.from_) if self.from_ else end_ms - DAYS * DAY_MS
        if end_ms <= start_ms:
            raise Invalid.field("/query/to", "to must be later than from.", "end_before_start")
        if end_ms - start_ms > MAX_DAYS * DAY_MS:
            raise Invalid.field("/query/to", f"The window is wider than {MAX_DAYS} days.", "window_too_wide")
        return start_ms, end_ms


def estimate_job(engine: Engine, request: Request) -> Response:
    from chalicelib.features.costs.service import count

    definition: JobDefinition = request.body
    query: EstimateQuery = request.query
    start_ms = engine.clock.now_ms()
    end_ms = start_ms + DAYS * DAY_MS
    job = created(definition, job_id=_NO_JOB, tenant=request.tenant, shards=1, now_ms=start_ms)
    table = agenda_of(job, calendars_for(engine, job, start_ms))
    runs = count(table, start_ms, end_ms)
    sizes = Sizes(job=item_bytes(encode_job(job)), run=RECORD_BYTES.get(job.type, Sizes().run))
    low, high = (_of_one(setting, sizes, query.seconds, runs.runs) for setting in (CROWDED, LONELY))
    prices = engine.settings.prices
    estimate = CostEstimate.model_construct(
        **moments(start_ms, end_ms),
        runs=runs.runs,
        counted=runs.exact,
        at_least=bound(low, runs.runs, prices),
        at_most=bound(high, runs.runs, prices),
        assumptions=_assumptions(engine, job, query.seconds, sizes),
    )
    return Response(estimate)


def get_cost(engine: Engine, request: Request) -> Response:
    from chalicelib.features.costs.service import spent

    query: CostQuery = request.query
    job_id = request.path["job_id"]
    start_ms, end_ms = query.window(engine.clock.now_ms())
    pages = List(engine.secrets, request.tenant, f"cost of {job_id}", "run", query)
    window = (start_ms, end_ms)
    total = spent(engine, request.tenant, job_id, window, limit=query.limit, after=pages.after(query.cursor))
    cost = JobCost.model_construct(
        **moments(start_ms, end_ms),
        runs=total.runs,
        attempts=total.attempts,
        usd=round(total.usage.total_usd(engine.settings.prices), 6),
        items=list(items(total.usage, engine.settings.prices)),
        prices=prices_of(),
        next_cursor=pages.cursor(total.last),
    )
    return Response(cost)


def _of_one(setting: Setting, sizes: Sizes, seconds: float, runs: int) -> Usage:
    return estimated(setting, sizes, seconds=seconds, memory_mb=WORKER_MB, a_tick=runs / MINUTES)


def _assumptions(engine: Engine, job: Job, seconds: float, sizes: Sizes) -> list[str]:
    found = [
        prices_of(),
        f"One attempt a run, of {seconds:g} s, in workers of {WORKER_MB} MB on {engine.settings.architecture}.",
        f"A record of {sizes.run:,} bytes a run: what your server answers, up to 8 KB, is in it.",
        "Neither the stage's own idle cost, nor keeping the records, nor what your targets cost is in it.",
        "No files are in it, and no lines of logs.",
    ]
    if job.concurrency.policy != "allow":
        found.append(
            "Slots are not in it: with this concurrency policy a run takes about ten write units more."
        )
    return found


_WINDOW = "Default: the last 30 days. Of a deleted job too, until its records expire."
ROUTES = (
    Route(
        method="POST",
        path="/jobs/estimate",
        handler=estimate_job,
        summary="Estimate what a job will cost",
        tag="costs",
        rule="jobs:read",
        unrecorded="an estimate changes nothing",
        description="For the next 30 days, by the schedule that is given; nothing is saved.",
        query=EstimateQuery,
        body=DEFINITION,
        answers=(Answer(description="The estimate.", model=CostEstimate),),
    ),
    Route(
        method="GET",
        path="/jobs/{job_id}/cost",
        handler=get_cost,
        summary="Sum up what a job's runs have cost",
        tag="costs",
        rule="jobs:read",
        description=_WINDOW,
        query=CostQuery,
        answers=(Answer(description="The sum, or a part of it.", model=JobCost),),
    ),
)
