"""The revisions that held in a stretch of time, found with a bounded number of reads."""

from dataclasses import dataclass

from chalicelib.domain.errors import NotFound
from chalicelib.domain.ids import is_id
from chalicelib.engine.core import Engine
from chalicelib.engine.ledger.revisions import (
    Revision,
    newest_first,
    oldest_first,
    read_revision,
    revision_of,
)
from chalicelib.engine.records import decode_job, job_key

AT_ONCE = 50
"""Revisions read for one page. A job that was changed more often in it is told in shorter pages."""


@dataclass(frozen=True, slots=True)
class History:
    """Revisions, oldest first, the newest of all always among them. They are without gaps until `complete_ms`.

    `known_from_ms`: what was before this is not known any more, None where all is.
    """

    revisions: list[Revision]
    complete_ms: int | None
    known_from_ms: int | None


def history(engine: Engine, tenant: str, job_id: str, start_ms: int) -> History:
    """What held from `start_ms` on. NotFound if neither the job nor a revision of it is there."""
    newest = _newest(engine, tenant, job_id)
    if not newest:
        raise NotFound("There is no such job.")
    revisions, complete_ms = newest[::-1], None
    if len(newest) >= AT_ONCE and revisions[0].saved_ms > start_ms:
        first = _in_force(engine, tenant, job_id, newest[0].number, start_ms)
        found = oldest_first(engine, tenant, job_id, number=first, limit=AT_ONCE)
        if found and found[-1].number < newest[0].number:
            revisions, complete_ms = [*found, newest[0]], found[-1].saved_ms
    oldest = revisions[0]
    forgotten = oldest.number > 1 and oldest.saved_ms > start_ms
    return History(revisions, complete_ms, oldest.saved_ms if forgotten else None)


def _newest(engine: Engine, tenant: str, job_id: str) -> list[Revision]:
    """The latest revisions, newest first. A job that was saved before revisions were kept is its own only one."""
    if not is_id(job_id, "job"):
        return []
    item = engine.db.catalog.get(job_key(tenant, job_id))
    newest = newest_first(engine, tenant, job_id, limit=AT_ONCE)
    if item is None:
        return newest
    present = revision_of(decode_job(item))
    return newest if newest and newest[0].number >= present.number else [present, *newest]


def _in_force(engine: Engine, tenant: str, job_id: str, newest: int, at_ms: int) -> int:
    """The number of the revision that held at a moment, or of the first that is kept; by bisection."""
    low, high = 1, newest
    while low < high:
        middle = (low + high + 1) // 2
        revision = read_revision(engine, tenant, job_id, middle)
        if revision is None or revision.saved_ms <= at_ms:
            low = middle
        else:
            high = middle - 1
    return low
