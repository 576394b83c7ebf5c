"""Limits under which some seeds live: few slots, a rate, and a breaker, for all jobs and by their targets."""

from typing import Any

LIMITS: dict[str, Any] = {
    "tenant": {"concurrency": 3, "rate": {"limit": 2}},
    "targets": {
        "a": {"concurrency": 1},
        "b": {"breaker": {"failures": 3, "within_seconds": 300, "open_seconds": 60}},
    },
}
AT_ONCE = {"tenant": 3, "a": 1}
"""So many runs may act at once."""


def target_of(job_id: str) -> str:
    """Jobs have one of three targets."""
    return "abc"[sum(job_id.encode()) % 3]
