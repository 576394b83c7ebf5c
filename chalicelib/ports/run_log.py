"""What an attempt tells about itself: lines that are stored with its run, for GET /runs/{id}/logs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Literal

Level = Literal["debug", "info", "warning", "error"]
MAX_LINES = 2_000
MAX_MESSAGE = 2_000
"""Characters of a message; what is longer is cut."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """`fields` is small JSON beside the message."""

    at_ms: int
    level: Level
    message: str
    fields: dict[str, Any] = field(default_factory=dict)


class RunLog:
    """Collects an attempt's lines; the worker drains them. Any thread may use it; it never raises.

    After MAX_LINES of an attempt, further ones are counted in `dropped` and not kept.
    """

    def __init__(self, now_ms: Callable[[], int] = lambda: 0) -> None:
        self._now_ms, self._lock = now_ms, Lock()
        self._lines: list[LogLine] = []
        self._taken = 0
        self.dropped = 0

    def debug(self, message: str, **fields: Any) -> None:
        self._add("debug", message, fields)

    def info(self, message: str, **fields: Any) -> None:
        self._add("info", message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        self._add("warning", message, fields)

    def error(self, message: str, **fields: Any) -> None:
        self._add("error", message, fields)

    def drain(self) -> list[LogLine]:
        """The lines since the last drain."""
        with self._lock:
            lines, self._lines = self._lines, []
            self._taken += len(lines)
            return lines

    def _add(self, level: Level, message: str, fields: dict[str, Any]) -> None:
        with self._lock:
            if self._taken + len(self._lines) >= MAX_LINES:
                self.dropped += 1
                return
            self._lines.append(LogLine(self._now_ms(), level, message[:MAX_MESSAGE], fields))
