"""What the checker finds."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Violation:
    """A broken rule, the job or run concerned, and a sentence."""

    rule: str
    subject: str
    sentence: str


def moment(at_ms: float) -> str:
    """A moment as people read it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%d %H:%M:%S.%f")[:-3]
