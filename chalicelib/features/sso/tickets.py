"""Tickets: what a page is given in its URL instead of tokens, and exchanges for them within a minute, once."""

import hmac
from dataclasses import dataclass

from chalicelib.domain.errors import SignInOver
from chalicelib.engine.core import Engine
from chalicelib.identity.oidc import SECRET_BYTES, challenge, digest_of, text_of
from chalicelib.ports.table import PRESENT, Absent, ConditionFailed, Delete, Key, Put

LIFE_SECONDS = 60
_OVER = "This code was used, is older than a minute, or is another page's: begin again."


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who has signed in where. `challenge` is that of the page which may exchange it (PKCE's S256)."""

    user: str
    tenant: str
    challenge: str


def give(engine: Engine, ticket: Ticket) -> str:
    """Its text; only the digest is kept."""
    text = text_of(engine.ids.random_bytes(SECRET_BYTES))
    until_ms = engine.clock.now_ms() + LIFE_SECONDS * 1000
    pk, sk = _key(text)
    engine.db.catalog.write(
        Put(
            {
                "pk": pk,
                "sk": sk,
                "user": ticket.user,
                "tenant": ticket.tenant,
                "challenge": ticket.challenge,
                "until_ms": until_ms,
                "expires_at": until_ms // 1000,
            },
            Absent(),
        )
    )
    return text


def take(engine: Engine, text: str, verifier: str) -> Ticket:
    """The ticket, which nobody else can take any more. SignInOver unless it waits, and for this page."""
    key = _key(text)
    item = engine.db.catalog.get(key)
    if item is None or int(item["until_ms"]) <= engine.clock.now_ms():
        raise SignInOver(_OVER)
    if not hmac.compare_digest(str(item["challenge"]), challenge(verifier)):
        raise SignInOver(_OVER)
    try:
        engine.db.catalog.write(Delete(key, PRESENT))
    except ConditionFailed:
        raise SignInOver(_OVER) from None
    return Ticket(str(item["user"]), str(item["tenant"]), str(item["challenge"]))


def _key(text: str) -> Key:
    return f"sso_ticket#{digest_of(text)}", "ticket"
