"""When to send what a tick rings. Pure.

SQS delays by whole seconds from the send, so a message sent at the wrong phase of the second appears up to a second
early, and a worker is paid for holding it. The dispatcher may wait instead: one function for all of them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chalicelib.engine.wheel.plan import Ring

SECOND_MS = 1000
PHASE_MS = 100
"""Moments whose phases of the second differ by less are sent for together: a tick pauses at most ten times."""
DISPATCHER_WEIGHT = 4
"""A waiting dispatcher costs as much as so many holding workers: their memories' ratio."""
BATCH = 10
"""Messages of one moment that a worker takes, and holds, together."""
SENDS_AT_ONCE, SEND_MS = 8, 15
"""How many batches of messages are under way at once, and how long one takes."""


@dataclass(frozen=True, slots=True)
class Sending:
    """Rings to send at `at_ms`, by the wall clock; one in the past is due at once."""

    at_ms: int
    rings: Sequence[Ring]


@dataclass(frozen=True, slots=True)
class _Phase:
    """Rings that are best sent `wait_ms` from now, and how many workers hold their messages otherwise."""

    wait_ms: int
    rings: list[Ring]

    @property
    def batches(self) -> int:
        moments = Counter(ring.message.at_ms for ring in self.rings)
        return sum(-(-count // BATCH) for count in moments.values())


def sending_ms(count: int) -> int:
    """How long it takes to send so many messages: so much earlier must the first one go."""
    batches = -(-count // BATCH)
    return -(-batches // SENDS_AT_ONCE) * SEND_MS


def sendings(rings: Iterable[Ring], *, now_ms: int, lead_ms: int) -> list[Sending]:
    """All of the rings, each in one sending, in order. None waits that is due within a second and the lead.

    Waits for as long as the holds that it spares cost more than the dispatcher's own time; never for a second.
    """
    at_once, patient = list[Ring](), list[Ring]()
    for ring in rings:
        is_patient = ring.exact and ring.message.at_ms - lead_ms - now_ms >= SECOND_MS
        (patient if is_patient else at_once).append(ring)
    phases = _phases(patient, now_ms + lead_ms)
    last_ms = _worth(phases)
    found: defaultdict[int, list[Ring]] = defaultdict(list, {0: at_once})
    for phase in phases:
        found[min(phase.wait_ms, last_ms)] += phase.rings
    return [Sending(now_ms + wait_ms, sent) for wait_ms, sent in sorted(found.items()) if sent]


def _phases(rings: Iterable[Ring], arrival_ms: int) -> list[_Phase]:
    """By how long until the phase of the second at which their messages appear just in time."""
    found: defaultdict[int, list[tuple[int, Ring]]] = defaultdict(list)
    for ring in rings:
        early_ms = (ring.message.at_ms - arrival_ms) % SECOND_MS
        found[early_ms // PHASE_MS].append((early_ms, ring))
    return [
        _Phase(min(early_ms for early_ms, _ in group), [ring for _, ring in group])
        for group in found.values()
    ]


def _worth(phases: Sequence[_Phase]) -> int:
    """The wait, in ms, that spares most: each batch of messages waits for its phase, or for the end of the wait."""

    def spared(wait_ms: int) -> int:
        held = sum(phase.batches * min(phase.wait_ms, wait_ms) for phase in phases)
        return held - wait_ms * DISPATCHER_WEIGHT

    return max((0, *(phase.wait_ms for phase in phases)), key=spared)
