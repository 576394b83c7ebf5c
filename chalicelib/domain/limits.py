"""Limits of flow: how many runs at once, how often they start, and when a target that fails is left alone. Values."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from chalicelib.domain.model import Value

Priority = Literal["high", "normal", "low"]
RANKS: Mapping[Priority, int] = {"high": 0, "normal": 1, "low": 2}
"""Who comes first: the smaller number."""
MAX_CONCURRENCY = 500
MAX_TARGETS = 200
"""Targets of one tenant that have limits: all lie in one item, which workers read at most every few seconds."""


class Rate(Value):
    """So many starts in so much time, evenly spaced: 5 per second are 200 ms apart."""

    limit: int = Field(ge=1, le=100_000, description="Starts of attempts in `per_seconds`.")
    per_seconds: int = Field(1, ge=1, le=86_400)
    burst: int = Field(
        1, ge=1, le=1_000, description="After a quiet time, so many may start at once; then they are spaced."
    )

    @property
    def interval_us(self) -> int:
        """Microseconds from one start to the next, at least 1."""
        return max(1, self.per_seconds * 1_000_000 // self.limit)


class BreakerRule(Value):
    """When a target that fails is left alone, and for how long."""

    failures: int = Field(5, ge=1, le=1_000, description="So many failures within `within_seconds` open it.")
    within_seconds: int = Field(60, ge=1, le=3_600)
    open_seconds: int = Field(
        30, ge=1, le=3_600, description="So long nothing starts; after that, one run is let through to try."
    )


class TenantLimits(Value):
    """What holds for all runs of a tenant together."""

    concurrency: int | None = Field(None, ge=1, le=MAX_CONCURRENCY, description="So many runs at once.")
    rate: Rate | None = None


class TargetLimits(TenantLimits):
    """What holds for all runs of a tenant that go to one target."""

    breaker: BreakerRule | None = None


class Limits(Value):
    """All limits of one tenant; targets by their names."""

    tenant: TenantLimits = TenantLimits()
    targets: dict[str, TargetLimits] = Field(default_factory=dict)


NO_LIMITS = Limits()
