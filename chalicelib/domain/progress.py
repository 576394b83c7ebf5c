"""How far an attempt has come, as it says itself."""

from dataclasses import dataclass
from typing import Any

MAX_MESSAGE = 200


@dataclass(frozen=True, slots=True)
class Progress:
    """The latest report: `percent` in 0 to 100, at most 200 characters, and small JSON for people to read."""

    percent: float
    at_ms: int
    message: str | None = None
    data: dict[str, Any] | None = None


def reported(percent: float, at_ms: int, message: str | None = None) -> Progress:
    """What an executor reports, brought within the bounds; a part is rounded to a tenth."""
    return Progress(round(min(max(percent, 0.0), 100.0), 1), at_ms, message and message[:MAX_MESSAGE])
