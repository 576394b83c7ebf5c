"""Invitations as clients see them: never with their text, but in the one answer that makes it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.permissions import Role
from chalicelib.features.paging import Page
from chalicelib.identity.invitations import Invitation

_MOMENT: dict[str, Any] = {"format": "date-time"}


class InvitationView(BaseModel):
    """An invitation."""

    model_config = ConfigDict(defer_build=True)

    id: str
    email: str
    role: Role
    status: Literal["pending", "accepted", "declined", "expired"]
    mailed: bool = Field(
        description="Its text went to the address. false: its writer was told it, to pass it on."
    )
    created_at: str = Field(json_schema_extra=_MOMENT)
    created_by: str = Field(description="A user or a key.")
    expires_at: str = Field(json_schema_extra=_MOMENT)
    answered_by: str | None = Field(description="Who has accepted it.")


class NewInvitationView(InvitationView):
    """An invitation with its text, if that could not be mailed."""

    token: str | None = Field(
        description="Shown in this answer and never again: pass it on to whom it is for. null: it was mailed.",
        repr=False,
    )


class InvitationPage(Page):
    """One page of invitations, the latest first."""

    items: list[InvitationView]


def invitation_view(invitation: Invitation, now_ms: int) -> InvitationView:
    return InvitationView.model_construct(**_fields(invitation, now_ms))


def new_invitation_view(invitation: Invitation, text: str | None, now_ms: int) -> NewInvitationView:
    return NewInvitationView.model_construct(**_fields(invitation, now_ms), token=text)


def _fields(invitation: Invitation, now_ms: int) -> dict[str, Any]:
    is_over = invitation.status == "pending" and invitation.is_expired(now_ms)
    return {
        "id": invitation.id,
        "email": invitation.email,
        "role": invitation.role,
        "status": "expired" if is_over else invitation.status,
        "mailed": invitation.mailed,
        "created_at": rfc3339(invitation.created_ms),
        "created_by": invitation.created_by,
        "expires_at": rfc3339(invitation.expires_ms),
        "answered_by": invitation.answered_by,
    }
