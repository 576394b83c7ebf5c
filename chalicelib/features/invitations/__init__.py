"""Invitations into a tenant: written, listed, taken back, accepted and declined."""

PATHS = (
    "/tenant/invitations",
    "/tenant/invitations/{invitation_id}",
    "/invitations/accept",
    "/invitations/register",
    "/invitations/decline",
)
