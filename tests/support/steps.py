"""How much work a call is, counted in lines of Python: the same on every machine, and a hang ends."""

import faulthandler
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STEPS_IN_50_MS = 300_000
"""A line and its calls into C take 0.1 to 0.2 microseconds on one core of a small machine."""
_PATIENCE_S = 120


class RanAway(BaseException):
    """No Exception: nothing that is under test may catch it."""


class Steps:
    """The lines that have run so far."""

    def __init__(self) -> None:
        self.count = 0


@contextmanager
def at_most(limit: int) -> Iterator[Steps]:
    """Raises RanAway inside the block at its `limit`-th line. What hangs inside one line ends the process."""
    steps, before = Steps(), sys.gettrace()

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        if event == "line":
            steps.count += 1
            if steps.count > limit:
                raise RanAway(f"more than {limit} lines of Python")
        return trace

    faulthandler.dump_traceback_later(_PATIENCE_S, exit=True, file=sys.__stderr__)
    sys.settrace(trace)
    try:
        yield steps
    finally:
        sys.settrace(before)
        faulthandler.cancel_dump_traceback_later()
