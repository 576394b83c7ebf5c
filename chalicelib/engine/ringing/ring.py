"""Ringing: run messages onto their lanes, delayed so that each arrives shortly before its run is due."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from chalicelib.domain.lanes import Lane
from chalicelib.engine.core import Engine
from chalicelib.engine.ringing.phase import Sending, sending_ms, sendings
from chalicelib.engine.ringing.turns import fair_groups
from chalicelib.engine.wheel.plan import Ring
from chalicelib.ports.queue import MAX_DELAY_SECONDS, Outgoing, Queue

OVERSLEPT_MS = 20
"""So much later than planned a send still counts as sent on time; the lead covers it."""


def delay_seconds(ring: Ring, *, now_ms: int, lead_ms: int) -> int:
    """Whole seconds in [0, 900]. Exact rings arrive up to a second and the lead early, relaxed ones never early."""
    ahead_ms = ring.message.at_ms - now_ms
    whole = (ahead_ms - lead_ms) // 1000 if ring.exact else -(-ahead_ms // 1000)
    return max(0, min(MAX_DELAY_SECONDS, whole))


def ring_all(lanes: Mapping[Lane, Queue], rings: Iterable[Ring], *, now_ms: int, lead_ms: int) -> None:
    """Send each message to its lane. Unavailable if a lane refuses some: ringing again is harmless."""
    outgoing: dict[Lane, list[Outgoing]] = defaultdict(list)
    rings = list(rings)
    for ring, group in zip(rings, fair_groups(rings), strict=True):
        delay = delay_seconds(ring, now_ms=now_ms, lead_ms=lead_ms)
        outgoing[ring.lane].append(Outgoing(ring.message.encode(), delay, group))
    for lane, messages in outgoing.items():
        lanes[lane].send(messages)


def ring_in_phase(engine: Engine, rings: Sequence[Ring], *, patient: bool) -> None:
    """Send all of them; a `patient` dispatcher waits, less than a second, where that spares its workers more.

    The lead is lengthened by the time that the sends take: what goes last still arrives in time.
    """
    lead_ms = engine.settings.lead_ms + sending_ms(len(rings))
    now_ms = engine.clock.now_ms()
    plan = sendings(rings, now_ms=now_ms, lead_ms=lead_ms) if patient else [Sending(now_ms, rings)]
    for sending in plan:
        engine.clock.sleep((sending.at_ms - engine.clock.now_ms()) / 1000)
        ring_all(
            engine.lanes, sending.rings, now_ms=_sent_ms(sending, engine.clock.now_ms()), lead_ms=lead_ms
        )


def _sent_ms(sending: Sending, now_ms: int) -> int:
    """From when to count the delay: a millisecond after its phase a message would appear a second early."""
    return max(sending.at_ms, now_ms - OVERSLEPT_MS)
