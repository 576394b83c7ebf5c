"""Time, as something that is passed in."""

from typing import Protocol


class Clock(Protocol):
    """Wall time, monotonic time, and waiting."""

    def now_ms(self) -> int:
        """Epoch milliseconds, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; zero or less returns at once."""
        ...
