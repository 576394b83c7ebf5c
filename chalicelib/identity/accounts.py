"""Users by their own hand: they register, show that their address is theirs, change it, and go.

Nobody learns here whether an address has an account: the answer is the same, and its route has it leave after the same
time. Only the mail, which its owner alone reads, says more.
"""

from dataclasses import dataclass, field, replace

from chalicelib.domain.errors import Conflict, Invalid, RegistrationClosed, Unavailable
from chalicelib.domain.ids import ulid
from chalicelib.engine.core import Engine
from chalicelib.identity import attempts, letters, one_time
from chalicelib.identity.members import Member, member_puts, memberships, owner_kept, removal_writes
from chalicelib.identity.one_time import OneTime, Purpose, before_of
from chalicelib.identity.passwords import problem_of
from chalicelib.identity.sessions import Visit, end_all
from chalicelib.identity.sign_in import SALT_BYTES, speak
from chalicelib.identity.tenants import Tenant, encode_tenant, tenant_id
from chalicelib.identity.users import (
    User,
    email_key,
    encode_email,
    encode_user,
    normalised,
    read_user,
    user_key,
    user_of,
)
from chalicelib.ports.mail import Mail
from chalicelib.ports.table import (
    Absent,
    Check,
    ConditionFailed,
    Delete,
    Is,
    Put,
    TableName,
    Update,
    Write,
)

MAX_LEFT = 30
"""Memberships that can end in one transaction."""


@dataclass(frozen=True, slots=True)
class Registration:
    """What somebody registers with."""

    email: str
    password: str = field(repr=False)
    name: str = ""
    tenant_name: str = ""


def register(engine: Engine, given: Registration, visit: Visit) -> None:
    """A user with a tenant of their own, unless the address has an account. RegistrationClosed, TooManyAttempts."""
    if not engine.settings.open_to_all:
        raise RegistrationClosed("Nobody can register here by themselves: ask a member for an invitation.")
    check_password(given.password, given.email)
    attempts.take(engine, attempts.ASKING, attempts.network_of(visit.address))
    user, tenant = _new(engine, given)
    token, text = _minted(engine, "verify", user)
    engine.witness.acting(tenant.id, user.id, "owner")
    try:
        engine.db.transact(*founding(tenant, user), ("catalog", one_time.put_of(token)))
    except ConditionFailed:
        engine.witness.repeated()
        post(engine, letters.known_already(given.email, engine.settings.app_url))
        return
    engine.witness.changed("user", user.id, None, shown(user))
    engine.witness.changed("tenant", tenant.id, None, {"name": tenant.name, "plan": tenant.plan})
    post(engine, letters.verification(user.email, text, engine.settings.app_url))


def founding(tenant: Tenant, owner: User) -> list[tuple[TableName, Put]]:
    """The writes that make a tenant together with its owner, who is a new user."""
    member = Member(tenant.id, owner.id, "owner", tenant.created_ms)
    return [
        ("catalog", Put(encode_tenant(tenant), Absent())),
        ("catalog", Put(encode_user(owner), Absent())),
        ("catalog", Put(encode_email(owner), Absent())),
        *(("catalog", put) for put in member_puts(member)),
    ]


def ask_again(engine: Engine, email: str, visit: Visit) -> None:
    """Another mail to show the address by, if it belongs to somebody who has not done that. TooManyAttempts."""
    attempts.take(engine, attempts.ASKING, attempts.network_of(visit.address))
    user = user_of(engine, email)
    if user is not None and not user.verified:
        text = keep(engine, "verify", user)
        post(engine, letters.verification(user.email, text, engine.settings.app_url))


def verify(engine: Engine, text: str) -> User:
    """The address is the user's, as the token shows that was sent there. Invalid if the token is not good."""
    token = one_time.read(engine, text, "verify", "email")
    user = read_user(engine, token.user)
    if user is None or (token.purpose == "verify" and user.email != token.email):
        raise one_time.unknown()
    if (
        token.purpose == "email" and before_of(user) != token.before
    ):  # asked for by who has lost the account since
        raise one_time.unknown()
    after = replace(user, email=token.email, verified=True, revision=user.revision + 1)
    speak(engine, user)
    try:
        engine.db.transact(("catalog", one_time.use_of(token)), *_moved(user, after))
    except ConditionFailed:
        raise one_time.unknown() from None
    engine.witness.changed("user", user.id, shown(user), shown(after))
    if normalised(user.email) != normalised(after.email):
        post(engine, letters.moved(user.email))
    return after


def _moved(before: User, after: User) -> list[tuple[TableName, Write]]:
    """The user is as `after` says, with another address if that is another."""
    changed: Write = Update(
        user_key(after.id),
        set={"email": after.email, "verified": int(after.verified), "revision": after.revision},
        when=Is("revision", before.revision),
    )
    if normalised(before.email) == normalised(after.email):
        return [("catalog", changed)]
    return [
        ("catalog", changed),
        ("catalog", Put(encode_email(after), Absent())),
        ("catalog", Delete(email_key(before.email), Is("user", before.id))),
    ]


def rename(engine: Engine, user: User, name: str) -> User:
    """Conflict if the user was changed at the same moment."""
    after = replace(user, name=name, revision=user.revision + 1)
    write = Update(
        user_key(user.id),
        set={"name": after.name, "revision": after.revision},
        when=Is("revision", user.revision),
    )
    try:
        engine.db.catalog.write(write)
    except ConditionFailed as refused:
        if (refused.existing or {}).get("revision") != after.revision:
            raise Conflict("Somebody else changed this at the same moment; try again.") from None
    engine.witness.changed("user", user.id, shown(user), shown(after))
    return after


def ask_to_move(engine: Engine, user: User, email: str) -> None:
    """A mail to the new address, with which it becomes the user's, or to whose it is already. TooManyAttempts."""
    attempts.take(engine, attempts.ASKING, user.id)
    text, owner = keep(engine, "email", user, email), user_of(engine, email)
    if owner is None or owner.id == user.id:
        post(engine, letters.verification(email, text, engine.settings.app_url))
    else:
        post(engine, letters.known_already(email, engine.settings.app_url))


def leave(engine: Engine, user: User) -> None:
    """The user goes, with all sessions and memberships. LastOwner while a tenant has no other owner; Conflict."""
    joined = memberships(engine, user.id)
    if len(joined) > MAX_LEFT:
        raise Conflict(f"You are a member of more than {MAX_LEFT} tenants: leave some of them first.")
    end_all(engine, user.id)
    writes: list[tuple[TableName, Write | Check]] = [
        ("catalog", Delete(user_key(user.id), Is("revision", user.revision))),
        ("catalog", Delete(email_key(user.email), Is("user", user.id))),
    ]
    for member in joined:
        writes += [*removal_writes(member), *owner_kept(engine, member)]
    try:
        engine.db.transact(*writes)
    except ConditionFailed:
        raise Conflict("Somebody else changed this at the same moment; try again.") from None
    engine.witness.changed("user", user.id, shown(user), None)


def shown(user: User) -> dict[str, str | bool]:
    """As the audit trail tells it."""
    return {"email": user.email, "name": user.name, "verified": user.verified}


def keep(engine: Engine, purpose: Purpose, user: User, email: str = "") -> str:
    """The text of a new token, which is noted."""
    token, text = _minted(engine, purpose, user, email)
    engine.db.catalog.write(one_time.put_of(token))
    return text


def check_password(password: str, email: str, pointer: str = "/password") -> None:
    """Invalid unless it can be a password."""
    problem = problem_of(password, email, pointer)
    if problem:
        raise Invalid("The request has 1 invalid field.", [problem])


def post(engine: Engine, mail: Mail) -> None:
    """Send it, unless its address has had too many; whoever asked is not told whether it went."""
    if attempts.counted(engine, attempts.MAIL, normalised(mail.to)):
        engine.telemetry.warning("A mail was not sent: its address has had too many.", subject=mail.subject)
        return
    if engine.mailer is None:
        engine.telemetry.warning(
            "A mail was not sent: this deployment has no MailFrom.", subject=mail.subject
        )
        return
    try:
        engine.mailer.send(mail)
    except Unavailable as error:
        engine.telemetry.warning("A mail was not sent.", subject=mail.subject, error=error.message)


def _new(engine: Engine, given: Registration) -> tuple[User, Tenant]:
    now_ms = engine.clock.now_ms()
    user = User(
        id="user_" + ulid(now_ms, engine.ids.random_bytes(10)),
        email=given.email,
        name=given.name,
        created_ms=now_ms,
        password=engine.hashing.hashed(given.password, engine.ids.random_bytes(SALT_BYTES)),
    )
    name = given.tenant_name or given.name or given.email.partition("@")[0]
    return user, Tenant(tenant_id(now_ms, engine.ids.random_bytes(10)), name, "free", now_ms)


def _minted(engine: Engine, purpose: Purpose, user: User, email: str = "") -> tuple[OneTime, str]:
    secret = engine.ids.random_bytes(one_time.BYTES)
    return one_time.minted(purpose, user, engine.clock.now_ms(), secret, email)
