"""What each role may do: the one table. A route names the permission that it needs, and is open to no one else."""

from collections.abc import Iterable
from typing import Literal, Protocol, get_args

from chalicelib.domain.job import Job

Role = Literal["owner", "admin", "editor", "operator", "viewer", "service"]
"""Of a member of a tenant, or of an API key; `service` is for keys of programs."""

_SEEN = {"jobs:read", "runs:read", "calendars:read", "limits:read", "tenant:read", "members:read"}
_OPERATED = _SEEN | {"jobs:operate", "runs:write"}
_EDITED = _OPERATED | {"jobs:write", "calendars:write", "limits:write"}
_ADMINISTERED = _EDITED | {"tenant:write", "members:write", "keys:read", "keys:write", "audit:read"}

ROLES: dict[Role, frozenset[str]] = {
    "viewer": frozenset(_SEEN),
    "operator": frozenset(_OPERATED),
    "editor": frozenset(_EDITED),
    "service": frozenset(_EDITED - {"members:read"}),
    "admin": frozenset(_ADMINISTERED),
    "owner": frozenset(_ADMINISTERED | {"tenant:own"}),
}
"""`jobs:operate`: pause, resume and skip. `tenant:own`: who is owner, and the tenant's end."""

LEAVE = frozenset({"account:leave"})
"""To sign out: all that a session which a tenant's identity provider opened may do with its user's account."""
ACCOUNT = LEAVE | {"account:read", "account:write"}
"""What every user who has signed in may do with their own account, whatever the tenant says; no key may."""
PERMISSIONS: frozenset[str] = ROLES["owner"] | ACCOUNT


def permissions_of(role: Role, scopes: Iterable[str] | None = None) -> frozenset[str]:
    """The role's permissions; of these only the ones in `scopes`, unless that is None."""
    return ROLES[role] if scopes is None else ROLES[role] & frozenset(scopes)


def is_role(text: str) -> bool:
    return text in get_args(Role)


JOB_PERMISSIONS = frozenset({"jobs:read", "jobs:operate", "jobs:write", "runs:read", "runs:write"})
"""What can be granted on a single job, and concerns it and its runs."""
ADMINISTRATORS: frozenset[Role] = frozenset({"owner", "admin"})
"""Whom no job of their tenant keeps out."""


class Asker(Protocol):
    """Who asks. `permissions` are those in all of the tenant; `scopes` bound them, and grants: None for no bounds."""

    @property
    def actor(self) -> str: ...
    @property
    def role(self) -> Role: ...
    @property
    def permissions(self) -> frozenset[str]: ...
    @property
    def scopes(self) -> frozenset[str] | None: ...


def is_reading(permission: str) -> bool:
    return permission.endswith(":read")


def may_on_every_job(asker: Asker, permission: str) -> bool:
    """Whether no job has to be looked at to know that they may."""
    by_role = permission in asker.permissions
    return by_role and (is_reading(permission) or asker.role in ADMINISTRATORS)


def may(asker: Asker, job: Job, permission: str) -> bool:
    """Whether they may do this to the job: by their role, unless the job is restricted, or by a grant."""
    if may_on_every_job(asker, permission):
        return True
    restricted = job.access is not None and job.access.restricted
    is_let_in = not restricted or asker.actor == job.owned_by
    return (is_let_in and permission in asker.permissions) or permission in _granted(asker, job)


def may_share(asker: Asker, job: Job) -> bool:
    """Whether they may settle who else may change and operate the job, and whose it is.

    Who owns a job but may write none any more may not: they could grant themselves what was taken from them.
    """
    is_theirs = asker.role in ADMINISTRATORS or asker.actor == job.owned_by
    return is_theirs and "jobs:write" in asker.permissions


def _granted(asker: Asker, job: Job) -> frozenset[str]:
    role = job.access.grants.get(asker.actor) if job.access else None
    return permissions_of(role, asker.scopes) & JOB_PERMISSIONS if role else frozenset()
