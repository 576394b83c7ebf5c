"""Entries of the trail. Pure: what is known before a change, what is known after it, and the entry that both make.

An entry's document is stored as the very text whose SHA-256 is its hash. It holds the hash of the entry before, so that
nothing can be changed, taken out or put in between without changing all that follows; and a signature over the hash by
a key of the deployment shows that also all that follows was not made anew by somebody who can only write tables.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from chalicelib.domain.callback_token import SigningKey
from chalicelib.ports.table import Item, Key

OutcomeName = Literal["done", "refused", "failed", "unknown"]
"""`failed`: it was answered by 5xx, and a part of it may be done; `unknown`: its process ended before it was told."""

GENESIS = "0" * 64
"""What the first entry has as the hash of the one before."""
_PURPOSE = b"chronos trail:"
"""Signed too: callbacks are signed with the same keys."""
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Opened:
    """What is known before: who wants to do what, since when (epoch milliseconds), and where the request came from."""

    id: str
    tenant: str
    at_ms: int
    actor: str
    operation: str
    name: str = ""
    role: str = ""
    session: str | None = None
    kind: str = ""
    object: str = ""
    address: str = ""
    agent: str = ""
    request_id: str = ""
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known after. `code`: of the problem that was answered; `changes` are masked, and cut."""

    outcome: OutcomeName
    status: int = 0
    code: str = ""
    changes: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends. `recorded_ms` and `expires_at` (epoch seconds) never fall from one entry to the next."""

    seq: int = 0
    hash: str = GENESIS
    recorded_ms: int = 0
    expires_at: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored entry, as it was found. `document` is None where the text is none."""

    seq: int
    text: str
    hash: str
    expires_at: int
    key: str = ""
    signature: str = ""

    @property
    def document(self) -> dict[str, Any] | None:
        try:
            found = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    @property
    def head(self) -> Head:
        """The end of a chain that ends with it."""
        document = self.document or {}
        return Head(self.seq, self.hash, int(document.get("recorded_ms", 0)), self.expires_at)


def sealed(
    opened: Opened, outcome: Outcome, head: Head, *, now_ms: int, expires_at: int, key: SigningKey | None
) -> Entry:
    """The entry that follows on `head`."""
    kept_until = max(expires_at, head.expires_at)
    changed = outcome.changes[0] if outcome.changes and not opened.object else {}
    document = {
        **_filled(asdict(opened)),
        **_filled(asdict(outcome)),
        **({"kind": changed["kind"], "object": changed["id"]} if changed else {}),
        "seq": head.seq + 1,
        "recorded_ms": max(now_ms, opened.at_ms, head.recorded_ms),
        "expires_at": kept_until,
        "previous": {"hash": head.hash, "expires_at": head.expires_at},
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    digest = hashed(text)
    signature = signature_of(digest, key) if key else ""
    return Entry(head.seq + 1, text, digest, kept_until, key.id if key else "", signature)


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def signature_of(digest: str, key: SigningKey) -> str:
    return hmac.digest(key.secret, _PURPOSE + digest.encode(), "sha256").hex()


def is_signed(entry: Entry, keys: Sequence[SigningKey]) -> bool | None:
    """Whether the key that it names has signed it; None if that key is not known, or it names none."""
    key = next((each for each in keys if each.id == entry.key), None)
    if key is None:
        return None
    return hmac.compare_digest(entry.signature.encode(), signature_of(entry.hash, key).encode())


def partition(tenant: str) -> str:
    """Of the audit table: the entries; of the catalog: the head, and what is open."""
    return f"{tenant}#trail"


def entry_key(tenant: str, seq: int) -> Key:
    return partition(tenant), f"{seq:0{_DIGITS}d}"


def encode_entry(tenant: str, entry: Entry) -> Item:
    pk, sk = entry_key(tenant, entry.seq)
    item: Item = {
        "pk": pk,
        "sk": sk,
        "doc": entry.text,
        "hash": entry.hash,
        "expires_at": entry.expires_at,
    }
    return {**item, "key": entry.key, "signature": entry.signature} if entry.key else item


def decode_entry(item: Item) -> Entry:
    """As it is: nothing is checked."""
    return Entry(
        seq=int(item["sk"]) if str(item["sk"]).isdecimal() else 0,
        text=str(item.get("doc", "")),
        hash=str(item.get("hash", "")),
        expires_at=int(item.get("expires_at", 0)),
        key=str(item.get("key", "")),
        signature=str(item.get("signature", "")),
    )


def head_key(tenant: str) -> Key:
    return partition(tenant), "head"


def encode_head(tenant: str, head: Head) -> Item:
    pk, sk = head_key(tenant)
    return {"pk": pk, "sk": sk, **asdict(head)}


def decode_head(item: Item) -> Head:
    return Head(int(item["seq"]), str(item["hash"]), int(item["recorded_ms"]), int(item["expires_at"]))


def open_key(opened: Opened) -> Key:
    return partition(opened.tenant), f"open#{opened.id}"


def encode_open(opened: Opened) -> Item:
    pk, sk = open_key(opened)
    return {"pk": pk, "sk": sk, "doc": json.dumps(_filled(asdict(opened)))}


def decode_open(item: Item) -> tuple[Opened, Outcome | None]:
    """What is open, and its outcome if that is known."""
    outcome = Outcome(**json.loads(str(item["outcome"]))) if "outcome" in item else None
    return Opened(**json.loads(str(item["doc"]))), outcome


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what says nothing; a status of 0 is none either."""
    return {name: value for name, value in fields.items() if value not in (None, "", 0, [])}
