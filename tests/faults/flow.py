"""Flows: what is done while something fails, and how everything ends whether or not it does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from tests.faults.system import System

OK, FAILED, CANCELLED, GIVEN_UP = "SUCCEEDED", "FAILED", "CANCELLED", "given up"
MODULES = (
    "api_jobs",
    "api_runs",
    "audited",
    "calendars",
    "callbacks",
    "following",
    "dispatcher",
    "worker",
    "dead_letters",
    "secrets",
    "people",
    "counted",
)

Act = Callable[[], object]
"""Of a request it returns the answer, None if nobody answered."""
End = tuple[int | str, str, *tuple[str, ...]]
"""An occurrence (in seconds after noon) or a trigger; how its run or skip ends; how else it may end under faults."""
Ends = Mapping[str, Sequence[End]]


@dataclass(frozen=True)
class Flow:
    """`prepare` makes a system ready, and returns what is then done while something fails.

    `ends` are by the jobs' names. `is_request`: a client asks for it, who may ask again. `undone`: the ends if the
    client gave up and nothing has happened; None if they are the same. `repeated_as`: the statuses that may answer a
    request which is made once more, beside successes. `holds` is asked in the end, and told whether the request took
    effect for sure.
    """

    name: str
    prepare: Callable[[System], Act]
    ends: Ends
    is_request: bool = False
    undone: Ends | None = None
    repeated_as: tuple[int, ...] = ()
    holds: Callable[[System, bool], bool] = field(default=lambda _system, _done: True)


_FLOWS: dict[str, Flow] = {}


def event(ends: Ends, **more: Any) -> Callable[[Callable[[System], Act]], Callable[[System], Act]]:
    """Registers a flow that a scheduler or a queue begins; the function prepares it, and names it."""

    def register(prepare: Callable[[System], Act]) -> Callable[[System], Act]:
        name = prepare.__name__
        assert name not in _FLOWS, f"two flows are named {name}"
        _FLOWS[name] = Flow(name, prepare, ends, **more)
        return prepare

    return register


def request(ends: Ends, **more: Any) -> Callable[[Callable[[System], Act]], Callable[[System], Act]]:
    """Registers a flow that a client begins."""
    return event(ends, is_request=True, **more)


@cache
def flows() -> Mapping[str, Flow]:
    """All of them, by name."""
    for module in MODULES:
        import_module(f"tests.faults.flows.{module}")
    return _FLOWS
