"""Lists in pages: the query parameters, cursors, and reading on until a page is full."""

import hmac
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.callback_token import SigningKey
from chalicelib.domain.errors import Invalid, Unavailable
from chalicelib.domain.ids import is_id
from chalicelib.engine.running.signing import keys_of
from chalicelib.ports.secrets import Secrets
from chalicelib.ports.table import Item, Key, Table

MAX_SCANNED = 1_000
"""A page of a filtered list reads at most about this many records; it may come back short, with a cursor."""
_FORMAT = 2
_MAC_BYTES = 16
_PURPOSE = "chronos cursor"
"""Signed too: callbacks are signed with the same keys."""
_NAME = re.compile(r"[\w.-]{1,64}", re.ASCII)

T = TypeVar("T")
Fetch = Callable[[str | None, int], tuple[list[tuple[str, T | None]], bool]]
"""(after id, count) -> the next ids with their records (None: it is gone), and whether more follow."""


class PageQuery(BaseModel):
    """What every list takes."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    limit: int = Field(50, ge=1, le=100, description="How many items at most.")
    cursor: str | None = Field(
        None, max_length=512, description="`next_cursor` of the page before, with the same filters."
    )

    def filters(self) -> dict[str, Any]:
        """The parameters that a cursor is bound to."""
        return self.model_dump(exclude={"limit", "cursor"}, exclude_none=True, mode="json")


class Page(BaseModel):
    """One page of a list; its heirs say what `items` are."""

    model_config = ConfigDict(defer_build=True)

    next_cursor: str | None = Field(
        description="Give it as `cursor` for the next page. null: this was the last."
    )


class List:
    """One list of one tenant under one set of filters: what its cursors are bound to.

    `prefix` is that of its ids; empty where things go by their names. A cursor is signed by a key of the deployment, so
    that it is good in every process, and only as it was given out.
    """

    def __init__(self, secrets: Secrets, tenant: str, kind: str, prefix: str, query: PageQuery) -> None:
        self._secrets, self._prefix = secrets, prefix
        self._bound = [tenant, kind, prefix, query.filters()]

    def cursor(self, last_id: str | None) -> str | None:
        """Opaque, None at the end of the list. Unavailable if the keys of this deployment cannot be read."""
        if last_id is None:
            return None
        keys = keys_of(self._secrets.read("signing-key"))
        if not keys:
            raise Unavailable("This deployment has no signing key for cursors: see `make callbacks`.")
        return self._signed(last_id, keys[0])

    def after(self, cursor: str | None) -> str | None:
        """The last id of the page before. Invalid if this list never gave the cursor out; Unavailable as `cursor`."""
        if cursor is None:
            return None
        try:
            version, key_id, last_id, _mac = json.loads(_decoded(cursor))
        except (ValueError, LookupError, TypeError, RecursionError):
            raise _bad_cursor() from None
        if version != _FORMAT or not isinstance(last_id, str) or not self._is_possible(last_id):
            raise _bad_cursor()
        key = self._key(str(key_id))
        if key is None or not hmac.compare_digest(self._signed(last_id, key).encode(), cursor.encode()):
            raise _bad_cursor()
        return last_id

    def _is_possible(self, last_id: str) -> bool:
        return is_id(last_id, self._prefix) if self._prefix else bool(_NAME.fullmatch(last_id))

    def _key(self, key_id: str) -> SigningKey | None:
        """The key of this id: asked for again if it is not known, since another process may sign with a newer one."""
        for fresh in (False, True):
            for key in keys_of(self._secrets.read("signing-key", fresh=fresh)):
                if key.id == key_id:
                    return key
        return None

    def _signed(self, last_id: str, key: SigningKey) -> str:
        text = json.dumps([*self._bound, last_id], sort_keys=True)
        mac = hmac.digest(key.secret, f"{_PURPOSE}:{text}".encode(), "sha256")[:_MAC_BYTES]
        payload = json.dumps([_FORMAT, key.id, last_id, mac.hex()], separators=(",", ":"))
        return urlsafe_b64encode(payload.encode()).decode().rstrip("=")


def _decoded(cursor: str) -> bytes:
    return urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))


def _bad_cursor() -> Invalid:
    return Invalid.field(
        "/query/cursor", "This is no cursor of this list with these filters; begin without one.", "bad_cursor"
    )


def in_lists(
    catalog: Table,
    value: str,
    key_of: Callable[[str], Key],
    shown: Callable[[Item], T | None],
    *,
    backwards: bool = True,
) -> Fetch[T]:
    """What one partition of the index `lists` names, by age: ids are the ends of the records' partitions."""

    def fetch(after: str | None, count: int) -> tuple[list[tuple[str, T | None]], bool]:
        start: Item | None = None
        if after is not None:
            pk, sk = key_of(after)
            start = {"pk": pk, "sk": sk, "lpk": value, "lsk": after}
        keys, more = catalog.query_index("lists", value, limit=count, backwards=backwards, after=start)
        items = catalog.get_many(keys)
        rows = [(key[0].rpartition("#")[2], items.get(key)) for key in keys]
        return [(name, shown(item) if item else None) for name, item in rows], more is not None

    return fetch


def read_page(
    fetch: Fetch[T], wanted: Callable[[T], bool], limit: int, after: str | None
) -> tuple[list[T], str | None]:
    """Up to `limit` wanted records, and the id to go on after (None: the list ended)."""
    found: list[T] = []
    scanned = 0
    while scanned < MAX_SCANNED:
        rows, more = fetch(after, limit)
        for place, (identifier, record) in enumerate(rows, start=1):
            after = identifier
            if record is not None and wanted(record):
                found.append(record)
            if len(found) == limit:
                return found, after if more or place < len(rows) else None
        if not more:
            return found, None
        scanned += len(rows)
    return found, after
