"""Accounts by the API: registering, confirming an address, other passwords, other addresses, and the end."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.features.auth.api import MAILED_MS
from chalicelib.identity.tenants import read_tenant
from chalicelib.identity.trail.entries import decode_entry
from chalicelib.identity.users import user_of
from tests.support.accounts import ADA, Person
from tests.support.signed_in import joined, user_named
from tests.support.world import World

NEXT = "another long sentence"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ada(world: World) -> Person:
    return Person(world)


def with_settings(world: World, **changed: Any) -> None:
    object.__setattr__(world.engine, "settings", replace(world.engine.settings, **changed))


def test_who_registers_owns_a_tenant_of_the_free_plan(world: World, ada: Person) -> None:
    assert ada.register(tenant_name="Analytical Engines").status == 202
    assert ada.login().status == 200
    assert (ada.tokens["role"], ada.tokens["user"]["verified"]) == ("owner", False)
    tenant = read_tenant(world.engine, ada.tokens["tenant"])
    assert tenant is not None
    assert (tenant.name, tenant.plan) == ("Analytical Engines", "free")
    assert ada.ask("GET", "/jobs").json["items"] == []


def test_an_address_that_has_an_account_is_answered_like_a_new_one(world: World, ada: Person) -> None:
    first, user = ada.register(), user_of(world.engine, ADA)
    before = ada.hashing.count
    second = ada.register(email="ADA@Example.com", password="not the first one", name="Eve")
    assert (second.status, second.text) == (first.status, first.text)
    assert ada.hashing.count == before + 1, "as much work"
    assert user_of(world.engine, ADA) == user
    assert "have a Chronos account" in ada.mailer.sent[-1].subject
    assert "Eve" not in ada.mailer.sent[-1].text


def test_nobody_registers_where_that_is_closed(world: World, ada: Person) -> None:
    with_settings(world, open_to_all=False)
    answer = ada.register()
    assert (answer.status, answer.json["code"]) == (403, "registration_closed")
    assert ada.mailer.sent == []


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"password": "short"}, {"/password": "string_too_short"}),
        ({"password": "x" * 129}, {"/password": "string_too_long"}),
        ({"password": "\N{LATIN SMALL LIGATURE FFI}" * 60}, {"/password": "too_long"}),
        ({"password": "Password1234"}, {"/password": "common_password"}),
        ({"password": "abababababab"}, {"/password": "common_password"}),
        (
            {"email": "adalovelace1@example.com", "password": "AdaLovelace1"},
            {"/password": "common_password"},
        ),
        ({"email": "ada"}, {"/email": "string_pattern_mismatch"}),
        ({"email": "ada@example.com\nBcc: eve@example.com"}, {"/email": "string_pattern_mismatch"}),
        ({"email": "ada@example.com,eve@example.com"}, {"/email": "string_pattern_mismatch"}),
        ({"email": "a" * 250 + "@example.com"}, {"/email": "string_too_long"}),
        ({"name": "Ada\nLovelace"}, {"/name": "invalid"}),
        ({"plan": "enterprise"}, {"/plan": "unknown_field"}),
        ({"verified": True}, {"/verified": "unknown_field"}),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(
    ada: Person, fields: dict[str, Any], pointers: dict[str, str]
) -> None:
    answer = ada.register(**fields)
    assert (answer.status, answer.pointers) == (422, pointers)
    assert ada.mailer.sent == []


def test_half_of_a_character_is_no_password(ada: Person) -> None:
    body = b'{"email": "ada@example.com", "name": "Ada", "password": "\\ud800 and more than that"}'
    assert ada.api.post("/auth/register", body).status == 400


def test_an_address_is_confirmed_by_its_mail_and_that_once(ada: Person) -> None:
    ada.register()
    token = {"token": ada.mail_token}
    assert ada.api.post("/auth/verify", token).json["verified"]
    assert ada.api.post("/auth/verify", token).pointers == {"/token": "token"}


def test_a_token_ends_and_another_can_be_asked_for(world: World, ada: Person) -> None:
    ada.register()
    token = ada.mail_token
    world.clock.sleep(86_400)
    assert ada.api.post("/auth/verify", {"token": token}).status == 422
    assert ada.api.post("/auth/verify/resend", {"email": ADA}).status == 202
    assert ada.api.post("/auth/verify", {"token": ada.mail_token}).status == 200
    sent = len(ada.mailer.sent)
    ada.api.post("/auth/verify/resend", {"email": ADA})
    assert len(ada.mailer.sent) == sent, "it is confirmed already"


@pytest.mark.parametrize("text", ["", "x", "chronos_once_" + "A" * 43, "chronos_key_" + "A" * 43, "ü" * 56])
def test_a_token_that_was_guessed_confirms_nothing(ada: Person, text: str) -> None:
    assert ada.api.post("/auth/verify", {"token": text}).status == 422
    assert ada.api.post("/auth/password/reset", {"token": text, "password": NEXT}).status == 422


def test_links_lead_to_the_app_where_there_is_one(world: World, ada: Person) -> None:
    with_settings(world, app_url="https://app.example.com/")
    ada.register()
    assert "https://app.example.com/verify#token=chronos_once_" in ada.mailer.sent[-1].text


@pytest.mark.parametrize("path", ["/auth/password/forgot", "/auth/verify/resend"])
def test_an_unknown_address_is_answered_like_a_known_one_and_as_late(
    world: World, ada: Person, path: str
) -> None:
    ada.register()
    answers, times = [], []
    for email in (ADA, "nobody@example.com"):
        begun = world.clock.monotonic()
        answers.append(ada.api.post(path, {"email": email}).text)
        times.append(world.clock.monotonic() - begun)
    assert answers[0] == answers[1]
    assert times == pytest.approx([MAILED_MS / 1000] * 2)
    assert {mail.to for mail in ada.mailer.sent} == {ADA}


def test_a_mail_that_cannot_be_sent_is_told_to_nobody_but_the_operator(world: World, ada: Person) -> None:
    ada.mailer.failures.append(Unavailable("SES did not answer."))
    assert ada.register().status == 202
    assert "was not sent" in str(world.telemetry.lines)
    assert ada.login().status == 200


def test_without_a_sender_no_mail_is_sent_and_no_token_logged(world: World, ada: Person) -> None:
    object.__setattr__(world.engine, "mailer", None)
    assert ada.register().status == 202
    assert "MailFrom" in str(world.telemetry.lines)
    assert "chronos_once_" not in str(world.telemetry.lines)


def test_nobody_is_flooded_with_mails(world: World, ada: Person) -> None:
    for _ in range(10):
        assert ada.api.post("/auth/password/forgot", {"email": ADA}).status == 202
    user_named(world.engine, ADA)
    for _ in range(10):
        assert ada.api.post("/auth/password/forgot", {"email": ADA}).status == 202
    assert len(ada.mailer.sent) == 3
    world.clock.sleep(86_400)
    ada.api.post("/auth/password/forgot", {"email": ADA})
    assert len(ada.mailer.sent) == 4


def test_a_forgotten_password_is_replaced_by_mail(ada: Person) -> None:
    ada.joined()
    ada.api.post("/auth/password/forgot", {"email": "ADA@example.com"})
    token = ada.mail_token
    assert ada.api.post("/auth/password/reset", {"token": token, "password": NEXT}).status == 204
    assert not ada.is_in, "all sessions have ended"
    assert ada.refresh().json["code"] == "bad_refresh_token"
    assert ada.login().json["code"] == "bad_credentials"
    ada.password = NEXT
    assert ada.login().status == 200
    assert ada.api.post("/auth/password/reset", {"token": token, "password": NEXT}).status == 422
    assert "was changed" in ada.mailer.subjects(ADA)[-1]


def test_a_reset_by_mail_shows_the_address_too(ada: Person) -> None:
    ada.register()
    ada.api.post("/auth/password/forgot", {"email": ADA})
    ada.api.post("/auth/password/reset", {"token": ada.mail_token, "password": NEXT})
    assert ada.login(password=NEXT).json["user"]["verified"]


def test_a_refused_password_uses_up_no_token(ada: Person) -> None:
    ada.joined()
    ada.api.post("/auth/password/forgot", {"email": ADA})
    token = ada.mail_token
    answer = ada.api.post("/auth/password/reset", {"token": token, "password": "password1234"})
    assert answer.pointers == {"/password": "common_password"}
    assert ada.api.post("/auth/password/reset", {"token": token, "password": NEXT}).status == 204


def test_another_password_ends_the_tokens_that_were_mailed_before(ada: Person) -> None:
    ada.joined()
    ada.api.post("/auth/password/forgot", {"email": ADA})
    token = ada.mail_token
    body = {"current_password": ada.password, "new_password": NEXT}
    assert ada.ask("POST", "/auth/password", body).status == 204
    assert ada.api.post("/auth/password/reset", {"token": token, "password": "yet another one"}).status == 422


def test_a_token_for_one_thing_is_none_for_another(ada: Person) -> None:
    ada.register()
    verify = ada.mail_token
    assert ada.api.post("/auth/password/reset", {"token": verify, "password": NEXT}).status == 422
    ada.api.post("/auth/password/forgot", {"email": ADA})
    assert ada.api.post("/auth/verify", {"token": ada.mail_token}).status == 422


def test_a_password_is_changed_by_the_present_one_and_other_sessions_end(ada: Person) -> None:
    other = Person(ada.world, api=ada.joined().api)
    other.login()
    body = {"current_password": ada.password, "new_password": NEXT}
    wrong = ada.ask("POST", "/auth/password", {**body, "current_password": "wrong"})
    assert wrong.pointers == {"/current_password": "wrong_password"}
    common = ada.ask("POST", "/auth/password", {**body, "new_password": "password1234"})
    assert common.pointers == {"/new_password": "common_password"}
    assert (other.is_in, ada.ask("POST", "/auth/password", body).status) == (True, 204)
    assert (other.is_in, ada.is_in) == (False, True)
    assert ada.login(password=NEXT).status == 200


def test_who_has_no_password_cannot_change_one(world: World, ada: Person) -> None:
    ada.joined()
    world.db.catalog.items[f"user#{ada.tokens['user']['id']}", "user"].pop("password")
    body = {"current_password": "anything", "new_password": NEXT}
    assert ada.ask("POST", "/auth/password", body).status == 409
    assert ada.ask("DELETE", "/auth/sessions").status == 204


def test_a_name_is_changed_with_its_revision(ada: Person) -> None:
    ada.joined()
    etag = ada.ask("GET", "/users/me").headers["ETag"]
    changed = ada.ask("PATCH", "/users/me", {"name": "Ada King"}, **{"If-Match": etag})
    assert (changed.status, changed.json["name"]) == (200, "Ada King")
    assert ada.ask("PATCH", "/users/me", {"name": "Eve"}, **{"If-Match": etag}).status == 412
    assert ada.ask("GET", "/users/me").json["name"] == "Ada King"


def test_another_address_is_taken_over_when_its_mail_is_answered(ada: Person) -> None:
    ada.joined()
    body = {"email": "ada@example.org", "password": ada.password}
    assert ada.ask("PATCH", "/users/me", body).json["email"] == ADA, "not yet"
    token = ada.mailer.token("ada@example.org")
    assert ada.api.post("/auth/verify", {"token": token}).json["email"] == "ada@example.org"
    assert "another address" in ada.mailer.subjects(ADA)[-1]
    assert ada.login().status == 401
    ada.email = "ada@example.org"
    assert ada.login().status == 200
    assert Person(ada.world, ADA, ada.api).register().status == 202
    assert "Confirm" in ada.mailer.subjects(ADA)[-1], "the former address is free"


def test_another_address_needs_the_password(ada: Person) -> None:
    ada.joined()
    assert ada.ask("PATCH", "/users/me", {"email": "eve@example.com"}).pointers == {"/password": "required"}
    wrong = {"email": "eve@example.com", "password": "wrong"}
    assert ada.ask("PATCH", "/users/me", wrong).pointers == {"/password": "wrong_password"}


def test_an_address_that_is_somebodys_stays_theirs(world: World, ada: Person) -> None:
    eve = Person(world, "eve@example.com", ada.joined().api).joined()
    answer = eve.ask("PATCH", "/users/me", {"email": ADA, "password": eve.password})
    assert answer.status == 200, "nothing is said of whose it is"
    assert "have a Chronos account" in ada.mailer.subjects(ADA)[-1]


def test_an_address_that_somebody_took_meanwhile_is_not_taken_over(world: World, ada: Person) -> None:
    ada.joined()
    ada.ask("PATCH", "/users/me", {"email": "new@example.com", "password": ada.password})
    token = ada.mailer.token("new@example.com")
    Person(world, "new@example.com", ada.api).register()
    assert ada.api.post("/auth/verify", {"token": token}).status == 422
    assert ada.ask("GET", "/users/me").json["email"] == ADA


def test_who_is_the_only_owner_of_a_tenant_cannot_leave(ada: Person) -> None:
    ada.joined()
    answer = ada.ask("DELETE", "/users/me", {"password": ada.password})
    assert (answer.status, answer.json["code"]) == (409, "last_owner")
    assert ada.login().status == 200


def test_who_leaves_leaves_nothing_that_opens_anything(world: World, ada: Person) -> None:
    ada.joined()
    tenant = ada.tokens["tenant"]
    joined(world.engine, user_named(world.engine, "eve@example.com"), "owner", tenant)
    assert ada.ask("DELETE", "/users/me").pointers == {"/password": "required"}
    assert ada.ask("DELETE", "/users/me", {"password": "wrong"}).status == 422
    assert ada.ask("DELETE", "/users/me", {"password": ada.password}).status == 204
    assert (ada.is_in, ada.refresh().status, ada.login().status) == (False, 401, 401)
    left = [item for item in world.db.catalog.items.values() if ada.tokens["user"]["id"] in str(item)]
    assert {str(item["pk"]).partition("#")[0] for item in left} <= {"once"}, "what TTL takes away"
    assert ada.register().status == 202
    assert ada.login().status == 200, "the address is free"


def test_who_belongs_to_no_tenant_has_an_account(world: World, ada: Person) -> None:
    user_named(world.engine, ADA)
    assert ada.login().status == 200
    assert (ada.tokens["tenant"], ada.tokens["role"]) == (None, None)
    assert (ada.is_in, ada.ask("GET", "/jobs").status) == (True, 403)
    assert ada.ask("DELETE", "/users/me", {"password": ada.password}).status == 204


def told(world: World, tenant: str) -> list[tuple[str, str, str, str]]:
    """What the trail of a tenant says: operation, actor's kind, outcome, code."""
    page = world.db.audit.query(f"{tenant}#trail")
    documents = [decode_entry(item).document or {} for item in page.items]
    assert "chronos_" not in str(documents)
    return [(d["operation"], d["actor"][:5], d["outcome"], d.get("code", "")) for d in documents]


def test_the_trail_tells_of_sign_ins_right_and_wrong_and_of_what_is_done_by_mail(
    world: World, ada: Person
) -> None:
    ada.joined()
    tenant = ada.tokens["tenant"]
    ada.login(password="wrong")
    ada.api.post("/auth/password/forgot", {"email": ADA})
    ada.api.post("/auth/password/reset", {"token": ada.mail_token, "password": NEXT})
    ada.login(password=NEXT)
    first = ada.tokens
    ada.refresh()
    ada.tokens = first
    ada.refresh()
    assert told(world, tenant) == [
        ("POST /auth/register", "user_", "done", ""),
        ("POST /auth/verify", "user_", "done", ""),
        ("POST /auth/login", "user_", "done", ""),
        ("POST /auth/login", "user_", "refused", "bad_credentials"),
        ("POST /auth/password/reset", "user_", "done", ""),
        ("POST /auth/login", "user_", "done", ""),
        ("POST /auth/refresh", "user_", "refused", "bad_refresh_token"),
    ]


def test_a_second_registration_leaves_no_record_of_a_tenant_that_is_not_there(
    world: World, ada: Person
) -> None:
    ada.register()
    before = len(world.db.audit.items)
    ada.register()
    assert len(world.db.audit.items) == before
