"""Invitations in the catalog: written, listed and taken back by those who may, and what makes one good."""

from dataclasses import replace
from typing import Any

from chalicelib.domain.errors import InvitationOver, NotFound, ShownOnce, TooManyRequests
from chalicelib.domain.ids import is_id
from chalicelib.engine.core import Engine
from chalicelib.features.idempotency import IdempotencyKey, Note, once
from chalicelib.features.invitations.sending import is_mailed_for, sent
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
    written,
)
from chalicelib.identity.members import Member, member_puts
from chalicelib.identity.principal import Principal
from chalicelib.identity.tenants import check_open, still_open
from chalicelib.ports.table import Check, ConditionFailed, TableName, Write

Made = tuple[Invitation, str | None]
"""An invitation, and its text, if that has to be told, which is done this once."""


def create(engine: Engine, principal: Principal, wanted: Wanted, key: IdempotencyKey | None = None) -> Made:
    """A new invitation. Invalid if it gives more than who writes it has; TooManyRequests after too many in a day."""
    check_gives(principal, wanted.role)

    def make(note: Note) -> Made:
        now_ms = engine.clock.now_ms()
        asked = replace(wanted, mailed=is_mailed_for(engine, principal, wanted.email))
        made, text = written(asked, now_ms, drawn(engine.ids))
        try:
            engine.db.transact(*creation_writes(made, now_ms), still_open(made.tenant), *note(made.id))
        except ConditionFailed as refused:
            if "count" in (refused.existing or {}):
                raise TooManyRequests("The tenant has invited too many today; go on tomorrow.") from None
            check_open(engine, made.tenant)
            raise
        engine.witness.changed("invitation", made.id, None, _told(made))
        return sent(engine, made, text)

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


def joining(invitation: Invitation, member: Member) -> tuple[tuple[TableName, Write | Check], ...]:
    """The transaction that answers an invitation with a membership."""
    return (
        answer_write(invitation, "accepted", member.user),
        *(("catalog", put) for put in member_puts(member)),
        still_open(member.tenant),
    )


def check_good(engine: Engine, invitation: Invitation) -> None:
    """InvitationOver unless it can be accepted now."""
    check_unanswered(engine, invitation)
    check_backed(engine, invitation)


def check_unanswered(engine: Engine, invitation: Invitation) -> None:
    """InvitationOver if it was answered, or its time is over."""
    if invitation.status != "pending":
        raise answered()
    if invitation.is_expired(engine.clock.now_ms()):
        raise InvitationOver("This invitation is over: ask for another one.")


def answered() -> InvitationOver:
    return InvitationOver("This invitation was answered before, or was taken back.")


def _told(invitation: Invitation) -> dict[str, Any]:
    """As the trail shows it."""
    return {"email": invitation.email, "role": invitation.role, "status": invitation.status}


def _not_again(invitation_id: str) -> Made:
    raise ShownOnce(
        f"This Idempotency-Key has made the invitation {invitation_id} before, and its text is shown once. If the "
        "answer was lost, take it back and write another one, with another Idempotency-Key."
    )
