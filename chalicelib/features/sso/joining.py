"""How somebody whom the tenant's provider has let in becomes a member: by an invitation, or by themselves."""

from collections.abc import Iterator

from chalicelib.domain.errors import InvitationOver, SignInRefused
from chalicelib.domain.permissions import Role
from chalicelib.engine.core import Engine
from chalicelib.features.invitations.service import check_good, joining
from chalicelib.identity.invitations import Invitation, decode, invitation_key
from chalicelib.identity.members import Member, member_puts
from chalicelib.identity.tenants import still_open
from chalicelib.identity.users import User, normalised
from chalicelib.ports.table import Check, TableName, Write

Writes = tuple[tuple[TableName, Write | Check], ...]


def joining_writes(engine: Engine, tenant: str, user: User, *, by_themselves: Role | None) -> Writes:
    """What belongs into the transaction that lets the user in; `by_themselves` is the role of who may just join.

    An invitation goes first. SignInRefused where neither is so.
    """
    now_ms = engine.clock.now_ms()
    invitation = next(_good(engine, tenant, user.email), None)
    if invitation is not None:
        return joining(invitation, Member(tenant, user.id, invitation.role, now_ms))
    if by_themselves is None:
        raise SignInRefused("You are no member of this tenant: ask for an invitation.", "not_a_member")
    member = Member(tenant, user.id, by_themselves, now_ms)
    return (*(("catalog", put) for put in member_puts(member)), still_open(tenant))


def _good(engine: Engine, tenant: str, email: str) -> Iterator[Invitation]:
    """Those to this address that can be accepted now."""
    for invitation in _all(engine, tenant):
        if normalised(invitation.email) != normalised(email):
            continue
        try:
            check_good(engine, invitation)
        except InvitationOver:
            continue
        yield invitation


def _all(engine: Engine, tenant: str) -> Iterator[Invitation]:
    after: str | None = None
    while True:
        page = engine.db.catalog.query(invitation_key(tenant, "")[0], after=after)
        yield from map(decode, page.items)
        after = page.next
        if after is None:
            return
