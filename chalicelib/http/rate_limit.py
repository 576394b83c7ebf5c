"""How often a key may ask: a token bucket for each, in this process's memory.

It costs nothing and needs no table, so it is no exact limit: several processes have a bucket each. What bounds a whole
stage is the gateway's throttle; this keeps one key from taking all of a process, and tells clients when to slow down.
"""

from collections import OrderedDict
from dataclasses import dataclass
from math import ceil

MAX_KEYS = 1_000
"""Buckets that are kept; the one that was not used for longest is forgotten first, which fills it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`burst` requests at once, and `per_second` from then on."""

    burst: int = 400
    per_second: float = 100.0

    @property
    def window_seconds(self) -> int:
        """How long an empty bucket takes to be full."""
        return ceil(self.burst / self.per_second)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may go on, how many more may right now, and in how many seconds the bucket is full again."""

    allowed: bool
    remaining: int
    reset_seconds: int
    retry_seconds: int

    def headers(self, policy: Policy) -> dict[str, str]:
        """RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers), and Retry-After for a refusal."""
        found = {
            "RateLimit-Policy": f'"default";q={policy.burst};w={policy.window_seconds}',
            "RateLimit": f'"default";r={self.remaining};t={self.reset_seconds}',
        }
        return found if self.allowed else {**found, "Retry-After": str(self.retry_seconds)}


class Buckets:
    """One bucket a key. Time comes in as an argument, in monotonic seconds."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, now: float) -> Verdict:
        """One token, if there is one."""
        burst, rate = self.policy.burst, self.policy.per_second
        level, since = self._levels.pop(key, (float(burst), now))
        level = min(float(burst), level + max(0.0, now - since) * rate)
        allowed = level >= 1
        level -= allowed
        self._levels[key] = (level, now)
        if len(self._levels) > MAX_KEYS:
            self._levels.popitem(last=False)
        retry = 0 if level >= 1 else ceil((1 - level) / rate)
        return Verdict(allowed, int(level), ceil((burst - level) / rate), retry)
