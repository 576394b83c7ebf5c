"""Sessions: each sign-in is one. It is kept alive by a refresh token, which is another one after each use.

A refresh token is `chronos_refresh_<user>_<session>_<secret>`. The first half of the secret stays the same for the
session's life, the second half is new each time: a right first half with a wrong second one is a token that was used
before, so that two have it, and the session ends. Digests of both halves are stored, nothing in clear.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field, replace

from chalicelib.domain.errors import BadCredentials, BadRefreshToken, NotFound
from chalicelib.domain.ids import ulid
from chalicelib.engine.core import Engine
from chalicelib.identity.members import Member, memberships, read_member
from chalicelib.identity.tokens import Claims, issued
from chalicelib.identity.users import User, read_user, user_key
from chalicelib.ports.table import (
    PRESENT,
    Absent,
    Check,
    Condition,
    ConditionFailed,
    Delete,
    Is,
    Item,
    Key,
    Lacks,
    Put,
    Update,
    all_of,
)

PREFIX = "chronos_refresh_"
PROVIDER = "sso"
IDLE_MS, LONGEST_MS, PROVIDED_MS = 30 * 86_400_000, 90 * 86_400_000, 86_400_000
"""A session that is not refreshed for so long is over; and whatever happens, so long after it began.

A session of a provider ends sooner: who is let go there is asked for again the next day.
"""
_HALF = 16
_ULID = "([0-9A-HJKMNP-TV-Z]{26})"
_TEXT = re.compile(f"{PREFIX}{_ULID}_{_ULID}_([A-Za-z0-9_-]{{43}})")
_OF_USER = "session#"
_UNKNOWN = "The refresh token is not known, is over, or was used before: sign in again."


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a request came from, and with which program, as that says of itself."""

    address: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """`family` and `turn` are the digests of the refresh token's halves; moments are epoch milliseconds.

    `tenant` is where it works if a refresh names no other: its user's own id while they belong to none. `by`: how its
    user signed in. By a provider, which the tenant has chosen, it works nowhere else, and not for long.
    """

    id: str
    user: str
    tenant: str
    family: str
    turn: str
    created_ms: int
    used_ms: int
    visit: Visit = Visit()
    by: str = "password"

    @property
    def expires_ms(self) -> int:
        longest_ms = PROVIDED_MS if self.is_bound else LONGEST_MS
        return min(self.used_ms + IDLE_MS, self.created_ms + longest_ms)

    @property
    def is_bound(self) -> bool:
        """Whether it opens its tenant alone."""
        return self.by == PROVIDER


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What a sign-in or a refresh gives; the tokens are told this once. Without a `member` they open the account."""

    session: Session
    user: User
    member: Member | None
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Shown:
    """A refresh token's text, taken apart."""

    user: str
    session: str
    family: bytes = field(repr=False)
    turn: bytes = field(repr=False)


def begin(
    engine: Engine, user: User, tenant: str | None, visit: Visit = Visit(), *, by: str = "password"
) -> SignedIn:
    """A new session of a user whose identity is shown; the caller has done that.

    NotFound if the user is no member of the tenant; BadCredentials if the password was changed, or the user deleted,
    since `user` was read.
    """
    member = member_of(engine, user.id, tenant)
    now_ms, randomness = engine.clock.now_ms(), engine.ids.random_bytes(10)
    family, turn = engine.ids.random_bytes(_HALF), engine.ids.random_bytes(_HALF)
    session = Session(
        id="session_" + ulid(now_ms, randomness),
        user=user.id,
        tenant=member.tenant if member else user.id,
        family=_digest(family),
        turn=_digest(turn),
        created_ms=now_ms,
        used_ms=now_ms,
        visit=visit,
        by=by,
    )
    engine.witness.acting(session.tenant, user.id, member.role if member else "", session.id)
    try:
        engine.db.transact(
            ("catalog", Put(encode_session(session), Absent())),
            ("catalog", Check(user_key(user.id), _same_password(user))),
        )
    except ConditionFailed:
        raise BadCredentials("The password has just been changed: sign in again.") from None
    engine.witness.changed("session", session.id, None, _shown(session))
    return _told(engine, session, user, member, family + turn)


def refresh(engine: Engine, text: str, tenant: str | None, visit: Visit = Visit()) -> SignedIn:
    """The session goes on with new tokens, perhaps in another tenant of its user.

    BadRefreshToken; if the token was used before, the session is over. NotFound as in `begin`.
    """
    shown = parsed(text)
    before = _known(engine, shown) if shown else None
    if shown is None or before is None:
        raise BadRefreshToken(_UNKNOWN)
    if not hmac.compare_digest(before.turn, _digest(shown.turn)):
        raise _used_before(engine, before)
    user = read_user(engine, before.user)
    if user is None:
        raise BadRefreshToken(_UNKNOWN)
    member = _going_on(engine, before, tenant)
    turn = engine.ids.random_bytes(_HALF)
    tenant = member.tenant if member else user.id
    after = replace(before, tenant=tenant, turn=_digest(turn), used_ms=engine.clock.now_ms(), visit=visit)
    _turn(engine, before, after)
    return _told(engine, after, user, member, shown.family + turn)


def member_of(engine: Engine, user_id: str, tenant: str | None) -> Member | None:
    """The user's membership in this tenant (NotFound if there is none), or in the one that they joined first."""
    if tenant is not None:
        found = read_member(engine, tenant, user_id)
        if found is None:
            raise NotFound("There is no such tenant, or you are no member of it.")
        return found
    joined = sorted(memberships(engine, user_id), key=lambda member: (member.joined_ms, member.tenant))
    return joined[0] if joined else None


def sessions_of(engine: Engine, user_id: str) -> list[Session]:
    """Those that are not over, the latest used first: at most a thousand."""
    pk, low = session_key(user_id, "")
    now_ms, page = engine.clock.now_ms(), engine.db.catalog.query(pk, low=low, high=f"{low}~")
    found = [decode_session(item) for item in page.items]
    return sorted((each for each in found if each.expires_ms > now_ms), key=lambda each: -each.used_ms)


def end(engine: Engine, user_id: str, session_id: str) -> bool:
    """End one; False if there is none. Its access tokens open nothing from now on."""
    try:
        engine.db.catalog.write(Delete(session_key(user_id, session_id), PRESENT))
    except ConditionFailed:
        return False
    engine.witness.changed("session", session_id, {"user": user_id}, None)
    return True


def end_all(engine: Engine, user_id: str, *, but: str | None = None) -> int:
    """End them all, or all but one; how many there were. Unavailable if some may be left."""
    pk, low = session_key(user_id, "")
    kept, after, count = session_key(user_id, but or ""), None, 0
    while True:
        page = engine.db.catalog.query(pk, low=low, high=f"{low}~", after=after)
        keys = [key for item in page.items if (key := (pk, str(item["sk"]))) != kept]
        engine.db.catalog.delete_all(keys)
        for _, sort_key in keys:
            engine.witness.changed("session", sort_key.removeprefix(low), {"user": user_id}, None)
        count, after = count + len(keys), page.next
        if after is None:
            return count


def session_key(user_id: str, session_id: str) -> Key:
    return f"user#{user_id}", f"{_OF_USER}{session_id}"


def encode_session(session: Session) -> Item:
    pk, sk = session_key(session.user, session.id)
    return {
        "pk": pk,
        "sk": sk,
        "id": session.id,
        "user": session.user,
        "tenant": session.tenant,
        "family": session.family,
        "turn": session.turn,
        "created_ms": session.created_ms,
        "used_ms": session.used_ms,
        "address": session.visit.address,
        "agent": session.visit.agent,
        "by": session.by,
        "expires_at": session.expires_ms // 1000,
    }


def decode_session(item: Item) -> Session:
    return Session(
        id=str(item["id"]),
        user=str(item["user"]),
        tenant=str(item["tenant"]),
        family=str(item["family"]),
        turn=str(item["turn"]),
        created_ms=int(item["created_ms"]),
        used_ms=int(item["used_ms"]),
        visit=Visit(str(item["address"]), str(item["agent"])),
        by=str(item["by"]),
    )


def parsed(text: str) -> Shown | None:
    """None if this can be no refresh token."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    secret = urlsafe_b64decode(found[3] + "=")
    return Shown("user_" + found[1], "session_" + found[2], secret[:_HALF], secret[_HALF:])


def _text_of(session: Session, secret: bytes) -> str:
    user, own = session.user.removeprefix("user_"), session.id.removeprefix("session_")
    return f"{PREFIX}{user}_{own}_{urlsafe_b64encode(secret).decode().rstrip('=')}"


def _digest(half: bytes) -> str:
    return hashlib.sha256(half).hexdigest()


def _same_password(user: User) -> Condition:
    """That the user is still there, and has the password that was read."""
    if user.password is None:
        return all_of(PRESENT, Lacks("password"))
    return Is("password", user.password)


def _known(engine: Engine, shown: Shown) -> Session | None:
    """The session that the token is of, unless it is over."""
    item = engine.db.catalog.get(session_key(shown.user, shown.session))
    session = decode_session(item) if item else None
    if session is None or session.expires_ms <= engine.clock.now_ms():
        return None
    return session if hmac.compare_digest(session.family, _digest(shown.family)) else None


def _going_on(engine: Engine, session: Session, tenant: str | None) -> Member | None:
    """Where it works from now on: it stays in its tenant as long as its user does. BadRefreshToken; NotFound."""
    if session.is_bound:
        return _bound(engine, session, tenant)
    if tenant is not None:
        return member_of(engine, session.user, tenant)
    stays = read_member(engine, session.tenant, session.user)
    return stays or member_of(engine, session.user, None)


def _bound(engine: Engine, session: Session, tenant: str | None) -> Member:
    member = member_of(engine, session.user, tenant) if tenant == session.tenant else None
    if tenant is not None and member is None:
        raise NotFound("A session of an identity provider opens the tenant whose provider it is.")
    member = member or read_member(engine, session.tenant, session.user)
    if member is None:
        raise BadRefreshToken(_UNKNOWN)
    return member


def _turn(engine: Engine, before: Session, after: Session) -> None:
    """Write the new turn, unless another request has done so with the same token: then two have it."""
    item = encode_session(after)
    changed = {name: item[name] for name in ("tenant", "turn", "used_ms", "address", "agent", "expires_at")}
    try:
        engine.db.catalog.write(
            Update(session_key(after.user, after.id), set=changed, when=Is("turn", before.turn))
        )
    except ConditionFailed as refused:
        if refused.existing is None:
            raise BadRefreshToken(_UNKNOWN) from None
        if refused.existing["turn"] != after.turn:
            raise _used_before(engine, before) from None


def _used_before(engine: Engine, session: Session) -> BadRefreshToken:
    """Two have the token, and nobody knows who is the thief: neither goes on."""
    engine.witness.acting(session.tenant, session.user, session=session.id)
    end(engine, session.user, session.id)
    engine.telemetry.warning(
        "A refresh token was used twice; its session is over.", user=session.user, session=session.id
    )
    return BadRefreshToken(_UNKNOWN)


def _shown(session: Session) -> dict[str, str]:
    """As the audit trail tells it."""
    return {
        "user": session.user,
        "by": session.by,
        "address": session.visit.address,
        "agent": session.visit.agent,
    }


def _told(engine: Engine, session: Session, user: User, member: Member | None, secret: bytes) -> SignedIn:
    token = issued(engine, Claims(user.id, session.id, session.tenant))
    return SignedIn(session, user, member, token, _text_of(session, secret))
