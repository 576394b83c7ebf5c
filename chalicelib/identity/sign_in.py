"""Signing in with an address and a password. Whoever is unknown gets the same answer after the same work."""

from dataclasses import dataclass, field, replace

from chalicelib.domain.errors import BadCredentials
from chalicelib.engine.core import Engine
from chalicelib.identity import attempts
from chalicelib.identity.members import memberships
from chalicelib.identity.sessions import SignedIn, Visit, begin
from chalicelib.identity.users import User, normalised, user_key, user_of
from chalicelib.ports.table import ConditionFailed, Is, Update

SALT_BYTES = 16
MAX_TOLD = 20
"""Tenants in whose trails it is told what happens to one user."""
_NO_SALT = bytes(SALT_BYTES)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody signs in with; into this tenant, or the one that they joined first."""

    email: str
    password: str = field(repr=False)
    tenant: str | None = None


def sign_in(engine: Engine, given: Credentials, visit: Visit) -> SignedIn:
    """A new session. BadCredentials, TooManyAttempts; NotFound as `sessions.begin` says."""
    network, account = attempts.network_of(visit.address), normalised(given.email)
    attempts.take(engine, attempts.ADDRESS, network)
    attempts.take(engine, attempts.ACCOUNT, account)
    user = user_of(engine, given.email)
    if not is_password(engine, user, given.password) or user is None:
        if user is not None:
            speak(engine, user)
        raise BadCredentials("There is no user with this address and this password.")
    attempts.forgive(engine, attempts.ADDRESS, network)
    attempts.forgive(engine, attempts.ACCOUNT, account)
    return begin(engine, _hashed_anew(engine, user, given.password), given.tenant, visit)


def speak(engine: Engine, user: User) -> None:
    """Have it told in the trails of the user's tenants what is done in their name, before it is done."""
    for member in memberships(engine, user.id)[:MAX_TOLD]:
        engine.witness.acting(member.tenant, user.id, member.role)


def is_password(engine: Engine, user: User | None, password: str) -> bool:
    """Whether it is theirs. Where there is no user, or one without a password, as much work is done for nothing."""
    if user is None or user.password is None:
        engine.hashing.hashed(password, _NO_SALT)
        return False
    return engine.hashing.matches(password, user.password)


def _hashed_anew(engine: Engine, user: User, password: str) -> User:
    """The user, with a hash as hashes are made by now."""
    if user.password is None or not engine.hashing.is_outdated(user.password):
        return user
    after = replace(user, password=engine.hashing.hashed(password, engine.ids.random_bytes(SALT_BYTES)))
    write = Update(
        user_key(user.id), set={"password": str(after.password)}, when=Is("password", user.password)
    )
    try:
        engine.db.catalog.write(write)
    except ConditionFailed as refused:
        if (refused.existing or {}).get("password") != after.password:
            raise BadCredentials("The password has just been changed: sign in again.") from None
    return after
