"""Taking a guard out of the engine: a piece of a function's source is replaced while a test runs.

Nothing in the engine knows of this: there are no switches. A guard that has moved or changed is told as such.
"""

import inspect
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from types import FunctionType

from tests.simulation.simulation import Scenario


@dataclass(frozen=True)
class Cut:
    """In the function at `place` (module:name, below chalicelib), `old` becomes `new`; `_DRAWN` gives it numbers."""

    place: str
    old: str
    new: str


@dataclass(frozen=True)
class Guard:
    """One guard of the engine: how to take it out, by which rules that is noticed, and where to look."""

    name: str
    cuts: tuple[Cut, ...]
    noticed: frozenset[str]
    scenario: Scenario


class GuardMoved(Exception):
    """The engine's source is not as the table of guards has it."""


@contextmanager
def without(guard: Guard) -> Iterator[None]:
    """The engine without this guard."""
    with ExitStack() as stack:
        for cut in guard.cuts:
            stack.enter_context(_cut(cut))
        yield


@contextmanager
def _cut(cut: Cut) -> Iterator[None]:
    function = _function(cut.place)
    original = function.__code__
    source = textwrap.dedent(inspect.getsource(function))
    if source.count(cut.old) != 1:
        raise GuardMoved(f"{cut.place} has {source.count(cut.old)} times, not once: {cut.old}")
    namespace = dict(function.__globals__)
    exec(compile(source.replace(cut.old, cut.new), cut.place, "exec"), namespace)
    function.__code__ = namespace[function.__name__].__code__
    function.__globals__["_DRAWN"] = count()
    try:
        yield
    finally:
        function.__code__ = original
        function.__globals__.pop("_DRAWN", None)


def _function(place: str) -> FunctionType:
    module, _, name = place.partition(":")
    found = import_module(f"chalicelib.{module}")
    for part in name.split("."):
        found = getattr(found, part)
    assert isinstance(found, FunctionType), place
    return found
