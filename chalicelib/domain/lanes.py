"""The lanes: a queue and a worker for each class of work, so that none waits behind another. Pure.

Each has a row in infra/lanes.yaml, a function in entrypoints/worker.py, its time and memory in .chalice/config.json.
Jobs go to the first three by their time limit and priority; to the others because their type calls for them: their
workers have libraries (infra/layers) or rights that no other worker needs.
"""

from collections.abc import Callable
from typing import Literal, get_args

from chalicelib.domain.limits import Priority

Lane = Literal["fast", "urgent", "long", "data", "messaging", "report", "script"]
LANES: tuple[Lane, ...] = get_args(Lane)
FAST_TIMEOUT_SECONDS = 60
"""Jobs that may take longer go to the lane `long`: a dead worker of the lane `fast` is noticed within two minutes."""
QUICK: frozenset[Lane] = frozenset({"fast", "urgent"})
"""The lanes of jobs that take at most FAST_TIMEOUT_SECONDS."""


ClassOf = Callable[[str], Lane]
"""The lane that a job type calls for; `fast` if it calls for none."""


def ordinary(_type: str) -> Lane:
    """No type calls for a lane of its own."""
    return "fast"


def lane_for(wanted: Lane, timeout_seconds: float, priority: Priority) -> Lane:
    """The lane of a job's runs: what its type calls for; if that is `fast`, by its time limit and priority."""
    if wanted != "fast":
        return wanted
    if timeout_seconds > FAST_TIMEOUT_SECONDS:
        return "long"
    return "urgent" if priority == "high" else "fast"
