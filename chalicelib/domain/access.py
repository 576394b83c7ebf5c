"""What is settled for one job about who may change and operate it, beside what their roles let them."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from chalicelib.domain.model import Value

MAX_GRANTS = 20
GrantedRole = Literal["operator", "editor"]
"""To see a job needs no grant: every role of a tenant sees all of its jobs."""
PrincipalId = Annotated[str, StringConstraints(pattern=r"^(user|key)_[0-9A-HJKMNP-TV-Z]{26}$")]


class Access(Value):
    """Who may change and operate a job."""

    restricted: bool = Field(
        default=False,
        strict=True,
        description="Only the owner of the job, those whom it is granted to, and the tenant's owners and admins may "
        "change or operate it. false: so may everybody whose role lets them.",
    )
    grants: dict[PrincipalId, GrantedRole] = Field(
        default_factory=dict,
        max_length=MAX_GRANTS,
        description="Users and keys by their ids, with the role that they have on this job and its runs, where that "
        "is more than the one they have in the tenant.",
    )
