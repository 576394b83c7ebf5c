"""What an invocation's time is billed to: each moment, in equal parts, to the runs that it is still at work on."""

from threading import Lock


class Meter:
    """One batch's time. Runs leave it from any thread; times are epoch milliseconds."""

    def __init__(self, began_ms: int, runs: int) -> None:
        self._count, self._left = max(1, runs), max(1, runs)
        self._at_ms, self._billed = began_ms, 0.0
        self._lock = Lock()

    def leave(self, now_ms: int) -> int:
        """The milliseconds of one run that leaves now: rounded up."""
        with self._lock:
            self._billed += max(0, now_ms - self._at_ms) / self._left
            self._at_ms = max(self._at_ms, now_ms)
            self._left = max(1, self._left - 1)
            return -int(-self._billed // 1)

    @property
    def share(self) -> int:
        """A run's part of the invocation, in thousandths."""
        return round(1000 / self._count)
