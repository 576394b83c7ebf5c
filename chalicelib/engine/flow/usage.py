"""What a tenant uses of its plan: a counter of its jobs, and one of each month's executions, in the catalog."""

from dataclasses import dataclass

from chalicelib.domain.plans import DAY_SECONDS, PLANS, Month, Plan, month_of
from chalicelib.engine.core import Engine
from chalicelib.ports.table import (
    Below,
    Condition,
    ConditionFailed,
    Key,
    Lacks,
    TableName,
    Update,
    all_of,
    any_of,
)

USED, _CLOSED = "used", "closed"
KEPT_DAYS = 400
"""How long the counter of a month stays after its end."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What is used in a month; jobs are those that there are now. A tenant without a record has no plan."""

    plan: Plan | None
    month: Month
    jobs: int
    executions: int


def jobs_key(tenant: str) -> Key:
    return f"{tenant}#usage", "jobs"


def executions_key(tenant: str, month: Month) -> Key:
    return f"{tenant}#usage", f"executions#{month.name}"


def read_usage(engine: Engine, tenant: str) -> Usage:
    """As the counters are now."""
    month = month_of(engine.clock.now_ms())
    jobs, executions = jobs_key(tenant), executions_key(tenant, month)
    found = engine.db.catalog.get_many([jobs, executions])
    counts = [max(0, int(found.get(key, {}).get(USED, 0))) for key in (jobs, executions)]
    return Usage(engine.plans.of(engine, tenant), month, *counts)


def read_executions(engine: Engine, tenant: str, month: Month) -> int:
    """How many have been counted in the month."""
    item = engine.db.catalog.get(executions_key(tenant, month))
    return max(0, int(item[USED])) if item else 0


def one_job_more(tenant: str, plan: Plan | None) -> tuple[TableName, Update]:
    """What goes into the transaction that creates a job: refused if the plan allows no more, or after the last."""
    limit, is_open = None if plan is None else PLANS[plan].jobs, Lacks(_CLOSED)
    room = is_open if limit is None else all_of(is_open, room_for(1, limit))
    return "catalog", Update(jobs_key(tenant), add={USED: 1}, when=room)


def one_job_less(tenant: str) -> tuple[TableName, Update]:
    """What goes into the transaction that deletes a job."""
    return "catalog", Update(jobs_key(tenant), add={USED: -1})


def no_job_any_more(tenant: str) -> tuple[TableName, Update]:
    """What goes into the transaction that begins a tenant's end: it is refused while there are jobs."""
    return "catalog", Update(jobs_key(tenant), set={_CLOSED: 1}, when=any_of(Lacks(USED), Below(USED, 1)))


def refused_by_jobs(tenant: str, refused: ConditionFailed) -> bool:
    """Whether a transaction was refused since there are as many jobs as the plan allows."""
    item = refused.existing or {}
    return (item.get("pk"), item.get("sk")) == jobs_key(tenant) and _CLOSED not in item


def executed(tenant: str, month: Month, count: int, limit: int | None = None) -> Update:
    """Count so many executions of the month more, or fewer if negative; refused if that would be over the limit."""
    kept = {"expires_at": month.end_ms // 1000 + KEPT_DAYS * DAY_SECONDS}
    when = None if limit is None else room_for(count, limit)
    return Update(executions_key(tenant, month), set={**kept}, add={USED: count}, when=when)


def room_for(count: int, limit: int) -> Condition:
    """So many more are no more than the limit; who counts the first is never refused."""
    return any_of(Lacks(USED), Below(USED, limit - count + 1))
