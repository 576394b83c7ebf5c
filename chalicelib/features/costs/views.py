"""Costs as clients see them."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.cost import Usage
from chalicelib.domain.instants import rfc3339
from chalicelib.domain.prices import AS_OF, REGION, Prices

_MOMENT: dict[str, Any] = {"format": "date-time"}
_DIGITS = 6


class CostItem(BaseModel):
    """One thing that AWS bills."""

    model_config = ConfigDict(defer_build=True)

    name: str = Field(description="As in a run's `cost`.", examples=["write_units"])
    amount: float
    usd: float


class CostBound(BaseModel):
    """One way in which the runs may come about."""

    model_config = ConfigDict(defer_build=True)

    usd: float
    usd_per_run: float
    items: list[CostItem]


class CostEstimate(BaseModel):
    """What a job's schedule will cost in the 30 days from now, before any free tier."""

    model_config = ConfigDict(defer_build=True)

    from_at: str = Field(json_schema_extra=_MOMENT)
    until_at: str = Field(json_schema_extra=_MOMENT)
    runs: int = Field(description="Occurrences in this time that will run.")
    counted: bool = Field(
        description="Whether each was counted; false: the rest is as dense as those counted."
    )
    at_least: CostBound = Field(description="If its runs share batches with many others.")
    at_most: CostBound = Field(description="If each is the only run of its moment and of its minute.")
    assumptions: list[str]


class JobCost(BaseModel):
    """What a job's runs have cost, by their records: a part of the time, if there are many."""

    model_config = ConfigDict(defer_build=True)

    from_at: str = Field(json_schema_extra=_MOMENT)
    until_at: str = Field(json_schema_extra=_MOMENT)
    runs: int = Field(description="Records summed up, by their nominal times, those skipped included.")
    attempts: int
    usd: float
    items: list[CostItem]
    prices: str = Field(description="Which prices were used.")
    next_cursor: str | None = Field(
        description="There are more runs: give it as `cursor` and add up. null: this is all."
    )


def prices_of() -> str:
    return f"AWS's list prices of {REGION} as of {AS_OF}, on demand, before any free tier."


def bound(usage: Usage, runs: int, prices: Prices) -> CostBound:
    """`usage` of one run."""
    total = usage.times(runs)
    usd = round(total.total_usd(prices), _DIGITS)
    return CostBound.model_construct(
        usd=usd, usd_per_run=round(usage.total_usd(prices), 9), items=list(items(total, prices))
    )


def items(usage: Usage, prices: Prices) -> Iterable[CostItem]:
    usd = usage.usd(prices)
    for name, amount in usage.shown().items():
        yield CostItem.model_construct(name=name, amount=amount, usd=round(usd[name], _DIGITS))


def moments(start_ms: int, end_ms: int) -> dict[str, Any]:
    """The window, by the names of its fields."""
    return {"from_at": rfc3339(start_ms), "until_at": rfc3339(end_ms)}
