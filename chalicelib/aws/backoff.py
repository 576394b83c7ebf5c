"""Trying again what AWS refused for now, after pauses."""

import random
from collections.abc import Callable, Iterator
from typing import TypeVar

from chalicelib.aws.faults import Contended

TRIES = 6
FIRST_PAUSE_SECONDS = 0.05
T = TypeVar("T")


def tries(sleep: Callable[[float], None]) -> Iterator[int]:
    """Counts tries, and sleeps before each but the first: at most 50, 100, 200, 400, 800 ms, with full jitter."""
    for turn in range(TRIES):
        if turn:
            sleep(random.random() * FIRST_PAUSE_SECONDS * 2 ** (turn - 1))  # noqa: S311 - spreads retries
        yield turn


def while_contended(call: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """The call's result, once no transaction of others is at its items any more. Contended if one always is."""
    contended = Contended("")
    for _ in tries(sleep):
        try:
            return call()
        except Contended as error:
            contended = error
    raise contended
