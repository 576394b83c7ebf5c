"""Writing the trail: a record is opened before a change, and sealed into the chain after it.

Open records and the head lie in the catalog, sealed entries in the audit table, where the api may put but neither
update nor delete. Sealing is one transaction: the entry, which must be the first of its number, the head, and the end
of the open record. What is left open by a process that died is sealed by whoever reads next.
"""

import json
from collections import OrderedDict
from dataclasses import asdict
from typing import TypeVar

from chalicelib.domain.callback_token import SigningKey
from chalicelib.domain.errors import Unavailable
from chalicelib.engine.core import Engine
from chalicelib.engine.running.signing import keys_of
from chalicelib.identity.trail.entries import (
    Entry,
    Head,
    Opened,
    Outcome,
    decode_entry,
    decode_head,
    decode_open,
    encode_entry,
    encode_head,
    encode_open,
    head_key,
    open_key,
    partition,
    sealed,
)
from chalicelib.ports.table import (
    PRESENT,
    Absent,
    ConditionFailed,
    Database,
    Delete,
    Put,
    TableName,
    Update,
    Write,
)

GRACE_MS = 120_000
"""So long after its beginning a request may still be under way: the api's functions live 30 seconds."""
TRIES = 6
MAX_HEADS = 1_000
_LEFT = 100
_OPEN, _OPEN_END = "open#", "open$"
T = TypeVar("T")


class Book:
    """One process's way to the trails. It remembers where each ends, so that an append need not look."""

    def __init__(self) -> None:
        self._heads: OrderedDict[str, Head] = OrderedDict()

    def begin(self, engine: Engine, opened: Opened) -> None:
        """Unavailable if the record cannot be begun: then nothing must be changed."""
        engine.db.catalog.write(Put(encode_open(opened)))

    def drop(self, engine: Engine, opened: Opened) -> None:
        """Nothing was changed. If that cannot be written now, it will be told as unknown."""
        try:
            engine.db.catalog.write(Delete(open_key(opened)))
        except Unavailable as error:
            engine.telemetry.warning("A record of nothing stays open.", error=error.message)

    def close(self, engine: Engine, opened: Opened, outcome: Outcome) -> None:
        """Seal an open record; where that cannot be done now, it stays open with its outcome. It never raises."""
        try:
            if not self._append(engine, opened, outcome):
                _leave(engine, opened, outcome)
        except Unavailable as error:
            engine.telemetry.warning("A record of the trail is sealed later.", error=error.message)
            _leave_quietly(engine, opened, outcome)

    def tell(self, engine: Engine, opened: Opened, outcome: Outcome) -> None:
        """Seal what has no open record, since nothing was to be changed. It never raises."""
        try:
            if not self._append(engine, opened, outcome, is_open=False):
                engine.telemetry.warning("A refusal was not recorded: others keep writing.")
        except Unavailable as error:
            engine.telemetry.warning("A refusal was not recorded.", error=error.message)

    def seal_left(self, engine: Engine, tenant: str) -> None:
        """Seal what others have left open, at most a hundred. Unavailable."""
        now_ms = engine.clock.now_ms()
        page = engine.db.catalog.query(partition(tenant), low=_OPEN, high=_OPEN_END, limit=_LEFT)
        for item in page.items:
            opened, outcome = decode_open(item)
            if outcome is None and opened.at_ms > now_ms - GRACE_MS:
                continue
            self._append(engine, opened, outcome or Outcome("unknown"))

    def _append(self, engine: Engine, opened: Opened, outcome: Outcome, *, is_open: bool = True) -> bool:
        """Whether it is in the chain, by whomever; False if others were always faster."""
        tenant, key = opened.tenant, _newest_key(engine)
        over: list[tuple[TableName, Write]] = (
            [("catalog", Delete(open_key(opened), PRESENT))] if is_open else []
        )
        head = self._heads.get(tenant) or read_head(engine.db, tenant)
        for _ in range(TRIES):
            now_ms = engine.clock.now_ms()
            expires_at = engine.settings.audit_expires_at(now_ms)
            entry = sealed(opened, outcome, head, now_ms=now_ms, expires_at=expires_at, key=key)
            try:
                engine.db.transact(
                    ("audit", Put(encode_entry(tenant, entry), Absent())),
                    ("catalog", Put(encode_head(tenant, entry.head))),
                    *over,
                )
            except ConditionFailed as refused:
                if refused.existing is None:
                    return True  # somebody else has sealed it
                head = _later_head(engine.db, tenant, decode_entry(refused.existing))
                continue
            self._remember(tenant, entry.head)
            return True
        self._heads.pop(tenant, None)
        return False

    def _remember(self, tenant: str, head: Head) -> None:
        self._heads[tenant] = head
        self._heads.move_to_end(tenant)
        if len(self._heads) > MAX_HEADS:
            self._heads.popitem(last=False)


def read_head(db: Database, tenant: str) -> Head:
    """Where the trail ends, as the catalog has it."""
    item = db.catalog.get(head_key(tenant))
    return decode_head(item) if item else Head()


def _later_head(db: Database, tenant: str, found: Entry) -> Head:
    """The head that the catalog has, or the last entry that there is, should the catalog be behind."""
    head = read_head(db, tenant)
    if head.seq >= found.seq:
        return head
    [last] = db.audit.query(partition(tenant), limit=1, backwards=True).items
    return decode_entry(last).head


def _newest_key(engine: Engine) -> SigningKey | None:
    """None if the deployment has no keys. Unavailable."""
    return next(iter(keys_of(engine.secrets.read("signing-key"))), None)


def _leave(engine: Engine, opened: Opened, outcome: Outcome) -> None:
    """The outcome beside the open record, unless somebody has sealed it. Unavailable."""
    try:
        engine.db.catalog.write(
            Update(open_key(opened), {"outcome": json.dumps(asdict(outcome))}, when=PRESENT)
        )
    except ConditionFailed:
        return


def _leave_quietly(engine: Engine, opened: Opened, outcome: Outcome) -> None:
    """It will be told as unknown if not even this can be written."""
    try:
        _leave(engine, opened, outcome)
    except Unavailable as error:
        engine.telemetry.warning("The outcome of a record is not known to the trail.", error=error.message)
