"""Slots: how many runs of a job are active at once. Each is a lease of one run, freed by time alone. Pure.

Slots, and places in the queue, are numbered items: a conditional write on one item takes one, and no counter can leak.
"""

from dataclasses import dataclass
from typing import Literal

from chalicelib.domain.job import Concurrency

Refusal = Literal["overlap", "buffer_full"]


@dataclass(frozen=True, slots=True)
class Slot:
    """Run `run_id` is active until `until_ms`, unless it says otherwise before."""

    number: int
    run_id: str
    until_ms: int


@dataclass(frozen=True, slots=True)
class Place:
    """Run `run_id` waits for a slot; unless it looks again before `until_ms`, it is taken for lost."""

    number: int
    run_id: str
    nominal_ms: int
    until_ms: int
    message: str

    @property
    def rank(self) -> tuple[int, str]:
        """Who waits goes by the order of occurrences."""
        return self.nominal_ms, self.run_id


@dataclass(frozen=True, slots=True)
class Candidate:
    """The run that wants a slot. One that has begun is not turned away: it waits beside the queue.

    It has begun with its first start, also if that one's worker died.
    """

    run_id: str
    nominal_ms: int
    has_begun: bool = False


@dataclass(frozen=True, slots=True)
class Take:
    """Start in this slot (None: the job has none), and leave the place in the queue."""

    slot: int | None
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """There is no slot and no place for it."""

    reason: Refusal


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again later; in `place` of the queue, if any. `victim` is to be cancelled, `displaced` no longer waits."""

    place: int | None = None
    victim: str | None = None
    displaced: Place | None = None


Admission = Take | Refuse | Wait


def admit(
    rule: Concurrency, slots: list[Slot], places: list[Place], wanted: Candidate, *, now_ms: int
) -> Admission:
    """What becomes of a run that is due now."""
    active = [slot for slot in slots if slot.until_ms >= now_ms]
    waiting = [place for place in places if place.until_ms >= now_ms]
    mine = next((place.number for place in waiting if place.run_id == wanted.run_id), None)
    held = next((slot.number for slot in active if slot.run_id == wanted.run_id), None)
    if held is not None:
        return Take(held, mine)
    taken = {slot.number for slot in active}
    free = [number for number in range(rule.limit) if number not in taken]
    others = [place for place in waiting if place.run_id != wanted.run_id]
    ahead = [place for place in others if place.rank < (wanted.nominal_ms, wanted.run_id)]
    room = rule.limit - len(active) - (len(ahead) if rule.policy == "queue" else 0)
    if free and room > 0:
        return Take(free[0], mine)
    if wanted.has_begun:
        return Wait()
    if rule.policy == "queue":
        return _queued(rule, mine, others)
    return _replacing(active, others, wanted) if rule.policy == "replace" else Refuse("overlap")


def _queued(rule: Concurrency, mine: int | None, others: list[Place]) -> Admission:
    if mine is not None:
        return Wait(mine)
    taken = {place.number for place in others}
    free = (number for number in range(rule.buffer) if number not in taken)
    place = next(free, None) if len(others) < rule.buffer else None
    return Refuse("buffer_full") if place is None else Wait(place)


def _replacing(active: list[Slot], others: list[Place], wanted: Candidate) -> Admission:
    """One run waits at most, in place 0: the newest. It takes the slot of whoever leaves first."""
    newest = max(others, key=lambda place: place.rank, default=None)
    if newest is not None and newest.rank > (wanted.nominal_ms, wanted.run_id):
        return Refuse("overlap")
    victim = min(active, key=lambda slot: slot.run_id, default=None)
    return Wait(0, victim.run_id if victim else None, newest)
