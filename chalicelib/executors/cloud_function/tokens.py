"""Tokens, kept in this process until shortly before they expire."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

EARLY_SECONDS = 120.0
"""So long before its end a token is not used any more: clocks differ, and the request takes its time."""
MAX_TOKENS = 500


@dataclass(frozen=True, slots=True)
class Token:
    """`seconds`: how long it is good from when it was issued. `is_kept`: it comes from an earlier call."""

    text: str = field(repr=False)
    seconds: float
    is_kept: bool = False


class Tokens:
    """Any thread may use it. Keys are hashes, so that no credentials are kept."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic, self._lock = monotonic, threading.Lock()
        self._kept: OrderedDict[str, tuple[Token, float]] = OrderedDict()

    def token(self, key: tuple[str, ...], issue: Callable[[], Token]) -> Token:
        """The one that is kept, else a new one. Raises what `issue` raises."""
        digest = _digest(key)
        with self._lock:
            token, until = self._kept.get(digest, (None, 0.0))
        if token is not None and self._monotonic() < until:
            return Token(token.text, token.seconds, is_kept=True)
        asked = self._monotonic()
        token = issue()
        with self._lock:
            self._kept[digest] = token, asked + token.seconds - EARLY_SECONDS
            self._kept.move_to_end(digest)
            while len(self._kept) > MAX_TOKENS:
                self._kept.popitem(last=False)
        return token

    def clear(self) -> None:
        """Begin anew."""
        with self._lock:
            self._kept.clear()

    def forget(self, key: tuple[str, ...]) -> None:
        """It was refused: the next one is new."""
        with self._lock:
            self._kept.pop(_digest(key), None)


def _digest(key: tuple[str, ...]) -> str:
    return sha256("\x00".join(key).encode()).hexdigest()


TOKENS = Tokens()
"""This process's."""
