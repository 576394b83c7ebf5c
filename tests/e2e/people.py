"""People who use the deployed app: their mail is read from the emulator's outbox."""

import re
from secrets import token_hex
from typing import Any

import requests

from infra.local.fixtures import Stack
from tests.support.waiting import eventually

PASSWORD = "a long sentence will do"
_TOKEN = re.compile(r"chronos_\w+_[A-Za-z0-9_-]{43}")


def forgive(stack: Stack) -> None:
    """Nothing was tried from this machine so far: all tests ask from one address, which may not ask for ever."""
    table, client = stack.outputs["ChronosCatalogTable"], stack.client("dynamodb")
    for page in client.get_paginator("scan").paginate(TableName=table, ProjectionExpression="pk, sk"):
        for key in page["Items"]:
            if key["pk"]["S"].startswith("attempts#"):
                client.delete_item(TableName=table, Key=key)


class Newcomer:
    """Somebody without an account, with a mailbox of their own."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.email = stack, f"ada-{token_hex(6)}@example.com"
        self.tokens: Any = {}
        forgive(stack)

    def ask(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """With the access token, once there is one."""
        token = self.tokens.get("access_token")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = requests.request(method, f"{self.stack.api}{path}", json=body, headers=headers, timeout=30)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.text else None

    def mails(self) -> list[Any]:
        inbox = requests.get(f"{self.stack.aws}/_ministack/ses/messages", timeout=30).json()["messages"]
        return [mail for mails in inbox.values() for mail in mails if self.email in mail["To"]]

    def mail_token(self, subject: str) -> str:
        """The token in the mail with this word in its subject."""
        found = eventually(lambda: [mail for mail in self.mails() if subject in mail["Subject"]], seconds=10)
        token = _TOKEN.search(found[-1]["BodyText"])
        assert token, "the mail has a token"
        return token[0]

    def register(self) -> None:
        body = {"email": self.email, "password": PASSWORD, "name": "Ada Lovelace"}
        self.ask("POST", "/auth/register", body, status=202)

    def login(self, password: str = PASSWORD) -> None:
        self.tokens = {}
        self.tokens = self.ask("POST", "/auth/login", {"email": self.email, "password": password})

    def refresh(self) -> None:
        body = {"refresh_token": self.tokens["refresh_token"]}
        self.tokens = {}
        self.tokens = self.ask("POST", "/auth/refresh", body)
