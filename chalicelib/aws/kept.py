"""Texts that a process fetched, kept in its memory for a while, and longer while they cannot be fetched again."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from threading import Lock

from chalicelib.domain.errors import Unavailable
from chalicelib.ports.clock import Clock

_DOORS = 16


@dataclass(frozen=True, slots=True)
class _Known:
    text: str | None
    read_at: float
    missed_at: float | None = None
    is_doubted: bool = False


class Kept:
    """At most `most` texts, the oldest are forgotten first. Threads that want the same one fetch it once.

    `pause` (seconds): so long after a fetch that failed none is tried for what is known from before.
    """

    def __init__(self, clock: Clock, *, pause: float = 0.0, most: int = 1_000) -> None:
        self._clock, self._pause, self._most = clock, pause, most
        self._known: dict[Hashable, _Known] = {}
        self._changing, self._doors = Lock(), tuple(Lock() for _ in range(_DOORS))

    def text(
        self, key: Hashable, fetch: Callable[[], str | None], *, seconds: float, seconds_missing: float
    ) -> str | None:
        """The text, at most so many seconds old (`seconds_missing`, if it is doubted or not there); None without one.

        If `fetch` raises Unavailable: as it was known before, however old that is, else Unavailable.
        """
        with self._doors[hash(key) % _DOORS]:
            known, now = self._known.get(key), self._clock.monotonic()
            if known is not None and self._is_good(known, now, seconds, seconds_missing):
                return known.text
            try:
                found = _Known(fetch(), now)
            except Unavailable:
                if known is None:
                    raise
                found = replace(known, missed_at=self._clock.monotonic())
            self._remember(key, found)
            return found.text

    def doubt(self, key: Hashable) -> None:
        """What is known may be outdated."""
        with self._changing:
            if known := self._known.get(key):
                self._known[key] = replace(known, is_doubted=True)

    def clear(self) -> None:
        """Nothing is known any more."""
        with self._changing:
            self._known.clear()

    def _is_good(self, known: _Known, now: float, seconds: float, seconds_missing: float) -> bool:
        if known.missed_at is not None and now - known.missed_at < self._pause:
            return True
        is_firm = known.text is not None and not known.is_doubted
        return now - known.read_at < (seconds if is_firm else seconds_missing)

    def _remember(self, key: Hashable, found: _Known) -> None:
        with self._changing:
            self._known.pop(key, None)
            self._known[key] = found
            if len(self._known) > self._most:
                del self._known[next(iter(self._known))]
