"""Invitations answered by those whom they are for: once, and by who has their text."""

from dataclasses import dataclass, field

from chalicelib.domain.errors import ChronosError, Conflict, Forbidden, InvitationOver, NotFound
from chalicelib.domain.ids import ulid
from chalicelib.engine.core import Engine
from chalicelib.features.invitations.service import answered, check_good, check_unanswered, joining
from chalicelib.identity import attempts
from chalicelib.identity.accounts import check_password
from chalicelib.identity.invitations import Invitation, answer_write, shown_invitation
from chalicelib.identity.members import Member, read_member
from chalicelib.identity.sign_in import SALT_BYTES
from chalicelib.identity.tenants import check_open
from chalicelib.identity.users import (
    User,
    encode_email,
    encode_user,
    normalised,
    read_user,
    user_key,
    user_of,
)
from chalicelib.ports.table import Absent, ConditionFailed, Is, Put, TableName, Update

Along = tuple[tuple[TableName, Put | Update], ...]
_HAS_ACCOUNT = "There is an account with this address: sign in, and accept the invitation then."


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who has no account yet. `address`: where they ask from."""

    name: str
    password: str = field(repr=False)
    address: str = ""


def accept(engine: Engine, user_id: str, text: str) -> Member:
    """The user's membership. Who accepted it before is told the same. Forbidden if it is for another address."""
    invitation = _shown(engine, text)
    user = read_user(engine, user_id)
    if user is None or normalised(user.email) != normalised(invitation.email):
        raise Forbidden("This invitation is for another address than yours.")
    if invitation.status == "accepted" and invitation.answered_by == user_id:
        return _known(engine, invitation.tenant, user_id)
    check_good(engine, invitation)
    return _come_in(engine, invitation, user.id, _confirmed(invitation, user))


def register(engine: Engine, newcomer: Newcomer, text: str) -> Member:
    """A new user's membership. Their address is confirmed if the text came by mail. Conflict if it has an account.

    The password is hashed when all else is known to be good: that is dear.
    """
    attempts.take(engine, attempts.ASKING, attempts.network_of(newcomer.address))
    invitation = _shown(engine, text)
    check_good(engine, invitation)
    check_password(newcomer.password, invitation.email)
    if user_of(engine, invitation.email) is not None:
        raise Conflict(_HAS_ACCOUNT)
    now_ms = engine.clock.now_ms()
    user = User(
        id="user_" + ulid(now_ms, engine.ids.random_bytes(10)),
        email=invitation.email,
        name=newcomer.name,
        created_ms=now_ms,
        password=engine.hashing.hashed(newcomer.password, engine.ids.random_bytes(SALT_BYTES)),
        verified=invitation.mailed,
    )
    new = Put(encode_user(user), Absent()), Put(encode_email(user), Absent())
    return _come_in(engine, invitation, user.id, tuple(("catalog", put) for put in new))


def decline(engine: Engine, text: str) -> None:
    """Whoever has its text may; a second time changes nothing. InvitationOver if it was accepted."""
    invitation = _shown(engine, text)
    if invitation.status == "declined":
        return
    check_unanswered(engine, invitation)
    engine.witness.acting(invitation.tenant, "anonymous")
    try:
        engine.db.transact(answer_write(invitation, "declined", None))
    except ConditionFailed:
        raise answered() from None
    engine.witness.changed("invitation", invitation.id, {"status": "pending"}, {"status": "declined"})


def _come_in(engine: Engine, invitation: Invitation, user_id: str, along: Along) -> Member:
    """A member from now on, with what goes along in the same transaction."""
    member = Member(invitation.tenant, user_id, invitation.role, engine.clock.now_ms())
    engine.witness.acting(invitation.tenant, user_id, invitation.role)
    try:
        engine.db.transact(*joining(invitation, member), *along)
    except ConditionFailed:
        raise _refusal(engine, invitation, user_id) from None
    engine.witness.changed("member", user_id, None, {"role": member.role, "invitation": invitation.id})
    return member


def _confirmed(invitation: Invitation, user: User) -> Along:
    """Who has the text of a mail has shown that its address is theirs."""
    if user.verified or not invitation.mailed:
        return ()
    unchanged, changed = Is("revision", user.revision), {"verified": 1, "revision": user.revision + 1}
    return (("catalog", Update(user_key(user.id), set={**changed}, when=unchanged)),)


def _shown(engine: Engine, text: str) -> Invitation:
    found = shown_invitation(engine, text)
    if found is None:
        raise NotFound("There is no such invitation; it may have been taken back.")
    return found


def _known(engine: Engine, tenant: str, user_id: str) -> Member:
    member = read_member(engine, tenant, user_id)
    if member is None:
        raise InvitationOver("You have accepted this invitation, and are no member any more.")
    return member


def _refusal(engine: Engine, invitation: Invitation, user_id: str) -> ChronosError:
    if read_member(engine, invitation.tenant, user_id) is not None:
        return Conflict("You are a member of this tenant already.")
    check_open(engine, invitation.tenant)
    found = user_of(engine, invitation.email)
    return Conflict(_HAS_ACCOUNT) if found and found.id != user_id else answered()
