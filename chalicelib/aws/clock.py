"""The machine's own time and chance."""

import secrets
import time


class SystemClock:
    """The Clock of the running process."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)  # noqa: TID251 - the one clock that really waits


class SystemIds:
    """Ids from the operating system's randomness."""

    def random_bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def fraction(self) -> float:
        return secrets.randbits(53) / (1 << 53)
