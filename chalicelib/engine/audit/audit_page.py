"""What the auditor makes of a journal's messages: how to read their records, and what each record says. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from chalicelib.domain.job import Job
from chalicelib.domain.run import FINAL, Run, RunStatus
from chalicelib.engine.flow.start import Drop, Later, Overdue, decide_start
from chalicelib.engine.message import RunMessage
from chalicelib.ports.table import Item, Key

DENSE = 10
"""So many wanted records of one stretch of time and partition are read as a range."""
SPARSE_FACTOR = 8
"""A range costs about a ninth of a read unit a record, one by one a whole one: where more than so many others lie
between, the rest is read one by one."""
_STRETCH = len("run_") + 7
"""Run ids that begin alike up to here have nominal times within 33 s."""
_OVER = frozenset(status.value for status in FINAL if status is not RunStatus.SKIPPED)


@dataclass(frozen=True, slots=True)
class RangeRead:
    """A query for records that lie close together, ascending; at most `limit`, others between them included."""

    pk: str
    wanted: tuple[str, ...]

    @property
    def limit(self) -> int:
        return SPARSE_FACTOR * len(self.wanted)

    def beyond(self, last_read: str | None) -> list[Key]:
        """What is still to be read when the query stopped at its limit, at this sort key (None: it did not)."""
        return [(self.pk, sk) for sk in self.wanted if last_read is not None and sk > last_read]


@dataclass(frozen=True, slots=True)
class Lost:
    """To be rung again. `vanished`: nobody began it. `stalled`: its worker died, and its message is not back yet."""

    cause: Literal["vanished", "stalled"]


@dataclass(frozen=True, slots=True)
class Leased:
    """Somebody works on it, or a rate has put it off till then; look again when that must be over."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class AtGate:
    """It is called from the gate's queue; look again, later and later, since that call is on no page."""


def reads_of(keys: Iterable[Key]) -> tuple[list[RangeRead], list[Key]]:
    """The cheapest reads of these runs' records: ranges where many lie together, the others by their keys."""
    stretches: dict[tuple[str, str], list[str]] = defaultdict(list)
    for pk, sk in keys:
        stretches[pk, sk[:_STRETCH]].append(sk)
    ranges, single = [], []
    for (pk, _), found in stretches.items():
        if len(found) < DENSE:
            single += [(pk, sk) for sk in found]
        else:
            ranges.append(RangeRead(pk, tuple(sorted(found))))
    return ranges, single


def is_over(record: Item | None) -> bool:
    """Whether a record says, without being decoded, that no message of its run has anything left to do.

    A skipped one may have: a later revision of the schedule revives it.
    """
    return record is not None and record.get("status") in _OVER


def verdict(
    job: Job | None, existing: Run | None, message: RunMessage, *, now_ms: int, horizon_ms: int
) -> Lost | Leased | AtGate | None:
    """What became of a message that was due a while ago; None if nothing is left to do for it.

    The worker's own decision tells: what it would still do if the message arrived now has not been done. Who was put
    off beyond the horizon, or since the message came, has a timer.
    """
    decision = decide_start(job, existing, message, owner="", now_ms=now_ms)
    if isinstance(decision, Drop):
        return None
    if isinstance(decision, Later):
        return Leased(decision.at_ms)
    if existing is None or isinstance(decision, Overdue):
        return Lost("vanished")
    if existing.status is RunStatus.RUNNING:
        return Lost("stalled")
    if existing.waits is not None:
        return AtGate()
    if existing.retry_ms is not None and existing.retry_ms >= now_ms:
        return Leased(existing.retry_ms) if existing.retry_ms < now_ms + horizon_ms else None
    is_waiting = existing.looked_ms is not None and existing.looked_ms >= message.at_ms
    return None if is_waiting else Lost("vanished")
