"""Who calls the API in tests that are about who they are: with tokens and keys that really open it."""

from dataclasses import dataclass
from typing import Any

from chalicelib.domain.permissions import Role
from chalicelib.identity.access import authenticate
from tests.support.api import Answer, ApiClient
from tests.support.signed_in import bearer, signed_in
from tests.support.world import TENANT, World


@dataclass
class Caller:
    """The API as one user, or as whoever has a key. `user`: the id, of a user."""

    api: ApiClient
    headers: dict[str, str]
    user: str = ""

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.api(method, path, body, {**self.headers, **named})

    def make(self, **fields: Any) -> Any:
        """A new API key, with its text."""
        answer = self("POST", "/api-keys", {"name": "ci", **fields})
        assert answer.status == 201, answer.text
        return answer.json

    def with_key(self, text: str) -> "Caller":
        return Caller(self.api, {"Authorization": f"Bearer {text}"})


def member(
    world: World, role: Role = "admin", tenant: str = TENANT, email: str = "ada@example.com"
) -> Caller:
    """A member of the tenant with this role, who has signed in there."""
    given = signed_in(world.engine, role, tenant, email)
    return Caller(ApiClient(world.engine, authenticate), bearer(given), given.user.id)
