"""What an attempt tells about itself: lines that are stored with its run, for GET /runs/{id}/logs."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Literal

from chalicelib.domain.masking import Masks

Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
"""From the least to the most important."""
MAX_LINES = 2_000
MAX_BYTES = 1_000_000
"""Of an attempt's lines together, as JSON."""
MAX_MESSAGE = 2_000
"""Characters of a message; what is longer is cut."""
MAX_FIELDS = 4_000
"""Characters of a line's fields as JSON; of longer ones only the beginning is kept, as text."""
_LINE_BYTES = 40
"""What a line takes beside its message and fields."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """`fields` is small JSON beside the message."""

    at_ms: int
    level: Level
    message: str
    fields: dict[str, Any] = field(default_factory=dict)


class RunLog:
    """Collects an attempt's lines; the worker drains them. Any thread may use it; it never raises.

    After MAX_LINES or MAX_BYTES of an attempt, further ones are counted in `dropped` and not kept. `masks` black out
    what a line must not show.
    """

    def __init__(self, now_ms: Callable[[], int] = lambda: 0) -> None:
        self._now_ms, self._lock = now_ms, Lock()
        self._lines: list[LogLine] = []
        self._kept = self._bytes = 0
        self.dropped = 0
        self.masks = Masks()

    def debug(self, message: str, **fields: Any) -> None:
        self._add("debug", message, fields)

    def info(self, message: str, **fields: Any) -> None:
        self._add("info", message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        self._add("warning", message, fields)

    def error(self, message: str, **fields: Any) -> None:
        self._add("error", message, fields)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to drain, and nothing was dropped."""
        return not (self._lines or self.dropped)

    def drain(self) -> list[LogLine]:
        """The lines since the last drain."""
        with self._lock:
            lines, self._lines = self._lines, []
            return lines

    def _add(self, level: Level, message: str, fields: dict[str, Any]) -> None:
        text = self.masks.text(_storable(str(message)))[
            :MAX_MESSAGE
        ]  # cut last: half of a secret is none to the masks
        kept, size = _bounded(fields, self.masks) if fields else ({}, 0)
        size += len(text.encode()) + _LINE_BYTES
        with self._lock:
            if self._kept >= MAX_LINES or self._bytes + size > MAX_BYTES:
                self.dropped += 1
                return
            self._kept, self._bytes = self._kept + 1, self._bytes + size
            self._lines.append(LogLine(self._now_ms(), level, text, kept))


def _bounded(fields: dict[str, Any], masks: Masks) -> tuple[dict[str, Any], int]:
    """The fields as JSON has them, whatever they are, and their size in bytes."""
    try:
        text = _storable(json.dumps(fields, ensure_ascii=False, allow_nan=False, default=str))
        kept = masks.value(json.loads(text))
        shown = json.dumps(kept, ensure_ascii=False)
        kept = kept if len(shown) <= MAX_FIELDS else {"cut": shown[:MAX_FIELDS]}
    except Exception as error:  # noqa: BLE001 - whatever cannot be told is not worth an attempt
        kept = {"unreadable": type(error).__name__}
    return kept, len(json.dumps(kept, ensure_ascii=False).encode())


def _storable(text: str) -> str:
    """The text as UTF-8 can carry it: without lone surrogates."""
    return text.encode(errors="replace").decode()
