"""Reading a tenant's trail. What others have left open is sealed before, so that it is seen."""

from chalicelib.domain.errors import NotFound
from chalicelib.domain.plans import DAY_SECONDS, PLANS
from chalicelib.engine.core import Engine
from chalicelib.engine.running.signing import keys_of
from chalicelib.features.audit.views import AuditFilter
from chalicelib.features.paging import Fetch, read_page
from chalicelib.identity.trail.book import Book, read_head
from chalicelib.identity.trail.checking import Anchor, Checked
from chalicelib.identity.trail.entries import Entry, Head
from chalicelib.identity.trail.reading import entries, read_entry, verified

MAX_VERIFIED = 2_000
"""Entries that one request checks."""
_READ_AT_ONCE = 200
_MAX_DIGITS = 12


def read(engine: Engine, tenant: str, seq: str) -> Entry:
    """NotFound if there is none."""
    is_number = seq.isascii() and seq.isdecimal() and len(seq) <= _MAX_DIGITS
    found = read_entry(engine, tenant, int(seq)) if is_number else None
    if found is None or found.document is None or found.document["at_ms"] < _since(engine, tenant):
        raise NotFound("There is no such entry, or it is not kept any more.")
    return found


def listed(
    engine: Engine, tenant: str, query: AuditFilter, after: str | None
) -> tuple[list[Entry], str | None]:
    """A page; the last number if more may follow. Invalid if no moment is meant."""
    query.check()
    since_ms = max(_since(engine, tenant), query.from_ms)
    if after is None:
        Book().seal_left(engine, tenant)
    fetch = _fetch(engine, tenant, since_ms, oldest_first=query.sort == "seq")
    return read_page(fetch, lambda each: _wants(query, since_ms, each), query.limit, after)


def checked_part(engine: Engine, tenant: str, anchor: str | None) -> tuple[Checked, Head, bool]:
    """A part of the trail from the anchor on, its head, and whether the end was reached."""
    if anchor is None:
        Book().seal_left(engine, tenant)
    seq, _, digest = (anchor or "").partition(":")
    found, is_complete = verified(
        engine.db,
        tenant,
        keys_of(engine.secrets.read("signing-key")),
        now_s=engine.clock.now_ms() // 1000,
        anchor=Anchor(int(seq), digest) if anchor else None,
        limit=MAX_VERIFIED,
    )
    return found, read_head(engine.db, tenant), is_complete


def _since(engine: Engine, tenant: str) -> int:
    """What is older is not shown: by the tenant's plan, and no longer than the stage keeps it."""
    days, plan = engine.settings.retention.audit, engine.plans.of(engine, tenant)
    shown_days = days if plan is None else min(days, PLANS[plan].retention.audit)
    return engine.clock.now_ms() - shown_days * DAY_SECONDS * 1000


def _wants(query: AuditFilter, since_ms: int, entry: Entry) -> bool:
    document = entry.document
    return document is not None and document["at_ms"] >= since_ms and query.wants(document)


def _fetch(engine: Engine, tenant: str, since_ms: int, *, oldest_first: bool) -> Fetch[Entry]:
    def fetch(after: str | None, count: int) -> tuple[list[tuple[str, Entry | None]], bool]:
        start = int(after) if after else None
        found, more = entries(
            engine, tenant, after=start, limit=max(count, _READ_AT_ONCE), oldest_first=oldest_first
        )
        is_past = not oldest_first and bool(found) and found[-1].head.recorded_ms < since_ms
        return [(str(entry.seq), entry) for entry in found], more and not is_past

    return fetch
