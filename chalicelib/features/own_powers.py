"""Nobody gives away more than they have."""

from chalicelib.domain.errors import Forbidden, Invalid
from chalicelib.domain.permissions import Role, permissions_of
from chalicelib.identity.principal import Principal


def check_gives(principal: Principal, role: Role, pointer: str = "/role") -> None:
    """Invalid unless the principal may all that the role may."""
    if not permissions_of(role) <= principal.permissions:
        raise Invalid.field(pointer, f"You cannot make anybody {role}: it may more than you.", "beyond_own")


def check_over(principal: Principal, role: Role) -> None:
    """Forbidden unless the principal may all that a member of this role may, whom they are about to change."""
    if not permissions_of(role) <= principal.permissions:
        raise Forbidden(f"A member who is {role} may more than you: somebody who may as much has to do this.")
