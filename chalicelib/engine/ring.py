"""Ringing: run messages onto their lanes, delayed so that each arrives shortly before its run is due."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from chalicelib.engine.core import Lane
from chalicelib.engine.plan import Ring
from chalicelib.ports.queue import MAX_DELAY_SECONDS, Outgoing, Queue


def delay_seconds(ring: Ring, *, now_ms: int, lead_ms: int) -> int:
    """Whole seconds in [0, 900]. Exact rings arrive up to a second and the lead early, relaxed ones never early."""
    ahead_ms = ring.message.due_ms - now_ms
    whole = (ahead_ms - lead_ms) // 1000 if ring.exact else -(-ahead_ms // 1000)
    return max(0, min(MAX_DELAY_SECONDS, whole))


def ring_all(lanes: Mapping[Lane, Queue], rings: Iterable[Ring], *, now_ms: int, lead_ms: int) -> None:
    """Send each message to its lane. Unavailable if a lane refuses some: ringing again is harmless."""
    outgoing: dict[Lane, list[Outgoing]] = defaultdict(list)
    for ring in rings:
        delay = delay_seconds(ring, now_ms=now_ms, lead_ms=lead_ms)
        outgoing[ring.lane].append(Outgoing(ring.message.encode(), delay))
    for lane, messages in outgoing.items():
        lanes[lane].send(messages)
