"""Lists in pages: the query parameters, cursors, and reading on until a page is full."""

import binascii
import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.errors import Invalid
from chalicelib.domain.ids import is_id

MAX_SCANNED = 1_000
"""A page of a filtered list reads at most about this many records; it may come back short, with a cursor."""
_FORMAT = 1
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

    `prefix` is that of its ids; empty where things go by their names.
    """

    def __init__(self, tenant: str, kind: str, prefix: str, query: PageQuery) -> None:
        self._prefix = prefix
        bound = json.dumps([tenant, kind, query.filters()], sort_keys=True)
        self._binding = hashlib.blake2b(bound.encode(), digest_size=6).hexdigest()

    def cursor(self, last_id: str | None) -> str | None:
        """Opaque, None at the end of the list."""
        if last_id is None:
            return None
        return urlsafe_b64encode(self._payload(last_id)).decode().rstrip("=")

    def after(self, cursor: str | None) -> str | None:
        """The last id of the page before. Invalid if this list never gave the cursor out."""
        if cursor is None:
            return None
        try:
            payload = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
            last_id = str(json.loads(payload)[2])
        except (ValueError, LookupError, TypeError, RecursionError, binascii.Error):
            raise _bad_cursor() from None
        is_possible = is_id(last_id, self._prefix) if self._prefix else _NAME.fullmatch(last_id)
        if not is_possible or self.cursor(last_id) != cursor:
            raise _bad_cursor()
        return last_id

    def _payload(self, last_id: str) -> bytes:
        return json.dumps([_FORMAT, self._binding, last_id], separators=(",", ":")).encode()


def _bad_cursor() -> Invalid:
    return Invalid.field(
        "/query/cursor", "This is no cursor of this list with these filters; begin without one.", "bad_cursor"
    )


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
