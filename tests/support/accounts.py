"""People who use the API: they register, read their mail, and sign in."""

from collections.abc import Mapping
from typing import Any

from chalicelib.identity.access import authenticate
from tests.support.api import Answer, ApiClient
from tests.support.mailbox import CheapHashing, MemoryMailer
from tests.support.signed_in import PASSWORD
from tests.support.world import World

ADA = "ada@example.com"


class Person:
    """Somebody at the API of a world, with an address of their own."""

    def __init__(self, world: World, email: str = ADA, api: ApiClient | None = None) -> None:
        self.world, self.email, self.password = world, email, PASSWORD
        self.api = api or ApiClient(world.engine, authenticate)
        self.tokens: Any = {}

    @property
    def mailer(self) -> MemoryMailer:
        mailer: MemoryMailer = self.world.mailer
        return mailer

    @property
    def hashing(self) -> CheapHashing:
        hashing: CheapHashing = self.world.hashing
        return hashing

    @property
    def mail_token(self) -> str:
        """The one in the last mail that they got."""
        return self.mailer.token(self.email)

    @property
    def bearer(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    def register(self, **fields: Any) -> Answer:
        body = {"email": self.email, "password": self.password, "name": "Ada Lovelace", **fields}
        return self.api.post("/auth/register", body)

    def login(self, **fields: Any) -> Answer:
        answer = self.api.post("/auth/login", {"email": self.email, "password": self.password, **fields})
        if answer.status == 200:
            self.tokens = answer.json
        return answer

    def joined(self) -> "Person":
        """They have registered, confirmed their address, and signed in."""
        assert self.register().status == 202
        assert self.api.post("/auth/verify", {"token": self.mail_token}).status == 200
        assert self.login().status == 200
        return self

    def refresh(self, **fields: Any) -> Answer:
        answer = self.api.post("/auth/refresh", {"refresh_token": self.tokens["refresh_token"], **fields})
        if answer.status == 200:
            self.tokens = answer.json
        return answer

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """With their access token."""
        return self.api(method, path, body, {**self.bearer, **headers})

    @property
    def is_in(self) -> bool:
        """Whether their access token opens the API."""
        return self.ask("GET", "/users/me").status == 200
