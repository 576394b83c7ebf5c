"""What one request leaves in the trail: begun before it changes anything, and told how it went."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chalicelib.domain.ids import ulid
from chalicelib.domain.redaction import cut, differing, masked
from chalicelib.engine.core import Engine
from chalicelib.identity.principal import Principal
from chalicelib.identity.trail.book import Book
from chalicelib.identity.trail.entries import Opened, Outcome, OutcomeName
from chalicelib.ports.witness import NoWitness

MAX_CHANGES = 100
MAX_BYTES = 60_000
"""Of all changes of one record; what is beyond is named without its content."""
_BARRED = (401, 403)
_FAULTS = 500


class Recording(NoWitness):
    """A Witness that is also told how its request goes. This one tells nobody."""

    def begin(self, principal: Principal) -> None:
        """By a route that knows who asks. Unavailable if it cannot be begun."""

    def done(self, status: int) -> None:
        """It was answered so; after a trial or a repetition nothing is left."""

    def refused(self, principal: Principal, status: int, code: str) -> None:
        """It was answered by this problem. That somebody may not do a thing is told, other refusals changed nothing."""


NO_RECORDING = Recording()


class RequestRecording(Recording):
    """Tells the trail of one request. `asked`: what its records have in common; tenant and actor may be unknown."""

    def __init__(self, engine: Engine, book: Book, asked: Opened, *, is_public: bool) -> None:
        self._engine, self._book, self._asked, self._is_public = engine, book, asked, is_public
        self._open: list[Opened] = []
        self._acting: dict[str, None] = {}
        self._changes: list[tuple[tuple[str, ...], dict[str, Any]]] = []
        self._bytes = 0
        self._is_repeated = False

    def acting(self, tenant: str, actor: str, role: str = "", session: str | None = None) -> None:
        self._acting[tenant] = None
        if not any(each.tenant == tenant for each in self._open):
            self._begin(replace(self._asked, tenant=tenant, actor=actor, role=role, session=session))

    def changed(
        self, kind: str, identifier: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
    ) -> None:
        told = self._bounded({"kind": kind, "id": identifier}, *differing(before, after))
        self._changes.append((tuple(self._acting) or tuple(each.tenant for each in self._open), told))

    def repeated(self) -> None:
        self._is_repeated = True

    def begin(self, principal: Principal) -> None:
        if not self._is_public:
            self._begin(_by(self._asked, principal))

    def done(self, status: int) -> None:
        if self._is_repeated and not self._changes:
            self._drop()
        else:
            self._close("done", status)

    def refused(self, principal: Principal, status: int, code: str) -> None:
        is_barred = status in _BARRED
        if is_barred and not self._open and not self._is_public:
            told = replace(_by(self._asked, principal), id=self._new_id())
            self._book.tell(self._engine, told, Outcome("refused", status, code))
        elif status < _FAULTS and (is_barred or self._is_public):
            self._close("refused", status, code)
        elif status >= _FAULTS or self._changes:
            self._close("failed", status, code)
        else:
            self._drop()

    def _begin(self, opened: Opened) -> None:
        self._open.append(replace(opened, id=self._new_id()))
        self._book.begin(self._engine, self._open[-1])

    def _new_id(self) -> str:
        return "event_" + ulid(self._asked.at_ms, self._engine.ids.random_bytes(10))

    def _close(self, outcome: OutcomeName, status: int, code: str = "") -> None:
        for opened in self._open:
            own = [change for tenants, change in self._changes if opened.tenant in tenants]
            changes = own[:MAX_CHANGES]
            if len(own) > MAX_CHANGES:
                changes.append({"kind": "more", "id": str(len(own) - MAX_CHANGES)})
            self._book.close(self._engine, opened, Outcome(outcome, status, code, changes))

    def _drop(self) -> None:
        for opened in self._open:
            self._book.drop(self._engine, opened)

    def _bounded(
        self, named: dict[str, Any], before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> dict[str, Any]:
        """The change masked, and cut; only its name where the record is full."""
        told = {
            side: cut(masked(document))
            for side, document in (("before", before), ("after", after))
            if document is not None
        }
        size = len(json.dumps(told))
        if self._bytes + size > MAX_BYTES:
            return {**named, "cut_bytes": size}
        self._bytes += size
        return {**named, **told}


def _by(asked: Opened, principal: Principal) -> Opened:
    return replace(
        asked,
        tenant=principal.tenant,
        actor=principal.actor,
        name=principal.name,
        role=principal.role,
        session=principal.session,
    )
