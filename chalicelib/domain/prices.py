"""What AWS asks for what Chronos uses: one table."""

from dataclasses import dataclass
from typing import Literal

Architecture = Literal["arm64", "x86_64"]
REGION = "us-east-1"
AS_OF = "2026-11"
"""When the table was last compared with aws.amazon.com/{dynamodb,sqs,lambda,eventbridge,cloudwatch,s3}/pricing."""


@dataclass(frozen=True, slots=True)
class Prices:
    """USD for one of each: on demand, in REGION, before any free tier."""

    gb_second: float
    write_unit: float = 0.625e-6
    read_unit: float = 0.125e-6
    queue_request: float = 0.40e-6
    invocation: float = 0.20e-6
    schedule: float = 1.0e-6
    log_byte: float = 0.50e-9
    file_request: float = 5.0e-6
    file_gb_month: float = 0.023
    file_days: int = 31
    """How long files are kept here: no price, but it makes one of `file_gb_month`."""
    stored_gb_month: float = 0.25
    backed_up_gb_month: float = 0.20
    alarm_month: float = 0.10
    metric_month: float = 0.30

    @property
    def file_gb(self) -> float:
        """A GB in a file, until it is deleted."""
        return self.file_gb_month * self.file_days / 30


PRICES: dict[Architecture, Prices] = {
    "arm64": Prices(gb_second=13.3334e-6),
    "x86_64": Prices(gb_second=16.6667e-6),
}
