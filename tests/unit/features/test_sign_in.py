"""Signing in by the API: who is let in, how guessing ends, and what each session may still do."""

import pytest

from chalicelib.features.auth.api import SIGN_IN_MS
from chalicelib.identity.attempts import ADDRESS
from chalicelib.identity.passwords import Cost, hashed
from chalicelib.identity.users import user_key, user_of
from chalicelib.ports.table import Update
from tests.support.accounts import ADA, Person
from tests.support.api import ApiClient
from tests.support.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def ada(world: World) -> Person:
    return Person(world).joined()


def test_a_sign_in_opens_the_api_and_a_logout_shuts_it(ada: Person) -> None:
    made = ada.ask("POST", "/jobs", {"name": "n", "type": "dummy", "schedule": {"kind": "manual"}})
    assert made.status == 201
    assert ada.refresh().status == 200
    assert ada.ask("GET", f"/jobs/{made.json['id']}").status == 200
    assert ada.ask("POST", "/auth/logout").status == 204
    assert (ada.is_in, ada.refresh().status) == (False, 401)


@pytest.mark.parametrize(
    ("email", "password"),
    [(ADA, "wrong"), ("nobody@example.com", "correct horse battery"), (ADA, "Correct horse battery")],
    ids=["a wrong password", "an unknown address", "another case"],
)
def test_all_that_is_wrong_is_answered_alike_after_the_same_work(
    ada: Person, email: str, password: str
) -> None:
    before = ada.hashing.count
    answer = ada.login(email=email, password=password)
    assert (answer.status, answer.json["code"]) == (401, "bad_credentials")
    assert answer.json["detail"] == "There is no user with this address and this password."
    assert ada.hashing.count == before + 1


def test_the_case_of_an_address_plays_no_part(ada: Person) -> None:
    assert ada.login(email=" ADA@Example.COM ".strip()).status == 200


def test_a_password_is_the_same_however_its_letters_are_composed(world: World) -> None:
    eve = Person(world, "eve@example.com")
    eve.register(password="caf\N{LATIN SMALL LETTER E WITH ACUTE} au lait")
    assert eve.login(password="cafe\N{COMBINING ACUTE ACCENT} au lait").status == 200


def test_a_sign_in_takes_as_long_whatever_comes_of_it(world: World, ada: Person) -> None:
    times = []
    for email, password in ((ADA, ada.password), (ADA, "wrong"), ("nobody@example.com", "wrong")):
        begun = world.clock.monotonic()
        ada.login(email=email, password=password)
        times.append(world.clock.monotonic() - begun)
    assert times == pytest.approx([SIGN_IN_MS / 1000] * 3)


def waits(person: Person, email: str, tries: int) -> list[int]:
    """What each wrong guess is told: 0, or the seconds to wait."""
    answers = [person.login(email=email, password="wrong") for _ in range(tries)]
    return [int(answer.headers.get("Retry-After", 0)) for answer in answers]


def test_guesses_at_known_and_unknown_accounts_are_slowed_down_alike(ada: Person) -> None:
    known, unknown = (waits(ada, email, 7) for email in (ADA, "nobody@example.com"))
    assert known == unknown == [0, 0, 0, 0, 0, 2, 1]


def test_the_wait_doubles_up_to_a_quarter_of_an_hour(world: World, ada: Person) -> None:
    waited = []
    for _ in range(18):
        ada.login(password="wrong")
        refused = ada.login(password="wrong")
        if refused.status == 429:
            waited.append(int(refused.headers["Retry-After"]))
            world.clock.sleep(waited[-1])
    assert waited[:5] == [2, 4, 8, 16, 32]
    assert waited[-1] == 900


def test_while_an_account_waits_the_right_password_opens_nothing_either(world: World, ada: Person) -> None:
    waits(ada, ADA, 6)
    answer = ada.login()
    assert (answer.status, answer.json["code"]) == (429, "too_many_attempts")
    world.clock.sleep(2)
    assert ada.login().status == 200
    assert waits(ada, ADA, 5) == [0] * 5, "what was right is forgiven"


def test_guesses_are_forgotten_after_an_hour(world: World, ada: Person) -> None:
    waits(ada, ADA, 5)
    world.clock.sleep(3_600)
    assert waits(ada, ADA, 5) == [0] * 5


def test_a_new_password_by_mail_ends_the_wait(ada: Person) -> None:
    waits(ada, ADA, 6)
    ada.api.post("/auth/password/forgot", {"email": ADA})
    ada.api.post("/auth/password/reset", {"token": ada.mail_token, "password": "another long sentence"})
    assert ada.login(password="another long sentence").status == 200


def test_guesses_with_a_stolen_session_are_counted_too(ada: Person) -> None:
    body = {"current_password": "wrong", "new_password": "another long sentence"}
    answers = [ada.ask("POST", "/auth/password", body).status for _ in range(6)]
    assert answers == [422] * 5 + [429]


def test_a_hash_of_weaker_parameters_is_made_anew_at_the_next_sign_in(world: World, ada: Person) -> None:
    user = user_of(world.engine, ADA)
    assert user is not None
    weak = hashed(ada.password, bytes(16), Cost(memory=16, passes=1))
    world.db.catalog.write(Update(user_key(user.id), set={"password": weak}))
    assert ada.login().status == 200
    after = user_of(world.engine, ADA)
    assert after is not None
    assert "$m=8,t=1,p=1$" in str(after.password)
    assert ada.login().status == 200


def test_a_sign_in_names_a_tenant_of_the_user_or_none(ada: Person) -> None:
    assert ada.login(tenant=ada.tokens["tenant"]).status == 200
    assert ada.login(tenant="local").status == 404
    assert ada.refresh(tenant="local").status == 404
    assert ada.refresh().status == 200, "nothing was lost"


def test_sessions_are_listed_and_ended_one_by_one_or_all(world: World, ada: Person) -> None:
    others = [Person(world, api=ada.api) for _ in range(3)]
    for other in others:
        world.clock.sleep(1)
        other.login()
    listed = ada.ask("GET", "/auth/sessions").json["items"]
    assert [each["current"] for each in listed] == [False, False, False, True]
    assert ada.ask("DELETE", f"/auth/sessions/{others[0].tokens['session']}").status == 204
    assert [person.is_in for person in (*others, ada)] == [False, True, True, True]
    assert ada.ask("DELETE", "/auth/sessions").status == 204
    assert [person.is_in for person in (*others, ada)] == [False, False, False, True]


def test_another_users_session_cannot_be_ended(world: World, ada: Person) -> None:
    eve = Person(world, "eve@example.com", ada.api).joined()
    missing = eve.ask("DELETE", "/auth/sessions/session_01MCCKG2G0ZB1C3D5E7F9G2H4J")
    foreign = eve.ask("DELETE", f"/auth/sessions/{ada.tokens['session']}")
    assert foreign.status == missing.status == 404
    assert foreign.json["detail"] == missing.json["detail"]
    assert ada.is_in


def test_an_api_key_is_no_user(world: World) -> None:
    api = ApiClient(world.engine)
    assert [api.get(path).status for path in ("/users/me", "/auth/sessions")] == [403, 403]


def test_the_keys_are_public_and_may_be_kept(world: World) -> None:
    answer = ApiClient(world.engine).get("/.well-known/jwks.json")
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "public, max-age=300")
    assert [key["kid"] for key in answer.json["keys"]] == ["first"]


def test_many_strangers_behind_one_address_are_let_on_until_they_are_too_many() -> None:
    assert ADDRESS.free >= 100
    assert ADDRESS.longest_ms <= 60_000
