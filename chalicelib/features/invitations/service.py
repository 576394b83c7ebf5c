"""Invitations in the catalog: written by those who may, answered once by those whom they are for."""

from typing import Any

from chalicelib.domain.errors import (
    Conflict,
    Forbidden,
    InvitationOver,
    NotFound,
    ShownOnce,
    TooManyRequests,
)
from chalicelib.domain.ids import is_id
from chalicelib.engine.core import Engine
from chalicelib.features.idempotency import IdempotencyKey, Note, once
from chalicelib.features.own_powers import check_gives
from chalicelib.identity.bearer import drawn
from chalicelib.identity.invitations import (
    Invitation,
    Wanted,
    answer_write,
    check_backed,
    creation_writes,
    decode,
    invitation_key,
    read_invitation,
    revocation_writes,
    shown_invitation,
    written,
)
from chalicelib.identity.members import Member, member_puts, read_member
from chalicelib.identity.principal import Principal
from chalicelib.identity.tenants import check_open, still_open
from chalicelib.identity.users import normalised, read_user
from chalicelib.ports.table import Check, ConditionFailed, TableName, Write

Made = tuple[Invitation, str]
"""An invitation, and its text, which is told this once."""


def create(engine: Engine, principal: Principal, wanted: Wanted, key: IdempotencyKey | None = None) -> Made:
    """A new invitation. Invalid if it gives more than who writes it has; TooManyRequests after too many in a day."""
    check_gives(principal, wanted.role)

    def make(note: Note) -> Made:
        now_ms = engine.clock.now_ms()
        made, text = written(wanted, now_ms, drawn(engine.ids))
        try:
            engine.db.transact(*creation_writes(made, now_ms), still_open(made.tenant), *note(made.id))
        except ConditionFailed as refused:
            if "count" in (refused.existing or {}):
                raise TooManyRequests("The tenant has invited too many today; go on tomorrow.") from None
            check_open(engine, made.tenant)
            raise
        engine.witness.changed("invitation", made.id, None, _told(made))
        return made, text

    return once(engine, principal.tenant, key, make, _not_again)


def read(engine: Engine, tenant: str, invitation_id: str) -> Invitation:
    """NotFound if the tenant has none of this id."""
    found = read_invitation(engine, tenant, invitation_id) if is_id(invitation_id, "invite") else None
    if found is None:
        raise NotFound("There is no such invitation.")
    return found


def listed(
    engine: Engine, tenant: str, *, limit: int, after: str | None
) -> tuple[list[Invitation], str | None]:
    """The latest first; the last id if more may follow."""
    page = engine.db.catalog.query(invitation_key(tenant, "")[0], limit=limit, after=after, backwards=True)
    return [decode(item) for item in page.items], page.next


def revoke(engine: Engine, tenant: str, invitation_id: str) -> None:
    """It opens nothing from now on; who came in by it stays. NotFound."""
    invitation = read(engine, tenant, invitation_id)
    engine.db.transact(*revocation_writes(invitation))
    engine.witness.changed("invitation", invitation_id, _told(invitation), None)


def accept(engine: Engine, user_id: str, text: str) -> Member:
    """The user's membership. Who accepted it before is told the same. Forbidden if it is for another address."""
    invitation = _shown(engine, text)
    user = read_user(engine, user_id)
    if user is None or normalised(user.email) != normalised(invitation.email):
        raise Forbidden("This invitation is for another address than yours.")
    if invitation.status == "accepted" and invitation.answered_by == user_id:
        return _known(engine, invitation.tenant, user_id)
    check_good(engine, invitation)
    member = Member(invitation.tenant, user_id, invitation.role, engine.clock.now_ms())
    engine.witness.acting(invitation.tenant, user_id, invitation.role)
    try:
        engine.db.transact(*joining(invitation, member))
    except ConditionFailed:
        raise _refusal(engine, invitation.tenant, user_id) from None
    engine.witness.changed("member", user_id, None, {"role": member.role, "invitation": invitation.id})
    return member


def decline(engine: Engine, text: str) -> None:
    """Whoever has its text may; a second time changes nothing. InvitationOver if it was accepted."""
    invitation = _shown(engine, text)
    if invitation.status == "declined":
        return
    _check_open(engine, invitation)
    engine.witness.acting(invitation.tenant, "anonymous")
    try:
        engine.db.transact(answer_write(invitation, "declined", None))
    except ConditionFailed:
        raise _answered() from None
    engine.witness.changed("invitation", invitation.id, {"status": "pending"}, {"status": "declined"})


def _told(invitation: Invitation) -> dict[str, Any]:
    return {"email": invitation.email, "role": invitation.role, "status": invitation.status}


def joining(invitation: Invitation, member: Member) -> tuple[tuple[TableName, Write | Check], ...]:
    """The transaction that answers an invitation with a membership."""
    return (
        answer_write(invitation, "accepted", member.user),
        *(("catalog", put) for put in member_puts(member)),
        still_open(member.tenant),
    )


def check_good(engine: Engine, invitation: Invitation) -> None:
    """InvitationOver unless it can be accepted now."""
    _check_open(engine, invitation)
    check_backed(engine, invitation)


def _shown(engine: Engine, text: str) -> Invitation:
    found = shown_invitation(engine, text)
    if found is None:
        raise NotFound("There is no such invitation; it may have been taken back.")
    return found


def _check_open(engine: Engine, invitation: Invitation) -> None:
    if invitation.status != "pending":
        raise _answered()
    if invitation.is_expired(engine.clock.now_ms()):
        raise InvitationOver("This invitation is over: ask for another one.")


def _answered() -> InvitationOver:
    return InvitationOver("This invitation was answered before, or was taken back.")


def _known(engine: Engine, tenant: str, user_id: str) -> Member:
    member = read_member(engine, tenant, user_id)
    if member is None:
        raise InvitationOver("You have accepted this invitation, and are no member any more.")
    return member


def _refusal(engine: Engine, tenant: str, user_id: str) -> Exception:
    if read_member(engine, tenant, user_id) is not None:
        return Conflict("You are a member of this tenant already.")
    check_open(engine, tenant)
    return _answered()


def _not_again(invitation_id: str) -> Made:
    raise ShownOnce(
        f"This Idempotency-Key has made the invitation {invitation_id} before, and its text is shown once. If the "
        "answer was lost, take it back and write another one, with another Idempotency-Key."
    )
