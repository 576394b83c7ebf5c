"""Members as clients see them."""

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.permissions import Role
from chalicelib.features.paging import Page
from chalicelib.identity.members import Member
from chalicelib.identity.users import User


class MemberView(BaseModel):
    """A user in the tenant."""

    model_config = ConfigDict(defer_build=True)

    user_id: str
    name: str
    email: str
    role: Role
    joined_at: str = Field(json_schema_extra={"format": "date-time"})
    revision: int = Field(description="Counts every change of the membership; it is the ETag.")


class MemberPage(Page):
    """One page of members, by their ids."""

    items: list[MemberView]


def member_view(member: Member, user: User | None) -> MemberView:
    return MemberView.model_construct(
        user_id=member.user,
        name=user.name if user else "",
        email=user.email if user else "",
        role=member.role,
        joined_at=rfc3339(member.joined_ms),
        revision=member.revision,
    )
