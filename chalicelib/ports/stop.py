"""A wish to stop, shared by the worker that has it and the executor that heeds it."""

import threading


class Stop:
    """Set once, from any thread; never taken back."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def is_wanted(self) -> bool:
        return self._event.is_set()

    def want(self) -> None:
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait until it is wanted, at most so many seconds; whether it is."""
        return self._event.wait(max(0.0, seconds))
