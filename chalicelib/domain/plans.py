"""What each plan allows, and how long it keeps records: the one table."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from chalicelib.domain.errors import FeatureNotInPlan

Plan = Literal["free", "starter", "pro", "enterprise"]
Feature = Literal["webhooks", "federation", "sso", "sla"]
DAY_SECONDS = 86_400
LONGEST_MESSAGE_DAYS = 15
"""A queue may hand out a message after 14 days: so long a run's record stays, seen or not, to refuse a second start."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Days. `runs`: also their attempts, results and dead letters; `logs`: what the functions write."""

    runs: int
    skips: int
    logs: int
    audit: int

    @property
    def stored_days(self) -> int:
        """How long runs and skips lie in their table: longer than they are shown, where that is short."""
        return max(self.runs, self.skips, LONGEST_MESSAGE_DAYS)

    @property
    def file_days(self) -> int:
        """How long files of runs are kept: a day longer than these are shown."""
        return self.runs + 1


@dataclass(frozen=True, slots=True)
class Terms:
    """`jobs` at once, and `executions` in a month; None: without end."""

    jobs: int | None
    executions: int | None
    retention: Retention
    features: frozenset[Feature] = frozenset()


PLANS: dict[Plan, Terms] = {
    "free": Terms(10, 1_000, Retention(runs=1, skips=1, logs=1, audit=30)),
    "starter": Terms(
        100, 50_000, Retention(runs=7, skips=7, logs=7, audit=90), frozenset[Feature]({"webhooks"})
    ),
    "pro": Terms(
        1_000,
        500_000,
        Retention(runs=30, skips=30, logs=30, audit=365),
        frozenset[Feature]({"webhooks", "federation"}),
    ),
    "enterprise": Terms(
        None,
        None,
        Retention(runs=90, skips=90, logs=90, audit=400),
        frozenset[Feature]({"webhooks", "federation", "sso", "sla"}),
    ),
}


def require(plan: Plan | None, feature: Feature) -> None:
    """FeatureNotInPlan unless the plan has it. Who has no plan (None) is held to none."""
    if plan is None or feature in PLANS[plan].features:
        return
    having = next(name for name, terms in PLANS.items() if feature in terms.features)
    raise FeatureNotInPlan(f"The plan {plan} does not have {feature}; {having} is the first that has it.")


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month in UTC, by its name such as 2027-01; epoch milliseconds, `end_ms` is the next one's first."""

    name: str
    start_ms: int
    end_ms: int


def month_of(now_ms: int) -> Month:
    """The month in which executions of that moment count."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    start = datetime(now.year, now.month, 1, tzinfo=UTC)
    end = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    return Month(f"{start:%Y-%m}", round(start.timestamp() * 1000), round(end.timestamp() * 1000))
