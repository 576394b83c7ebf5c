"""Limits as clients see them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.breaker import State
from chalicelib.domain.instants import rfc3339
from chalicelib.domain.limits import TargetLimits, TenantLimits
from chalicelib.features.limits.service import COUNTED, Live
from chalicelib.features.paging import Page


class BreakerState(BaseModel):
    """A target's breaker."""

    model_config = ConfigDict(defer_build=True)

    state: State = Field(
        description="open: nothing starts. half_open: one run tries whether the target is well."
    )
    failures: int = Field(description="Those that count: of the present row while it is closed.")
    since: str | None = Field(
        json_schema_extra={"format": "date-time"},
        description="When it came into this state; while it is closed, when the present row of failures began.",
    )
    open_until: str | None = Field(json_schema_extra={"format": "date-time"}, description="While it is open.")


class GateView(BaseModel):
    """How things stand now."""

    model_config = ConfigDict(defer_build=True)

    active: int = Field(description="Slots that are taken; 0 without a limit of concurrency.")
    waiting: int = Field(description=f"Runs that wait to be called, counted up to {COUNTED}.")
    next_start_at: str | None = Field(
        json_schema_extra={"format": "date-time"}, description="The next moment that the rate has to give."
    )
    breaker: BreakerState | None = Field(description="null: it has none.")


class TenantLimitsView(TenantLimits):
    """The tenant's limits."""

    model_config = ConfigDict(defer_build=True)

    state: GateView


class TargetSummary(TargetLimits):
    """A target's limits."""

    model_config = ConfigDict(defer_build=True)

    host: str


class TargetView(TargetSummary):
    """A target's limits, and how things stand there."""

    model_config = ConfigDict(defer_build=True)

    state: GateView


class TargetPage(Page):
    """One page of targets, by name."""

    items: list[TargetSummary]


def tenant_view(limits: TenantLimits, live: Live, now_ms: int) -> TenantLimitsView:
    return TenantLimitsView.model_construct(
        concurrency=limits.concurrency, rate=limits.rate, state=gate_view(live, now_ms)
    )


def target_summary(host: str, limits: TargetLimits) -> TargetSummary:
    return TargetSummary.model_construct(host=host, **_fields(limits))


def target_view(host: str, limits: TargetLimits, live: Live, now_ms: int) -> TargetView:
    return TargetView.model_construct(host=host, **_fields(limits), state=gate_view(live, now_ms))


def gate_view(live: Live, now_ms: int) -> GateView:
    next_ms = max(now_ms, live.state.next_us // 1000)
    return GateView.model_construct(
        active=len(live.state.active(now_ms)),
        waiting=live.waiting,
        next_start_at=rfc3339(next_ms) if live.gate.rate else None,
        breaker=_breaker_view(live) if live.gate.breaker else None,
    )


def _breaker_view(live: Live) -> BreakerState:
    breaker = live.state.breaker
    return BreakerState.model_construct(
        state=breaker.state,
        failures=breaker.failures,
        since=rfc3339(breaker.since_ms) if breaker.since_ms else None,
        open_until=rfc3339(breaker.until_ms) if breaker.state == "open" else None,
    )


def _fields(limits: TargetLimits) -> dict[str, Any]:
    return {"concurrency": limits.concurrency, "rate": limits.rate, "breaker": limits.breaker}
