"""Single sign-on at a real identity provider, with its login and consent pages, over sockets and through the guard."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import requests

from chalicelib.aws.clock import SystemClock, SystemIds
from chalicelib.engine.core import Engine
from chalicelib.executors.base import ExecutorSettings
from chalicelib.executors.web import GuardedWeb
from chalicelib.identity.access import authenticate
from chalicelib.identity.oidc import challenge
from tests.support.api import ApiClient
from tests.support.memory import MemoryJobSecrets
from tests.support.oidc.provider import DOMAIN, Browser, Provider
from tests.support.principals import TENANT
from tests.support.served import served

ORIGIN, VERIFIER = "https://app.example.com", "v" * 43


@dataclass
class Case:
    """The API at its address, whose tenant has single sign-on at the provider."""

    engine: Engine
    provider: Provider
    url: str

    def client(self, *, public: bool, algorithm: str = "RS256") -> None:
        """Register at the provider, and tell the tenant's settings."""
        admin = ApiClient(self.engine)
        made = self.provider.client(
            f"{self.url}/auth/sso/{TENANT}/callback", public=public, algorithm=algorithm
        )
        wanted: dict[str, Any] = {
            "issuer": self.provider.issuer,
            "client_id": made.id,
            "email_domains": [DOMAIN],
            "auto_join": True,
        }
        if made.secret:
            secrets: Any = self.engine.tenant_secrets
            secrets.put(TENANT, "secrets.sso", made.secret)
            wanted["client_secret"] = "${{ secrets.sso }}"
        answer = admin.put("/tenant/sso", wanted)
        assert answer.status == 200, answer.text
        assert answer.json["sign_in_url"] == self.start

    @property
    def start(self) -> str:
        return f"{self.url}/auth/sso/{TENANT}"

    def sign_in(self, user: str, **how: Any) -> requests.Response:
        browser = Browser(self.provider, user, **how)
        return browser.visit(browser.sign_in(self.start))


@pytest.fixture
def case(engine: Engine, provider: Provider) -> Iterator[Case]:
    clock = SystemClock()
    real = replace(
        engine,
        clock=clock,
        ids=SystemIds(),
        web=GuardedWeb(ExecutorSettings(allow_networks=("127.0.0.0/8",)), clock),
        tenant_secrets=MemoryJobSecrets(),
        settings=replace(engine.settings, origins=(ORIGIN,)),
    )
    with served(ApiClient(real, authenticate).app) as url:
        engine.secrets.texts["public-url"] = url  # type: ignore[attr-defined]
        yield Case(real, provider, url)


@pytest.mark.parametrize(("public", "algorithm"), [(False, "RS256"), (True, "ES256")])
def test_a_person_signs_in_at_their_provider_and_works(case: Case, public: bool, algorithm: str) -> None:
    case.client(public=public, algorithm=algorithm)
    answer = case.sign_in("ada")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["tenant"], told["role"], told["user"]["email"]) == (TENANT, "viewer", f"ada@{DOMAIN}")
    bearer = {"Authorization": f"Bearer {told['access_token']}"}
    assert requests.get(f"{case.url}/jobs", headers=bearer, timeout=30).status_code == 200
    assert case.sign_in("ada").json()["user"]["id"] == told["user"]["id"]


@pytest.mark.parametrize(
    ("user", "consents", "status", "code"),
    [
        ("grace", False, 403, "provider_refused"),
        ("eve", True, 403, "domain_not_allowed"),
        ("una", True, 403, "email_not_verified"),
    ],
)
def test_whom_the_provider_or_the_tenant_refuses_stays_out(
    case: Case, user: str, consents: bool, status: int, code: str
) -> None:
    case.client(public=True)
    answer = case.sign_in(user, consents=consents)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_wrong_secret_of_the_client_lets_nobody_in(case: Case) -> None:
    case.client(public=False)
    secrets: Any = case.engine.tenant_secrets
    secrets.put(TENANT, "secrets.sso", "another")
    answer = case.sign_in("ada")
    assert (answer.status_code, answer.json()["code"]) == (409, "provider_fault")


def test_a_code_is_taken_once_and_from_one_browser(case: Case) -> None:
    case.client(public=True)
    browser, thief = Browser(case.provider, "ada"), Browser(case.provider, "eve")
    back = browser.sign_in(case.start)
    assert thief.visit(back).json()["code"] == "sign_in_over"
    assert browser.visit(back).status_code == 200
    assert browser.visit(back).json()["code"] == "sign_in_over"


def test_a_page_gets_its_tokens_by_a_code(case: Case) -> None:
    case.client(public=True)
    browser = Browser(case.provider, "ada")
    page = f"return_to={ORIGIN}/done&code_challenge={challenge(VERIFIER)}"
    answer = browser.visit(browser.sign_in(f"{case.start}?{page}"))
    place, _, code = answer.headers["Location"].partition("?sso_code=")
    assert (answer.status_code, place) == (302, f"{ORIGIN}/done")
    body = {"code": code, "code_verifier": VERIFIER}
    told = requests.post(f"{case.url}/auth/sso/token", json=body, timeout=30)
    assert told.json()["tenant"] == TENANT


def test_a_provider_in_a_private_network_is_not_asked(case: Case) -> None:
    guarded = replace(case.engine, web=GuardedWeb(ExecutorSettings(), case.engine.clock))
    settings = {"issuer": case.provider.issuer, "client_id": "chronos", "email_domains": [DOMAIN]}
    answer = ApiClient(guarded).put("/tenant/sso", settings)
    assert answer.pointers == {"/issuer": "unusable_provider"}
    assert "loopback" in answer.text
