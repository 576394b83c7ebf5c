"""Whom a provider's word lets in, and as which user: once linked by who they are there, never again by their address.

The word of a provider, which a tenant chooses, counts for that tenant alone: links are the tenant's, an address is not
shown to be a user's by it, and a session that begins here opens nothing else (`identity/sessions.py`).
"""

import hashlib
import re
from dataclasses import dataclass, replace

from chalicelib.domain.errors import Conflict, SignInRefused
from chalicelib.domain.ids import ulid
from chalicelib.engine.core import Engine
from chalicelib.features.sso.joining import joining_writes
from chalicelib.features.sso.settings import SsoSettings
from chalicelib.identity.members import read_member
from chalicelib.identity.oidc_token import Person
from chalicelib.identity.sessions import end_all
from chalicelib.identity.users import User, encode_email, encode_user, read_user, user_key, user_of
from chalicelib.ports.table import (
    Absent,
    Check,
    ConditionFailed,
    Is,
    Item,
    Key,
    Put,
    TableName,
    Update,
    Write,
)

TRIES = 3
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9.-]{1,253})")


@dataclass(frozen=True, slots=True)
class Link:
    """Who it is at a tenant's provider, and the user that this stands for. `user` is None before the first time."""

    tenant: str
    issuer: str
    subject: str
    user: str | None = None


def admitted(engine: Engine, tenant: str, settings: SsoSettings, person: Person) -> User:
    """The user, who is a member of the tenant. SignInRefused; Conflict if others keep changing them."""
    email = _address(settings, person)
    for _ in range(TRIES):
        link = _link(engine, tenant, settings.issuer, person.subject)
        known = read_user(engine, link.user) if link.user else None
        try:
            if known is not None:
                return _let_in_again(engine, tenant, known)
            return _let_in(engine, settings, link, person, email)
        except ConditionFailed:
            continue
    raise Conflict("Others keep changing this user; sign in again.")


def _address(settings: SsoSettings, person: Person) -> str:
    found = _EMAIL.fullmatch(person.email or "")
    if found is None or not person.verified:
        raise SignInRefused(
            "The identity provider does not say that your address is verified.", "email_not_verified"
        )
    if found[1].lower() not in settings.email_domains:
        raise SignInRefused("Addresses of your domain may not sign in here.", "domain_not_allowed")
    return found[0]


def _let_in_again(engine: Engine, tenant: str, user: User) -> User:
    """Who was a member and is none any more was sent away: only an invitation brings them back. ConditionFailed."""
    if read_member(engine, tenant, user.id) is None:
        writes = joining_writes(engine, tenant, user, by_themselves=None)
        engine.witness.acting(tenant, user.id)
        engine.db.transact(*writes)
        engine.witness.changed("member", user.id, None, {"by": "invitation"})
    return user


def _let_in(engine: Engine, settings: SsoSettings, link: Link, person: Person, email: str) -> User:
    """Link the person with the user of that address, or a new one. ConditionFailed if anything changes meanwhile."""
    known = user_of(engine, email)
    user = known or _new(engine, person, email)
    writes: list[tuple[TableName, Write | Check]] = [
        ("catalog", _link_put(link, user.id)),
        *_user_writes(known, user),
    ]
    joins = known is None or read_member(engine, link.tenant, known.id) is None
    if joins:
        role = settings.default_role if settings.auto_join else None
        writes += joining_writes(engine, link.tenant, user, by_themselves=role)
    engine.witness.acting(link.tenant, user.id)
    if _is_unproven(known):
        user = _disarmed(engine, user, writes)
    else:
        engine.db.transact(*writes)
    linked = {"issuer": link.issuer, "subject": link.subject, "is_new": known is None, "joins": joins}
    engine.witness.changed("user", user.id, None, linked)
    return user


def _disarmed(engine: Engine, user: User, writes: list[tuple[TableName, Write | Check]]) -> User:
    """Without the password, and without the sessions that it has opened, also meanwhile. ConditionFailed."""
    end_all(engine, user.id)
    engine.db.transact(*writes)
    end_all(engine, user.id)
    return replace(user, password=None, revision=user.revision + 1)


def _is_unproven(user: User | None) -> bool:
    """Whether somebody has registered the address, and has not shown that it is theirs: perhaps it is not."""
    return user is not None and user.password is not None and not user.verified


def _user_writes(known: User | None, user: User) -> list[tuple[TableName, Write | Check]]:
    """A new user; one who loses the password that somebody else may have set; or one who stays as they are."""
    if known is None:
        return [("catalog", Put(encode_user(user), Absent())), ("catalog", Put(encode_email(user), Absent()))]
    unchanged = Is("revision", known.revision)
    if _is_unproven(known):
        disarmed = Update(user_key(user.id), add={"revision": 1}, remove=("password",), when=unchanged)
        return [("catalog", disarmed)]
    return [("catalog", Check(user_key(user.id), unchanged))]


def _new(engine: Engine, person: Person, email: str) -> User:
    now_ms = engine.clock.now_ms()
    identity = "user_" + ulid(now_ms, engine.ids.random_bytes(10))
    return User(identity, email, person.name or email.partition("@")[0], now_ms)


def _link_key(tenant: str, issuer: str, subject: str) -> Key:
    digest = hashlib.sha256(f"{issuer}\n{subject}".encode()).hexdigest()
    return f"{tenant}#sso_link#{digest}", "link"


def _link(engine: Engine, tenant: str, issuer: str, subject: str) -> Link:
    item = engine.db.catalog.get(_link_key(tenant, issuer, subject))
    return Link(tenant, issuer, subject, str(item["user"]) if item else None)


def _link_put(link: Link, user_id: str) -> Put:
    """A new link, or one that takes the place of a user's who is gone."""
    pk, sk = _link_key(link.tenant, link.issuer, link.subject)
    item: Item = {
        "pk": pk,
        "sk": sk,
        "issuer": link.issuer,
        "subject": link.subject,
        "user": user_id,
    }
    return Put(item, Is("user", link.user) if link.user else Absent())
