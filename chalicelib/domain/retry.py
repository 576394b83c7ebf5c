"""When a failed attempt is followed by another, and after how long."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from chalicelib.domain.model import Value
from chalicelib.domain.outcome import Failed

ErrorKind = Literal[
    "timeout",
    "connection",
    "http_4xx",
    "http_5xx",
    "http_429",
    "http_unexpected",
    "forbidden_target",
    "rate_limited",
    "authentication",
    "template",
    "condition",
    "script_exit",
    "script_killed",
    "database",
    "database_conflict",
    "broker",
    "cache",
    "file",
    "grpc",
    "cloud",
    "output",
    "worker_lost",
    "callback_failed",
    "callback_timeout",
    "unknown",
]
Match = ErrorKind | Annotated[int, Field(ge=100, le=599)]

_TEMPORARY_4XX = (408, 425, 429)
_NEVER = ("http_4xx", "forbidden_target", "authentication", "template")


class RetryPolicy(Value):
    """At most `max_attempts` in all; delays in seconds. An attempt's delay counts from the end of the one before."""

    max_attempts: int = Field(3, ge=1, le=100)
    strategy: Literal["fixed", "exponential", "none"] = "exponential"
    initial_delay_seconds: float = Field(10, ge=0, le=86_400)
    max_delay_seconds: float = Field(900, ge=0, le=86_400)
    multiplier: float = Field(2, ge=1, le=10)
    jitter: Literal["full", "none"] = "full"
    retry_on: tuple[Match, ...] | None = Field(
        None,
        description="Only these error kinds or status codes are retried. Default: all but lasting 4xx answers.",
    )
    give_up_on: tuple[Match, ...] = Field((), description="These are never retried; it wins over retry_on.")
    max_age_seconds: int | None = Field(
        None, ge=1, le=2_592_000, description="No retry starts later than this after the first attempt."
    )

    @model_validator(mode="after")
    def _the_cap_is_not_below_the_start(self) -> "RetryPolicy":
        if self.max_delay_seconds < self.initial_delay_seconds and self.strategy == "exponential":
            raise ValueError("max_delay_seconds must not be smaller than initial_delay_seconds")
        return self

    def is_retryable(self, failed: Failed) -> bool:
        """Whether this failure may pass by itself.

        What the other side says of it counts: against another try always, for one where `retry_on` does not decide.
        """
        if failed.retryable is False or _matches(self.give_up_on, failed):
            return False
        if self.retry_on is not None:
            return _matches(self.retry_on, failed)
        if failed.retryable is not None:
            return failed.retryable
        return failed.kind not in _NEVER or failed.status in _TEMPORARY_4XX

    def delay_seconds(self, attempt: int, failed: Failed, fraction: float) -> float:
        """Seconds from the end of `attempt` (counted from 1) to the next; `fraction` in [0, 1) is the jitter's chance.

        A longer Retry-After of the other side wins, up to the cap.
        """
        if self.strategy == "none":
            planned = 0.0
        elif self.strategy == "fixed":
            planned = self.initial_delay_seconds
        else:
            planned = min(
                self.max_delay_seconds, self.initial_delay_seconds * self.multiplier ** min(attempt - 1, 64)
            )
        jittered = planned * fraction if self.jitter == "full" else planned
        return max(jittered, min(failed.retry_after_seconds or 0.0, max(planned, self.max_delay_seconds)))

    def next_attempt_ms(
        self, attempt: int, failed: Failed, *, first_started_ms: int, now_ms: int, fraction: float
    ) -> int | None:
        """When the attempt after `attempt` is due, None if there is none."""
        if attempt >= self.max_attempts or not self.is_retryable(failed):
            return None
        due_ms = now_ms + round(self.delay_seconds(attempt, failed, fraction) * 1000)
        if self.max_age_seconds is not None and due_ms > first_started_ms + self.max_age_seconds * 1000:
            return None
        return due_ms


def _matches(wanted: tuple[Match, ...], failed: Failed) -> bool:
    return failed.kind in wanted or (failed.status is not None and failed.status in wanted)
