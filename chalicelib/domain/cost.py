"""What runs use of AWS, and what that costs. Pure; `python -m bench cost` and the tests hold it to what is counted."""

from dataclasses import astuple, dataclass, fields
from typing import Self

from chalicelib.domain.prices import Prices

LOG_BYTES = 200
"""What a worker logs of a batch, with what CloudWatch adds to each line."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Amounts of what AWS counts. `gb_seconds`: of functions, by their memory; `log_bytes`: as ingested."""

    write_units: float = 0
    read_units: float = 0
    queue_requests: float = 0
    invocations: float = 0
    gb_seconds: float = 0
    log_bytes: float = 0

    def __add__(self, other: Self) -> "Usage":
        return Usage(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def __mul__(self, factor: float) -> "Usage":
        return Usage(*(each * factor for each in astuple(self)))

    def usd(self, prices: Prices) -> dict[str, float]:
        """USD by the name of the amount."""
        each = (
            prices.write_unit,
            prices.read_unit,
            prices.queue_request,
            prices.invocation,
            prices.gb_second,
            prices.log_byte,
        )
        return {
            field.name: getattr(self, field.name) * price
            for field, price in zip(fields(self), each, strict=True)
        }

    def total_usd(self, prices: Prices) -> float:
        return sum(self.usd(prices).values())


DISPATCHER_GB, DISPATCH_SECONDS = 1.0, 0.0009
"""Of a tick, for each of 1,000 runs: some 200 calls, eight at a time, and twice the CPU time of `bench tick`."""
