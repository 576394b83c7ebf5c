"""A tenant on the deployed app, from its founding to its end: keys, an invitation by mail, members that come and go."""

from typing import Any

import pytest
import requests

from infra.local.fixtures import Stack
from tests.e2e.people import PASSWORD, Newcomer

pytestmark = pytest.mark.e2e


def by_key(stack: Stack, text: str, path: str) -> int:
    """What a key is answered."""
    headers = {"Authorization": f"Bearer {text}"}
    return requests.get(f"{stack.api}{path}", headers=headers, timeout=30).status_code


def test_a_tenant_with_its_keys_and_members_from_beginning_to_end(stack: Stack) -> None:
    ada, grace = Newcomer(stack), Newcomer(stack)
    ada.register()
    ada.ask("POST", "/auth/verify", {"token": ada.mail_token("Confirm")})
    ada.login()
    tenant = ada.ask("PATCH", "/tenant", {"name": "Rocket Works"})["id"]

    made = ada.ask("POST", "/api-keys", {"name": "program", "role": "service"}, status=201)
    rotated = ada.ask("POST", f"/api-keys/{made['id']}/rotate")
    assert [by_key(stack, each["api_key"], "/jobs") for each in (made, rotated)] == [401, 200]

    assert ada.ask("POST", "/tenant/invitations", {"email": grace.email, "role": "admin"}, status=201)[
        "mailed"
    ]
    welcome = {"token": grace.mail_token("invited"), "name": "Grace", "password": PASSWORD}
    grace.ask("POST", "/invitations/register", welcome, status=201)
    grace.login()
    own = grace.ask("POST", "/api-keys", {"name": "mine"}, status=201)["api_key"]
    assert by_key(stack, own, "/jobs") == 200
    members: list[Any] = grace.ask("GET", "/tenant/members")["items"]
    assert {each["email"]: each["role"] for each in members} == {ada.email: "owner", grace.email: "admin"}

    place = f"/tenant/members/{grace.tokens['user']['id']}"
    ada.ask("PATCH", place, {"role": "viewer"})
    grace.ask("POST", "/api-keys", {"name": "more"}, status=403)
    ada.ask("DELETE", place, status=204)
    grace.ask("GET", "/jobs", status=401)
    assert by_key(stack, own, "/jobs") == 401

    ada.ask("DELETE", "/tenant", {"name": "Rocket"}, status=422)
    ada.ask("DELETE", "/tenant", {"name": "Rocket Works"}, status=204)
    ada.ask("GET", "/tenant", status=401)
    assert by_key(stack, rotated["api_key"], "/jobs") == 401
    left = stack.client("dynamodb").get_item(
        TableName=stack.outputs["ChronosCatalogTable"],
        Key={"pk": {"S": f"{tenant}#tenant"}, "sk": {"S": "tenant"}},
    )
    assert "expires_at" in left["Item"], "its record keeps the door shut for a while"
