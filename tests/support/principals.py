"""Who asks, in tests that are not about that."""

from dataclasses import dataclass

from chalicelib.domain.errors import Unauthorized
from chalicelib.domain.permissions import ACCOUNT, Role, permissions_of
from chalicelib.engine.core import Engine
from chalicelib.identity.principal import Principal

TENANT = "local"


def principal(role: Role = "owner", tenant: str = TENANT, actor: str = "key_of_a_test") -> Principal:
    """Users have what is their account's, too; keys have not."""
    account = ACCOUNT if actor.startswith("user_") else frozenset[str]()
    return Principal(tenant, actor, role, permissions_of(role) | account)


def everybody(_engine: Engine, _authorization: str | None) -> Principal:
    """Lets all in, as the owner of the one tenant."""
    return principal()


@dataclass
class Asking:
    """Lets in whoever is named just now: nobody while that is None."""

    who: Principal | None = None

    def __call__(self, _engine: Engine, _authorization: str | None) -> Principal:
        if self.who is None:
            raise Unauthorized("Nobody asks.")
        return self.who
