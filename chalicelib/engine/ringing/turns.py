"""Which rings are sent first, and which of them are a herd, so that nobody is delayed by others. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from chalicelib.domain.limits import RANKS
from chalicelib.engine.wheel.plan import Ring

HERD = 30
"""So many messages of one tenant, sent together, are a herd: SQS calls nobody noisy who has fewer in flight."""


def rings_in_turn(rings: Iterable[Ring]) -> list[Ring]:
    """Those of one second by the priorities of their jobs; else as they come."""
    seconds: dict[int, list[Ring]] = {}
    for ring in rings:
        seconds.setdefault(ring.message.at_ms // 1000, []).append(ring)
    return [ring for each in seconds.values() for ring in sorted(each, key=lambda ring: RANKS[ring.priority])]


def fair_groups(rings: Sequence[Ring]) -> list[str]:
    """For each ring the group among which SQS is to be fair (its MessageGroupId); empty: it is a group by itself.

    Only herds are named, since SQS charges for it: a tenant's, and of those the one of low priority apart. What is
    urgent never is: no message of its tenant's herd goes before it.
    """
    names = [_group(ring) for ring in rings]
    sizes = Counter(names)
    return [name if sizes[name] >= HERD else "" for name in names]


def _group(ring: Ring) -> str:
    tenant = ring.message.tenant
    return {"high": "", "normal": tenant, "low": f"{tenant}~low"}[ring.priority]
