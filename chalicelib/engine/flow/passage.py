"""Who may pass a gate, and who of those that wait there is called next. Pure.

A gate's slots are leases of runs, as a job's are. Its queue has no bound: each place is an item that sorts by priority,
then by the occurrence. A slot that is left is handed to the first in the queue, and that run is called: nobody polls.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from chalicelib.domain.breaker import CLOSED, Breaker, room, verdict
from chalicelib.domain.lanes import Lane
from chalicelib.engine.flow.gates import Gate
from chalicelib.engine.flow.slots import Slot

PAGE = 100
"""At most so many are called together where nothing limits how many run."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run in the queue. `sort_key` is its rank; until `called_ms` it is under way to the slot handed to it."""

    sort_key: str
    run_id: str
    message: str
    lane: Lane
    called_ms: int = 0


@dataclass(frozen=True, slots=True)
class GateState:
    """What a gate's items say. `waiting` are the first of its queue."""

    slots: Sequence[Slot] = ()
    waiting: Sequence[Waiting] = ()
    breaker: Breaker = CLOSED
    next_us: int = 0

    def active(self, now_ms: int) -> dict[int, str]:
        """The runs that hold slots, by their numbers."""
        return {slot.number: slot.run_id for slot in self.slots if slot.until_ms >= now_ms}


@dataclass(frozen=True, slots=True)
class Pass:
    """The run may start, in this slot if the gate has any; `is_trial`: it tries whether the target is well again."""

    slot: int | None = None
    is_held: bool = False
    is_trial: bool = False


Decision = Pass | Literal["wait"]


def decide_passage(gate: Gate, state: GateState, run_id: str, sort_key: str, now_ms: int) -> Decision:
    """May this run pass now? Whoever is in front of it in the queue goes first, but who has been called has a slot."""
    may = verdict(state.breaker, run_id, now_ms) if gate.breaker else "start"
    if may == "wait":
        return "wait"
    if gate.concurrency is None:
        return Pass(is_trial=may == "try")
    active = state.active(now_ms)
    held = next((number for number, holder in active.items() if holder == run_id), None)
    if held is not None:
        return Pass(held, is_held=True, is_trial=may == "try")
    free = _free(gate.concurrency, active)
    ahead = [each for each in _callable(state, now_ms) if each.sort_key < sort_key and each.run_id != run_id]
    if len(free) <= len(ahead):
        return "wait"
    return Pass(free[zlib.crc32(run_id.encode()) % len(free)], is_trial=may == "try")


def decide_calls(gate: Gate, state: GateState, now_ms: int) -> list[tuple[int | None, Waiting]]:
    """Who is called, each with the slot that is handed to it, if the gate has slots."""
    most = room(state.breaker, now_ms) if gate.breaker else None
    waiting = _callable(state, now_ms)[: PAGE if most is None else most]
    if most == 1 and any(each.called_ms >= now_ms for each in state.waiting):
        return []
    if gate.concurrency is None:
        return [(None, each) for each in waiting]
    return list(zip(_free(gate.concurrency, state.active(now_ms)), waiting, strict=False))


def _free(limit: int, active: dict[int, str]) -> list[int]:
    """The numbers of free slots; none if more are active than a lowered limit allows."""
    return [number for number in range(limit) if number not in active][: max(0, limit - len(active))]


def _callable(state: GateState, now_ms: int) -> list[Waiting]:
    """Those who have not been called, or were and did not come."""
    return [each for each in state.waiting if each.called_ms < now_ms]
