"""What each role may do: the one table. A route names the permission that it needs, and is open to no one else."""

from collections.abc import Iterable
from typing import Literal, get_args

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

ACCOUNT = frozenset({"account:read", "account:write"})
"""What every user who has signed in may do with their own account, whatever the tenant says; no key may."""
PERMISSIONS: frozenset[str] = ROLES["owner"] | ACCOUNT


def permissions_of(role: Role, scopes: Iterable[str] | None = None) -> frozenset[str]:
    """The role's permissions; of these only the ones in `scopes`, unless that is None."""
    return ROLES[role] if scopes is None else ROLES[role] & frozenset(scopes)


def is_role(text: str) -> bool:
    return text in get_args(Role)
