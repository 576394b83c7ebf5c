"""Reading a trail, and checking it against its hashes."""

from collections.abc import Iterator, Sequence

from chalicelib.domain.callback_token import SigningKey
from chalicelib.engine.core import Engine
from chalicelib.engine.retention import is_kept
from chalicelib.identity.trail.book import read_head
from chalicelib.identity.trail.checking import Anchor, Checked, checked, ended
from chalicelib.identity.trail.entries import Entry, decode_entry, entry_key, partition
from chalicelib.ports.table import Database

_PAGE = 500


def read_entry(engine: Engine, tenant: str, seq: int) -> Entry | None:
    """None if there is none, or it is not kept any more."""
    item = engine.db.audit.get(entry_key(tenant, seq))
    return decode_entry(item) if item and is_kept(engine, item) else None


def entries(
    engine: Engine, tenant: str, *, after: int | None, limit: int, oldest_first: bool
) -> tuple[list[Entry], bool]:
    """At most `limit` that are kept, and whether more may follow."""
    start = entry_key(tenant, after)[1] if after is not None else None
    page = engine.db.audit.query(partition(tenant), limit=limit, backwards=not oldest_first, after=start)
    return [decode_entry(item) for item in page.items if is_kept(engine, item)], page.next is not None


def verified(
    db: Database, tenant: str, keys: Sequence[SigningKey], *, now_s: int, anchor: Anchor | None, limit: int
) -> tuple[Checked, bool]:
    """At most about `limit` entries from the anchor on, and whether that were all to the end."""
    before, reader = read_head(db, tenant), _Reader(db, tenant, limit)
    found = checked(reader.entries(anchor), tenant=tenant, keys=keys, now_s=now_s, anchor=anchor)
    if found.problem or not reader.is_over:
        return found, False
    return ended(found, before, read_head(db, tenant), now_s, anchor), True


class _Reader:
    """Reads entries in the order of their numbers, in pages, so that much is never held at once."""

    def __init__(self, db: Database, tenant: str, limit: int) -> None:
        self._db, self._tenant, self._limit = db, tenant, limit
        self.is_over = False

    def entries(self, anchor: Anchor | None) -> Iterator[Entry]:
        low = entry_key(self._tenant, anchor.seq)[1] if anchor else ""
        after, read = None, 0
        while read < self._limit:
            most = min(_PAGE, self._limit - read)
            page = self._db.audit.query(partition(self._tenant), low=low, limit=most, after=after)
            yield from map(decode_entry, page.items)
            read, after = read + len(page.items), page.next
            if after is None:
                self.is_over = True
                return
