"""People on the deployed app: from registering to another password, by the mails that they get."""

import jwt
import pytest
import requests

from infra.local.fixtures import Stack
from tests.e2e.people import PASSWORD, Newcomer

pytestmark = pytest.mark.e2e


def test_somebody_registers_signs_in_and_uses_the_api_until_they_sign_out(stack: Stack) -> None:
    ada = Newcomer(stack)
    ada.register()
    assert ada.ask("POST", "/auth/verify", {"token": ada.mail_token("Confirm")})["verified"]
    ada.login()
    job = ada.ask(
        "POST", "/jobs", {"name": "hers", "type": "dummy", "schedule": {"kind": "manual"}}, status=201
    )
    ada.refresh()
    assert ada.ask("GET", f"/jobs/{job['id']}")["name"] == "hers"
    others = requests.get(
        f"{stack.api}/jobs/{job['id']}", headers={"Authorization": f"Bearer {stack.key}"}, timeout=30
    )
    assert others.status_code == 404, "another tenant's key"
    ada.ask("POST", "/auth/logout", status=204)
    ada.ask("GET", "/users/me", status=401)


def test_a_forgotten_password_is_replaced_by_mail(stack: Stack) -> None:
    ada = Newcomer(stack)
    ada.register()
    ada.ask("POST", "/auth/password/forgot", {"email": ada.email}, status=202)
    body = {"token": ada.mail_token("new password"), "password": "another long sentence"}
    ada.ask("POST", "/auth/password/reset", body, status=204)
    ada.ask("POST", "/auth/login", {"email": ada.email, "password": PASSWORD}, status=401)
    ada.login("another long sentence")
    assert ada.tokens["user"]["verified"]


def test_access_tokens_can_be_verified_with_the_published_keys(stack: Stack) -> None:
    ada = Newcomer(stack)
    ada.register()
    ada.login()
    token = ada.tokens["access_token"]
    key = jwt.PyJWKClient(f"{stack.api}/.well-known/jwks.json").get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, algorithms=["ES256"], audience="chronos-api", issuer=stack.api)
    assert claims["sub"] == ada.tokens["user"]["id"]
