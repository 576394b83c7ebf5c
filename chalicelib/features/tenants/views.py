"""Tenants as clients see them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.permissions import Role
from chalicelib.domain.plans import Plan
from chalicelib.features.paging import Page
from chalicelib.identity.members import Member
from chalicelib.identity.tenants import Tenant

_MOMENT: dict[str, Any] = {"format": "date-time"}


class TenantView(BaseModel):
    """An organisation, and its plan."""

    model_config = ConfigDict(defer_build=True)

    id: str
    name: str
    plan: Plan
    created_at: str = Field(json_schema_extra=_MOMENT)
    revision: int = Field(description="Counts every change; it is the ETag.")


class MembershipView(BaseModel):
    """A tenant that one belongs to."""

    model_config = ConfigDict(defer_build=True)

    id: str
    name: str
    plan: Plan
    role: Role
    joined_at: str = Field(json_schema_extra=_MOMENT)
    current: bool = Field(description="The one that this token works in. A refresh may name another.")


class MembershipPage(Page):
    """One page of one's tenants, by their ids."""

    items: list[MembershipView]


def tenant_view(tenant: Tenant) -> TenantView:
    return TenantView.model_construct(
        id=tenant.id,
        name=tenant.name,
        plan=tenant.plan,
        created_at=rfc3339(tenant.created_ms),
        revision=tenant.revision,
    )


def membership_view(tenant: Tenant, member: Member, current: str) -> MembershipView:
    return MembershipView.model_construct(
        id=tenant.id,
        name=tenant.name,
        plan=tenant.plan,
        role=member.role,
        joined_at=rfc3339(member.joined_ms),
        current=tenant.id == current,
    )
