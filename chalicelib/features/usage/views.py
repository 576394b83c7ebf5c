"""Usage as clients see it."""

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.plans import PLANS, Feature
from chalicelib.engine.flow.usage import Usage

_MOMENT: dict[str, JsonValue] = {"format": "date-time"}


class Period(BaseModel):
    """The calendar month, in UTC, in which executions are counted."""

    model_config = ConfigDict(defer_build=True)

    start_at: str = Field(json_schema_extra=_MOMENT)
    end_at: str = Field(json_schema_extra=_MOMENT, description="The first moment of the next one.")


class JobsUsed(BaseModel):
    """Jobs that there are now, paused ones too."""

    model_config = ConfigDict(defer_build=True)

    used: int
    limit: int | None = Field(description="null: without end.")


class ExecutionsUsed(BaseModel):
    """Runs that have started in this period, each counted once however many attempts it makes."""

    model_config = ConfigDict(defer_build=True)

    used: int
    limit: int | None = Field(description="null: without end.")
    resets_at: str = Field(json_schema_extra=_MOMENT)


class UsageView(BaseModel):
    """What the plan allows, and how much of it is used."""

    model_config = ConfigDict(defer_build=True)

    plan: str | None = Field(
        description="free, starter, pro or enterprise; null: the tenant is held to no plan."
    )
    period: Period
    jobs: JobsUsed
    executions: ExecutionsUsed
    retention_days: int = Field(description="How long runs, dead letters and skips can be read.")
    features: list[str] = Field(description="What the plan has beside jobs.", examples=[["webhooks"]])


def usage_view(usage: Usage, shown_days: int) -> UsageView:
    terms = None if usage.plan is None else PLANS[usage.plan]
    start_at, end_at = rfc3339(usage.month.start_ms), rfc3339(usage.month.end_ms)
    features: frozenset[Feature] = terms.features if terms else PLANS["enterprise"].features
    return UsageView.model_construct(
        plan=usage.plan,
        period=Period.model_construct(start_at=start_at, end_at=end_at),
        jobs=JobsUsed.model_construct(used=usage.jobs, limit=terms.jobs if terms else None),
        executions=ExecutionsUsed.model_construct(
            used=usage.executions, limit=terms.executions if terms else None, resets_at=end_at
        ),
        retention_days=shown_days,
        features=sorted(features),
    )
