"""From the Authorization header to a principal. What it names is read each time: taking it back works at once."""

from collections.abc import Callable

from chalicelib.domain.errors import Unauthorized, Unavailable
from chalicelib.domain.permissions import ACCOUNT, LEAVE, Role, permissions_of
from chalicelib.engine.core import Engine
from chalicelib.identity.keys import ApiKey, bounded, is_of, key_key, parsed, read_key
from chalicelib.identity.members import decode_member, membership_key, read_member
from chalicelib.identity.principal import Principal
from chalicelib.identity.sessions import Session, decode_session, session_key
from chalicelib.identity.tokens import Claims, claims_of
from chalicelib.ports.table import PRESENT, ConditionFailed, Item, Update

Authenticate = Callable[[Engine, str | None], Principal]
"""The principal of an Authorization header. Unauthorized if it opens nothing."""

USED_EVERY_MS = 600_000
"""How often at most it is noted that a key was used."""
_HOW = "Send an API key or an access token: Authorization: Bearer KEY."
_OVER = "The session is over, or its user is no member of the tenant any more: refresh it, or sign in again."
_UNKNOWN = "The key is not known, is over, or was taken back."


def authenticate(engine: Engine, authorization: str | None) -> Principal:
    """One read, strongly consistent; for a member's own key another, of their membership."""
    scheme, _, credential = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise Unauthorized(_HOW)
    text = credential.strip()
    return _by_token(engine, text) if text.count(".") == 2 else _by_key(engine, text)


def _by_token(engine: Engine, text: str) -> Principal:
    """The token says who, the records say what they may: logout, removal and another role hold at once."""
    claims = claims_of(engine, text)
    of_session = session_key(claims.user, claims.session)
    of_member = membership_key(claims.tenant, claims.user)
    found = engine.db.catalog.get_many([of_session, of_member])
    session = decode_session(found[of_session]) if of_session in found else None
    if session is None or session.expires_ms <= engine.clock.now_ms():
        raise Unauthorized(_OVER)
    if session.is_bound:
        return _by_provider(session, claims, found.get(of_member))
    if claims.tenant == claims.user:  # who belongs to no tenant has an account all the same
        return Principal(claims.user, claims.user, "viewer", ACCOUNT, claims.session)
    if of_member not in found:
        raise Unauthorized(_OVER)
    role = decode_member(found[of_member]).role
    permissions = permissions_of(role) | ACCOUNT
    return Principal(claims.tenant, claims.user, role, permissions, claims.session)


def _by_provider(session: Session, claims: Claims, membership: Item | None) -> Principal:
    """A tenant's admins choose its provider: its word opens that tenant, no account, and makes an owner of nobody."""
    if membership is None or claims.tenant != session.tenant:
        raise Unauthorized(_OVER)
    held = decode_member(membership).role
    role: Role = "admin" if held == "owner" else held
    return Principal(claims.tenant, claims.user, role, permissions_of(role) | LEAVE, claims.session)


def _by_key(engine: Engine, text: str) -> Principal:
    shown = parsed(text)
    key = read_key(engine, "key_" + shown.ulid) if shown else None
    now_ms = engine.clock.now_ms()
    if shown is None or key is None or not is_of(key, shown, now_ms) or key.is_expired(now_ms):
        raise Unauthorized(_UNKNOWN)
    if key.member is not None:
        key = bounded(key, read_member(engine, key.tenant, key.member))
    if key is None:
        raise Unauthorized(_UNKNOWN)
    _note_use(engine, key, now_ms)
    return Principal(key.tenant, key.id, key.role, key.permissions, scopes=key.scopes, name=key.name)


def _note_use(engine: Engine, key: ApiKey, now_ms: int) -> None:
    """Best effort: nothing depends on it."""
    if key.used_ms is not None and now_ms - key.used_ms < USED_EVERY_MS:
        return
    try:
        engine.db.catalog.write(Update(key_key(key.id), set={"used_ms": now_ms}, when=PRESENT))
    except ConditionFailed:
        pass
    except Unavailable as error:
        engine.telemetry.warning("The use of a key was not noted.", error=error.message)
