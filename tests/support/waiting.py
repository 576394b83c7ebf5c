"""Waiting for something outside: asks again until it is so, and says what it saw last if it never is."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], *, seconds: float = 20, every: float = 0.1) -> T:
    """The first truthy answer. AssertionError with the last one after `seconds`."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < end, f"not within {seconds} s; the last answer was {seen!r}"
        threading.Event().wait(every)
    return seen


def all_the_while(look: Callable[[], T], *, seconds: float, every: float = 0.1) -> None:
    """Asserts that the answer stays falsy for `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen = look()
        assert not seen, f"seen meanwhile: {seen!r}"
        threading.Event().wait(every)
