"""Sign-ins in the audit trail: each that went well or badly, and what became of sessions, passwords and keys."""

import json
from typing import Any

import pytest

from tests.support.accounts import Person
from tests.support.signed_in import PASSWORD
from tests.support.world import World

NEXT = "another long sentence"


@pytest.fixture
def ada() -> Person:
    return Person(World()).joined()


def told(ada: Person) -> list[tuple[str, str]]:
    """Operations and outcomes, the oldest first."""
    items = ada.ask("GET", "/audit?sort=seq").json["items"]
    return [(entry["operation"], entry["outcome"]) for entry in items]


def last(ada: Person) -> Any:
    return ada.ask("GET", "/audit").json["items"][0]


def test_a_sign_in_tells_who_from_where_and_which_session(ada: Person) -> None:
    entry = last(ada)
    assert (entry["operation"], entry["outcome"], entry["status"]) == ("POST /auth/login", "done", 200)
    assert (entry["actor"]["id"], entry["origin"]["address"]) == (ada.tokens["user"]["id"], "127.0.0.1")
    assert [(change["kind"], change["before"]) for change in entry["changes"]] == [("session", None)]
    assert entry["actor"]["session"] == entry["changes"][0]["id"]


def test_a_wrong_password_is_told_to_the_tenants_of_its_user(ada: Person) -> None:
    assert ada.login(password="not the right one").status == 401
    entry = last(ada)
    assert (entry["operation"], entry["outcome"], entry["code"]) == (
        "POST /auth/login",
        "refused",
        "bad_credentials",
    )


def test_an_unknown_address_is_told_to_nobody(ada: Person) -> None:
    before = told(ada)
    assert ada.login(email="nobody@example.com").status == 401
    assert told(ada) == before


def test_a_refresh_token_that_comes_twice_is_told_with_the_end_of_its_session(ada: Person) -> None:
    first = ada.tokens["refresh_token"]
    assert ada.refresh().status == 200
    assert ada.refresh(refresh_token=first).status == 401
    assert ada.login().status == 200
    entry = ada.ask("GET", "/audit?operation=POST%20/auth/refresh").json["items"][0]
    assert (entry["outcome"], entry["changes"][0]["kind"]) == ("refused", "session")
    assert entry["changes"][0]["after"] is None


def test_passwords_sessions_and_keys_are_told_of_without_a_secret(ada: Person) -> None:
    key = ada.ask("POST", "/api-keys", {"name": "for a script", "role": "viewer"}).json
    passwords = {"current_password": PASSWORD, "new_password": NEXT}
    assert ada.ask("POST", "/auth/password", passwords).status == 204
    assert ada.ask("DELETE", f"/api-keys/{key['id']}").status == 204
    ada.password = NEXT
    assert ada.ask("POST", "/auth/logout", {}).status == 204
    assert ada.login().status == 200
    assert told(ada)[-5:] == [
        ("POST /api-keys", "done"),
        ("POST /auth/password", "done"),
        ("DELETE /api-keys/{key_id}", "done"),
        ("POST /auth/logout", "done"),
        ("POST /auth/login", "done"),
    ]
    stored = json.dumps([str(item) for item in ada.world.db.audit.items.values()])
    secrets = (PASSWORD, NEXT, key["api_key"].rpartition("_")[2], ada.tokens["refresh_token"], "argon2")
    assert [secret for secret in secrets if secret in stored] == []
