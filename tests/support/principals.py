"""Who asks, in tests that are not about that."""

from chalicelib.domain.permissions import Role, permissions_of
from chalicelib.engine.core import Engine
from chalicelib.identity.principal import Principal

TENANT = "local"


def principal(role: Role = "owner", tenant: str = TENANT, actor: str = "key_of_a_test") -> Principal:
    return Principal(tenant, actor, role, permissions_of(role))


def everybody(_engine: Engine, _authorization: str | None) -> Principal:
    """Lets all in, as the owner of the one tenant."""
    return principal()
