"""What the machine is worth at this moment: compare figures of two runs only where this one is alike.

Other programs on the same processors also raise the CPU time of ours, up to twofold where a core is shared.
"""

import time
from collections.abc import Iterable

ROUNDS, STEPS = 7, 300_000


def figures() -> Iterable[tuple[str, float, str]]:
    yield "machine_reference_ms", reference(), "ms"


def reference() -> float:
    """CPU milliseconds of a fixed piece of work, at best."""
    return min(_round() for _ in range(ROUNDS))


def _round() -> float:
    """CPU milliseconds of a small loop of plain Python."""
    began, kept, length = time.process_time(), dict[int, str](), 0
    for number in range(STEPS):
        kept[number % 100] = str(number)
        length += len(kept[number % 100])
    return (time.process_time() - began) * 1000
