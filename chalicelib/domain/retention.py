"""How long records are kept, by plan. One table."""

from dataclasses import dataclass
from typing import Literal

Plan = Literal["free", "starter", "pro", "enterprise"]
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
    def unseen_seconds(self) -> int:
        """For how long at the end they are not shown any more."""
        return (self.stored_days - self.runs) * 86_400


PLANS: dict[Plan, Retention] = {
    "free": Retention(runs=1, skips=1, logs=1, audit=30),
    "starter": Retention(runs=7, skips=7, logs=7, audit=90),
    "pro": Retention(runs=30, skips=30, logs=30, audit=365),
    "enterprise": Retention(runs=90, skips=90, logs=90, audit=400),
}
