"""Who asks."""

from dataclasses import dataclass, field

from chalicelib.domain.errors import Forbidden
from chalicelib.domain.permissions import Role


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose data it is, and a name for the record: the id of a user or of an API key.

    `permissions` are those of this request: a key may have fewer than its role, and `scopes` bound also what it is
    granted on single jobs. `session` is that of a user's token. `name`: of a key, as its owner has called it.
    """

    tenant: str
    actor: str
    role: Role = "viewer"
    permissions: frozenset[str] = field(default=frozenset())
    session: str | None = None
    scopes: frozenset[str] | None = None
    name: str = ""

    def require(self, permission: str) -> None:
        """Forbidden unless this request may do what needs the permission."""
        if permission not in self.permissions:
            raise Forbidden(
                f"This needs the permission {permission}, which the role {self.role} or this key lacks."
            )


NOBODY = Principal("", "anonymous")
"""Who asks on a public route."""
