"""What a tenant's plan refuses at the API."""

from chalicelib.domain.errors import QuotaExceeded
from chalicelib.domain.instants import rfc3339
from chalicelib.domain.plans import PLANS, Feature, Plan, month_of, require
from chalicelib.engine.core import Engine
from chalicelib.engine.flow.usage import read_executions, read_usage

WHERE = "GET /tenant/usage shows what is used."


def require_feature(engine: Engine, tenant: str, feature: Feature) -> None:
    """FeatureNotInPlan unless the tenant's plan has it."""
    require(engine.plans.of(engine, tenant), feature)


def require_executions(engine: Engine, tenant: str) -> None:
    """QuotaExceeded if the month's executions are used up: what is asked for now could not start."""
    plan = engine.plans.of(engine, tenant)
    limit = None if plan is None else PLANS[plan].executions
    if plan is None or limit is None:
        return
    month = month_of(engine.clock.now_ms())
    used = read_executions(engine, tenant, month)
    if used < limit:
        return
    until = rfc3339(month.end_ms)
    message = f"The {limit} executions a month of the plan {plan} are used up until {until}. {WHERE}"
    raise QuotaExceeded(
        message, quota="executions", plan=plan, limit=limit, used=used, resets_ms=month.end_ms
    )


def too_many_jobs(engine: Engine, tenant: str, plan: Plan) -> QuotaExceeded:
    """For who creates one job more than the plan allows."""
    limit = PLANS[plan].jobs or 0
    used = max(limit, read_usage(engine, tenant).jobs)
    message = (
        f"The plan {plan} allows {limit} jobs, and there are {used}: delete one, or change the plan. {WHERE}"
    )
    return QuotaExceeded(message, quota="jobs", plan=plan, limit=limit, used=used)
