"""Other passwords: by mail for who has forgotten theirs, and by the present one. Sessions of the former end."""

from chalicelib.domain.errors import Conflict, Invalid
from chalicelib.engine.core import Engine
from chalicelib.identity import attempts, letters, one_time
from chalicelib.identity.accounts import check_password, keep, post
from chalicelib.identity.one_time import OneTime, before_of
from chalicelib.identity.sessions import Visit, end_all
from chalicelib.identity.sign_in import SALT_BYTES, is_password, speak
from chalicelib.identity.users import User, normalised, read_user, user_key, user_of
from chalicelib.ports.table import (
    PRESENT,
    Condition,
    ConditionFailed,
    Is,
    Item,
    Lacks,
    TableName,
    Update,
    Write,
    all_of,
)


def forgot(engine: Engine, email: str, visit: Visit) -> None:
    """A mail with which another password can be chosen, if somebody has the address. TooManyAttempts."""
    attempts.take(engine, attempts.ASKING, attempts.network_of(visit.address))
    user = user_of(engine, email)
    if user is not None:
        text = keep(engine, "reset", user)
        post(engine, letters.reset(user.email, text, engine.settings.app_url))


def reset(engine: Engine, text: str, password: str) -> User:
    """The token came by mail: the address is shown to be theirs, too. All sessions end. Invalid."""
    token = one_time.read(engine, text, "reset")
    user = read_user(engine, token.user)
    if user is None or user.email != token.email or before_of(user) != token.before:
        raise one_time.unknown()
    check_password(password, user.email)
    try:
        _change(engine, user, password, token=token)
    except ConditionFailed:
        raise one_time.unknown() from None
    attempts.forgive(engine, attempts.ACCOUNT, normalised(user.email))
    return user


def change(engine: Engine, user: User, current: str, password: str, *, session: str | None) -> None:
    """All sessions end but the one that asks. Invalid, TooManyAttempts; Conflict if there is no password to change."""
    if user.password is None:
        raise Conflict("This account has no password: POST /auth/password/forgot sets one, by mail.")
    check_password(password, user.email, "/new_password")
    confirm(engine, user, current, "/current_password")
    try:
        _change(engine, user, password, but=session)
    except ConditionFailed:
        raise Conflict("The password was changed at the same moment; try again.") from None


def confirm(engine: Engine, user: User, password: str, pointer: str = "/password") -> None:
    """Invalid unless this is the user's password; TooManyAttempts, as for who signs in."""
    attempts.take(engine, attempts.ACCOUNT, normalised(user.email))
    if not is_password(engine, user, password):
        raise Invalid.field(pointer, "This is not the password.", "wrong_password")
    attempts.forgive(engine, attempts.ACCOUNT, normalised(user.email))


def _change(
    engine: Engine, user: User, password: str, *, but: str | None = None, token: OneTime | None = None
) -> None:
    """Sessions end before and after: should the second time fail, only one that began in between would be left."""
    hashed = engine.hashing.hashed(password, engine.ids.random_bytes(SALT_BYTES))
    speak(engine, user)
    end_all(engine, user.id, but=but)
    wanted: Item = {"password": hashed, "verified": int(user.verified or token is not None)}
    changed: Write = Update(
        user_key(user.id),
        set=wanted,
        add={"revision": 1},
        when=_unchanged(user),
    )
    uses: list[tuple[TableName, Write]] = [("catalog", one_time.use_of(token))] if token else []
    engine.db.transact(*uses, ("catalog", changed))
    engine.witness.changed("user", user.id, {"password": user.password or ""}, {"password": hashed})
    end_all(engine, user.id, but=but)
    post(engine, letters.changed(user.email))


def _unchanged(user: User) -> Condition:
    if user.password is None:
        return all_of(PRESENT, Lacks("password"))
    return Is("password", user.password)
