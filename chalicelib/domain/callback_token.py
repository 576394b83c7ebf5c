"""Tokens by which somebody outside speaks for one attempt of one run: signed, so that nothing needs to be stored.

`v1.key id.claim.HMAC-SHA256`, all of it safe in the path of a URL. A token names the attempt and not the start of it:
when a worker has died and the attempt is started again, the other side, which knows the run by its Idempotency-Key, may
have kept the first address alone.
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field

VERSION = "v1"
MAX_LENGTH = 512
_PURPOSE = "chronos callback"
"""Signed too: a signature that was made with the same key for another purpose is none here."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """`secret` has 32 random bytes."""

    id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a token says: it speaks for this attempt, before `until_s` (epoch seconds)."""

    tenant: str
    run_id: str
    attempt: int
    until_s: int


def signed(claim: Claim, key: SigningKey) -> str:
    """The token of a claim."""
    row = [claim.tenant, claim.run_id, claim.attempt, claim.until_s]
    text = json.dumps(row, separators=(",", ":")).encode()
    head = f"{VERSION}.{key.id}.{_text(text)}"
    return f"{head}.{_mac(head, key)}"


def key_id_of(token: str) -> str | None:
    """The id of the key that the token says it was signed with; None if it is no token at all."""
    parts = token.split(".")
    if len(token) > MAX_LENGTH or not token.isascii() or len(parts) != 4 or parts[0] != VERSION:
        return None
    return parts[1]


def claim_of(token: str, keys: Sequence[SigningKey]) -> Claim | None:
    """What the token says, whether or not its time is over; None unless one of these keys has signed it."""
    key = next((each for each in keys if each.id == key_id_of(token)), None)
    if key is None:
        return None
    head, _, mac = token.rpartition(".")
    if not hmac.compare_digest(mac.encode(), _mac(head, key).encode()):
        return None
    text = head.rpartition(".")[2]
    return Claim(*json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4))))


def _mac(head: str, key: SigningKey) -> str:
    return _text(hmac.digest(key.secret, f"{_PURPOSE}:{head}".encode(), "sha256"))


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
