"""Skipped occurrences as they are stored: a record a range."""

from dataclasses import dataclass

from chalicelib.engine.core import Engine
from chalicelib.engine.records import skips_of_job
from chalicelib.engine.retention import is_shown
from chalicelib.ports.table import Item

EARLIER = 50
"""Ranges read that begin before a stretch of time: the latest of them are those that may reach into it."""
MOST = 5_000
"""Ranges read that begin inside it: each holds an occurrence that the job had."""


@dataclass(frozen=True, slots=True)
class SkipRecord:
    """A stored range of skipped occurrences, both ends included."""

    first_ms: int
    last_ms: int
    reason: str

    def covers(self, at_ms: int) -> bool:
        return self.first_ms <= at_ms <= self.last_ms


def skips_between(engine: Engine, tenant: str, job_id: str, first_ms: int, last_ms: int) -> list[SkipRecord]:
    """The skipped ranges that may cover moments in [first, last]."""
    pk, start = skips_of_job(tenant, job_id), f"{first_ms:015d}"
    before = engine.db.runs.query(pk, high=start, limit=EARLIER, backwards=True)
    inside = engine.db.runs.query(pk, low=start, high=f"{last_ms + 1:015d}", limit=MOST)
    return [_decode(item) for item in (*before.items, *inside.items) if is_shown(engine, item)]


def _decode(item: Item) -> SkipRecord:
    first, _, reason = str(item["sk"]).partition("#")
    return SkipRecord(int(first), int(item["last_ms"]), reason)
