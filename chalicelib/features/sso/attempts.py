"""Sign-ins that have begun: kept for ten minutes, good for once, and for the browser in which they began.

Of the state in the URL and of the browser's cookie only digests are kept.
"""

import hmac
import re
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field

from chalicelib.domain.errors import SignInOver
from chalicelib.engine.core import Engine
from chalicelib.identity.oidc import SECRET_BYTES, Proofs, digest_of, proofs, text_of
from chalicelib.ports.table import PRESENT, Absent, ConditionFailed, Delete, Item, Key, Put

LIFE_SECONDS = 600
_COOKIE = "chronos_sso_"
_NAME_LETTERS = 8
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_OVER = "This sign-in was finished, took more than ten minutes, or began in another browser: begin again."


@dataclass(frozen=True, slots=True)
class Attempt:
    """`provider` is the settings' fingerprint. `return_to` is where a page waits, with the challenge it will meet."""

    tenant: str
    provider: str
    until_ms: int
    return_to: str | None = None
    challenge: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """An attempt as its browser knows it: the state in the URL, and the secret in the cookie."""

    state: str
    browser: bytes = field(repr=False)

    @property
    def proofs(self) -> Proofs:
        return proofs(self.browser, self.state)

    @property
    def cookie(self) -> tuple[str, str]:
        """Its name, of each attempt its own, and its value."""
        return cookie_name(self.state), text_of(self.browser)


def begin(engine: Engine, attempt: Attempt) -> Begun:
    begun = Begun(text_of(engine.ids.random_bytes(SECRET_BYTES)), engine.ids.random_bytes(SECRET_BYTES))
    engine.db.catalog.write(Put(_encoded(attempt, begun), Absent()))
    return begun


def take(engine: Engine, tenant: str, state: str, cookies: str) -> tuple[Attempt, Begun]:
    """The attempt, which nobody else can take any more. SignInOver unless it is this browser's, and waits."""
    browser = _secret_in(cookies, state)
    key = _key(tenant, state)
    item = engine.db.catalog.get(key) if browser else None
    if item is None or browser is None or not hmac.compare_digest(str(item["browser"]), _digest(browser)):
        raise SignInOver(_OVER)
    attempt = _decoded(tenant, item)
    if attempt.until_ms <= engine.clock.now_ms():
        raise SignInOver(_OVER)
    try:
        engine.db.catalog.write(Delete(key, PRESENT))
    except ConditionFailed:
        raise SignInOver(_OVER) from None
    return attempt, Begun(state, browser)


def cookie_name(state: str) -> str:
    return _COOKIE + state[:_NAME_LETTERS]


def _secret_in(cookies: str, state: str) -> bytes | None:
    rows = (each.strip().partition("=") for each in cookies.split(";"))
    value = next((value for name, _, value in rows if name == cookie_name(state)), "")
    return urlsafe_b64decode(value + "=") if _SECRET.fullmatch(value) else None


def _digest(browser: bytes) -> str:
    return digest_of(text_of(browser))


def _key(tenant: str, state: str) -> Key:
    return f"{tenant}#sso_attempt#{digest_of(state)}", "attempt"


def _encoded(attempt: Attempt, begun: Begun) -> Item:
    pk, sk = _key(attempt.tenant, begun.state)
    item: Item = {
        "pk": pk,
        "sk": sk,
        "provider": attempt.provider,
        "browser": _digest(begun.browser),
        "until_ms": attempt.until_ms,
        "expires_at": attempt.until_ms // 1000,
    }
    for name in ("return_to", "challenge"):
        if (value := getattr(attempt, name)) is not None:
            item[name] = value
    return item


def _decoded(tenant: str, item: Item) -> Attempt:
    return Attempt(
        tenant=tenant,
        provider=str(item["provider"]),
        until_ms=int(item["until_ms"]),
        return_to=str(item["return_to"]) if "return_to" in item else None,
        challenge=str(item["challenge"]) if "challenge" in item else None,
    )
