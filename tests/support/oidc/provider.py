"""Canaille as tests use it: started once a session, with clients of their own, and people who fill in its pages."""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from infra.paths import ROOT
from tests.support.services import missing
from tests.support.waiting import eventually

PYTHON = ROOT / ".venv-oidc" / "bin" / "python"
PROGRAM = Path(__file__).parent / "canaille_server.py"
PASSWORD = "correct horse battery"
DOMAIN = "corp.example"
USERS = [
    {
        "user_name": "ada",
        "formatted_name": "Ada Lovelace",
        "family_name": "Lovelace",
        "emails": [f"ada@{DOMAIN}"],
    },
    {"user_name": "grace", "family_name": "Hopper", "emails": [f"grace@{DOMAIN}"]},
    {"user_name": "eve", "family_name": "Other", "emails": ["eve@other.example"]},
    {"user_name": "una", "family_name": "Proven", "emails": [f"unverified-una@{DOMAIN}"]},
]
"""None is told who a user is but by their name; `una` has not shown that her address is hers."""


@dataclass(frozen=True)
class Client:
    """A program as the provider knows it; a public one has no secret."""

    id: str
    secret: str | None


@dataclass(frozen=True)
class Provider:
    """Where it is."""

    issuer: str

    def client(self, redirect_uri: str, *, public: bool = False, algorithm: str = "RS256") -> Client:
        """A new client, which registers by itself (RFC 7591)."""
        asked = {
            "client_name": "Chronos",
            "redirect_uris": [redirect_uri],
            "response_types": ["code"],
            "grant_types": ["authorization_code"],
            "scope": "openid email profile",
            "token_endpoint_auth_method": "none" if public else "client_secret_basic",
            "id_token_signed_response_alg": algorithm,
        }
        answer = requests.post(f"{self.issuer}/oauth/register", json=asked, timeout=30)
        assert answer.status_code == 201, answer.text
        return Client(answer.json()["client_id"], None if public else answer.json()["client_secret"])


class Browser:
    """A person's browser: it keeps cookies, follows redirects, and fills in the provider's forms."""

    def __init__(self, provider: Provider, user: str, *, consents: bool = True) -> None:
        self.session = requests.Session()
        self._provider, self._consents = provider, consents
        self._filled = {"login": user, "password": PASSWORD}

    def visit(self, url: str) -> requests.Response:
        """The answer to a request that goes nowhere on."""
        return self.session.get(url, allow_redirects=False, timeout=30)

    def sign_in(self, url: str) -> str:
        """From the program's own address through the provider's pages, to the address that leads back. Not visited."""
        answer = self.visit(url)
        assert answer.status_code == 302, answer.text
        location = answer.headers["Location"]
        assert location.startswith(self._provider.issuer), location
        for _ in range(12):
            answer = self.visit(location) if location else self._submitted(answer)
            target = urljoin(answer.url, answer.headers.get("Location", ""))
            if answer.is_redirect and urlsplit(target).netloc != urlsplit(self._provider.issuer).netloc:
                return target
            location = target if answer.is_redirect else ""
        raise AssertionError(f"the provider does not come to an end: {answer.text[:2000]}")

    def _submitted(self, page: requests.Response) -> requests.Response:
        """The page's form, filled in and sent."""
        assert page.ok, page.text
        form = re.findall(r"<form.*?</form>", page.text, re.DOTALL)[-1]
        named = [_attributes(tag) for tag in re.findall(r"<input[^>]*>", form)]
        fields = {each["name"]: each.get("value", "") for each in named if "name" in each}
        fields |= {name: value for name, value in self._filled.items() if name in fields}
        if 'value="accept"' in form:
            fields["answer"] = "accept" if self._consents else "deny"
        target = urljoin(page.url, _attributes(re.findall(r"<form[^>]*>", form)[0]).get("action") or page.url)
        return self.session.post(target, data=fields, allow_redirects=False, timeout=30)


def _attributes(tag: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}


@contextmanager
def canaille() -> Iterator[Provider]:
    """The program, until the end of the block. Where it is not installed the test is skipped, or fails."""
    if not PYTHON.exists():
        missing("the identity provider's virtualenv is not there (make .venv-oidc/.ready)")
    port = _free_port()
    users: list[dict[str, Any]] = [{**user, "password": PASSWORD} for user in USERS]
    command = [str(PYTHON), str(PROGRAM), str(port), json.dumps(users)]

    def is_up() -> bool:
        assert process.poll() is None, _told(log)
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    with (
        TemporaryFile() as log,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process,
    ):
        try:
            eventually(is_up, seconds=60)
            yield Provider(f"http://127.0.0.1:{port}")
        finally:
            process.kill()


def _told(log: Any) -> str:
    log.seek(0)
    return str(log.read().decode(errors="replace"))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
