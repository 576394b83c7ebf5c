"""Single sign-on on the packaged app, at a real identity provider, in a person's browser."""

from collections.abc import Iterator
from secrets import token_hex

import pytest
import requests

from infra.local.fixtures import Stack
from tests.e2e.conftest import Api
from tests.e2e.flows import TENANT, Flows
from tests.support.oidc.provider import DOMAIN, Browser, Provider

pytestmark = pytest.mark.e2e


@pytest.fixture
def start(api: Api, stack: Stack, provider: Provider) -> Iterator[str]:
    """Where people begin: Chronos and the provider know each other."""
    address = f"{stack.api}/auth/sso/{TENANT}"
    client, name = provider.client(f"{address}/callback"), f"sso_{token_hex(4)}"
    Flows(api, stack).keep_secret(name, str(client.secret))
    wanted = {
        "issuer": provider.issuer,
        "client_id": client.id,
        "client_secret": "${{ secrets." + name + " }}",
        "email_domains": [DOMAIN],
        "default_role": "editor",
        "auto_join": True,
    }
    answer = api.call("PUT", "/tenant/sso", json=wanted)
    assert answer.ok, answer.text
    assert answer.json()["sign_in_url"] == address
    yield address
    api.call("DELETE", "/tenant/sso")


def test_a_person_signs_in_makes_a_job_goes_on_and_leaves(
    api: Api, stack: Stack, provider: Provider, start: str
) -> None:
    browser = Browser(provider, "ada")
    answer = browser.visit(browser.sign_in(start))
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["tenant"], told["role"], told["user"]["email"]) == (TENANT, "editor", f"ada@{DOMAIN}")
    person = Api(stack.api, told["access_token"])
    job = person.job({"kind": "manual"}, type="dummy")
    assert api.get(f"/jobs/{job['id']}")["id"] == job["id"]
    assert person.call("PUT", "/tenant/sso", json={}).status_code == 403, (
        "an editor does not choose the provider"
    )
    refreshed = person.post("/auth/refresh", {"refresh_token": told["refresh_token"]})
    again = Api(stack.api, refreshed["access_token"])
    assert again.get(f"/jobs/{job['id']}")["id"] == job["id"]
    assert again.call("POST", "/auth/logout", json={}).status_code == 204
    assert again.call("GET", "/jobs").status_code == 401


def test_a_sign_in_that_began_in_another_browser_lets_nobody_in(provider: Provider, start: str) -> None:
    back = Browser(provider, "ada").sign_in(start)
    answer = requests.get(back, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (410, "sign_in_over")


def test_whom_the_tenant_does_not_want_stays_out(provider: Provider, start: str) -> None:
    browser = Browser(provider, "eve")
    answer = browser.visit(browser.sign_in(start))
    assert (answer.status_code, answer.json()["code"]) == (403, "domain_not_allowed")
