"""Invitations: for one address, once, and only as long as who wrote them may still write them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.identity.attempts import MAIL
from chalicelib.identity.invitations import MAX_A_DAY
from chalicelib.identity.users import encode_user, user_of
from chalicelib.ports.mail import Mail
from chalicelib.ports.table import Put
from tests.support.api import Answer
from tests.support.callers import Caller, member
from tests.support.interference import Interfered, interfered
from tests.support.signed_in import joined, user_named
from tests.support.world import TENANT, World

INVITED = "grace@example.com"
DAY = 86_400


@pytest.fixture
def world() -> World:
    """Without mail: who writes an invitation is told its text."""
    world = World()
    world.engine = replace(world.engine, mailer=None)
    return world


@pytest.fixture
def db(world: World) -> Interfered:
    return interfered(world)


@pytest.fixture
def admin(world: World, db: Interfered) -> Caller:
    return member(world, "admin")


@pytest.fixture
def grace(world: World, db: Interfered) -> Caller:
    """Who is invited: a member of another tenant."""
    return member(world, "viewer", "elsewhere", INVITED)


def invite(by: Caller, role: str = "editor", email: str = INVITED) -> Any:
    answer = by("POST", "/tenant/invitations", {"email": email, "role": role})
    assert answer.status == 201, answer.text
    return answer.json


def accept(who: Caller, invitation: Any) -> Answer:
    return who("POST", "/invitations/accept", {"token": invitation["token"]})


def status_of(admin: Caller, invitation: Any) -> str:
    return str(admin("GET", f"/tenant/invitations/{invitation['id']}").json["status"])


def tenants_of(who: Caller) -> dict[str, str]:
    return {each["id"]: each["role"] for each in who("GET", "/tenants").json["items"]}


def test_who_is_invited_comes_in_with_the_role(admin: Caller, grace: Caller, db: Interfered) -> None:
    invitation = invite(admin, email="Grace@Example.com")
    answer = accept(grace, invitation)
    assert (answer.status, answer.json["id"], answer.json["role"]) == (200, TENANT, "editor")
    assert tenants_of(grace) == {"elsewhere": "viewer", TENANT: "editor"}
    shown = admin("GET", f"/tenant/invitations/{invitation['id']}").json
    assert (shown["status"], shown["answered_by"]) == ("accepted", grace.user)
    assert invitation["token"].rpartition("_")[2] not in str(db.catalog.items)


def test_a_repeat_is_told_the_same_and_changes_nothing(admin: Caller, grace: Caller) -> None:
    invitation = invite(admin)
    first = accept(grace, invitation)
    admin("PATCH", f"/tenant/members/{grace.user}", {"role": "viewer"})
    second = accept(grace, invitation)
    assert (first.json["role"], second.status, second.json["role"]) == ("editor", 200, "viewer")


def test_who_was_taken_out_does_not_come_back_by_the_same_invitation(admin: Caller, grace: Caller) -> None:
    invitation = invite(admin)
    accept(grace, invitation)
    admin("DELETE", f"/tenant/members/{grace.user}")
    assert accept(grace, invitation).status == 410
    assert tenants_of(grace) == {"elsewhere": "viewer"}


def test_an_invitation_is_for_its_address_alone(admin: Caller, grace: Caller, world: World) -> None:
    invitation = invite(admin)
    eve = member(world, "viewer", "elsewhere", "eve@example.com")
    refused = accept(eve, invitation)
    assert (refused.status, INVITED in refused.text) == (403, False)
    assert accept(grace, invitation).status == 200


Spoil = Callable[[World, Caller, Any], object]
OVER: list[tuple[str, int, Spoil]] = [
    ("taken back", 404, lambda _w, admin, made: admin("DELETE", f"/tenant/invitations/{made['id']}")),
    (
        "declined",
        410,
        lambda _w, admin, made: admin("POST", "/invitations/decline", {"token": made["token"]}),
    ),
    ("a week old", 410, lambda world, _a, _m: world.clock.sleep(7 * DAY)),
    ("spoilt", 404, lambda _w, _a, made: made.update(token=made["token"][:-1] + "~")),
    ("of another secret", 404, lambda _w, _a, made: made.update(token=made["token"][:-43] + "A" * 43)),
    ("no token", 404, lambda _w, _a, made: made.update(token="x")),
    ("by who left", 410, lambda _w, admin, _m: admin("POST", "/tenant/leave")),
    (
        "by who may less now",
        410,
        lambda world, admin, _m: joined(world.engine, user_named(world.engine), "editor"),
    ),
]


@pytest.mark.parametrize(("_why", "status", "spoil"), OVER, ids=[why for why, _, _ in OVER])
def test_an_invitation_that_is_over_opens_nothing(
    world: World, admin: Caller, grace: Caller, _why: str, status: int, spoil: Spoil
) -> None:
    invitation = invite(admin)
    spoil(world, admin, invitation)
    again = member(world, "viewer", "elsewhere", INVITED)  # their session is over after a week, too
    assert accept(again, invitation).status == status
    assert tenants_of(again) == {"elsewhere": "viewer"}


def test_an_invitation_by_a_key_that_was_taken_back_is_over(admin: Caller, grace: Caller) -> None:
    key = admin.make(role="admin")
    invitation = invite(admin.with_key(key["api_key"]))
    admin("DELETE", f"/api-keys/{key['id']}")
    assert accept(grace, invitation).status == 410


def test_of_two_answers_at_once_one_counts(admin: Caller, grace: Caller, db: Interfered) -> None:
    invitation = invite(admin)
    answers = list[Answer]()
    db.before = lambda: answers.append(grace("POST", "/invitations/decline", {"token": invitation["token"]}))
    db.times = 1
    answers.append(accept(grace, invitation))
    assert [each.status for each in answers] == [204, 410]
    assert (status_of(admin, invitation), tenants_of(grace)) == ("declined", {"elsewhere": "viewer"})


def test_accepting_twice_at_once_makes_one_membership(admin: Caller, grace: Caller, db: Interfered) -> None:
    invitation = invite(admin)
    answers = list[Answer]()
    db.before, db.times = lambda: answers.append(accept(grace, invitation)), 1
    answers.append(accept(grace, invitation))
    assert [each.status for each in answers] == [200, 409]
    assert tenants_of(grace)[TENANT] == "editor"


def test_a_member_keeps_their_role_whatever_they_accept(admin: Caller, grace: Caller) -> None:
    first, second = invite(admin, "viewer"), invite(admin, "admin")
    assert [accept(grace, each).status for each in (first, second)] == [200, 409]
    assert tenants_of(grace)[TENANT] == "viewer"


def test_declining_twice_is_no_error_and_after_accepting_it_is(admin: Caller, grace: Caller) -> None:
    first, second = invite(admin), invite(admin)
    accept(grace, second)
    tokens = [first["token"], first["token"], second["token"]]
    found = [grace("POST", "/invitations/decline", {"token": each}).status for each in tokens]
    assert found == [204, 204, 410]


@pytest.mark.parametrize("role", ["owner", "service", "root"])
def test_nobody_is_invited_as_more_than_their_host(admin: Caller, role: str) -> None:
    answer = admin("POST", "/tenant/invitations", {"email": INVITED, "role": role})
    assert (answer.status, list(answer.pointers)) == (422, ["/role"])


@pytest.mark.parametrize(
    "email", ["", "grace", "a@b", "a b@c.de", "a@b.de\nBcc: x@y.de", "@c.de", "a@b@c.de", 7]
)
def test_what_is_no_address_is_not_invited(admin: Caller, email: Any) -> None:
    answer = admin("POST", "/tenant/invitations", {"email": email})
    assert (answer.status, list(answer.pointers)) == (422, ["/email"])


def test_a_tenant_writes_to_so_many_strangers_a_day(admin: Caller, world: World) -> None:
    invite(admin, email="first@example.com")
    ((key, counted),) = [row for row in world.db.catalog.items.items() if "invited#" in row[0][1]]
    assert counted["count"] == 1
    world.db.catalog.items[key] = {**counted, "count": MAX_A_DAY}
    assert admin("POST", "/tenant/invitations", {"email": INVITED}).status == 429
    world.clock.sleep(DAY)
    invite(member(world, "admin"))


def test_a_repeat_with_an_idempotency_key_invites_once(admin: Caller) -> None:
    body = {"email": INVITED}
    first, second = (admin("POST", "/tenant/invitations", body, idempotency_key="i") for _ in range(2))
    assert (first.status, second.status, second.json["code"]) == (201, 409, "shown_once")
    assert first.json["id"] in second.json["detail"]
    assert len(admin("GET", "/tenant/invitations").json["items"]) == 1


def test_invitations_are_listed_the_latest_first_in_pages(admin: Caller, world: World) -> None:
    made = []
    for number in range(3):
        made.append(invite(admin, email=f"no{number}@example.com")["id"])
        world.clock.sleep(1)
    first = admin("GET", "/tenant/invitations?limit=2").json
    second = admin("GET", f"/tenant/invitations?limit=2&cursor={first['next_cursor']}").json
    assert [each["id"] for each in first["items"] + second["items"]] == made[::-1]
    world.clock.sleep(7 * DAY)
    assert {each["status"] for each in member(world)("GET", "/tenant/invitations").json["items"]} == {
        "expired"
    }


NEWCOMER = {"name": "Grace Hopper", "password": "a long sentence will do"}


class Nowhere:
    """A mailer that does not get through."""

    def send(self, _mail: Mail) -> None:
        raise Unavailable("SES did not answer.")


@pytest.fixture
def mailing(world: World, admin: Caller) -> World:
    """The same with mail."""
    object.__setattr__(world.engine, "mailer", world.mailer)
    return world


def register(who: Caller, token: str, **fields: str) -> Answer:
    return who("POST", "/invitations/register", {**NEWCOMER, "token": token, **fields})


def test_what_is_mailed_is_told_nobody_else(mailing: World, admin: Caller, grace: Caller) -> None:
    made = invite(admin)
    assert (made["mailed"], made["token"]) == (True, None)
    (mail,) = mailing.mailer.sent
    assert (mail.to, "Ada" in mail.text, "Local" in mail.text) == (INVITED, False, False)
    assert accept(grace, {"token": mailing.mailer.token(INVITED)}).status == 200


UNSENT: list[tuple[str, Callable[[World], object]]] = [
    ("no mail", lambda world: object.__setattr__(world.engine, "mailer", None)),
    ("no way through", lambda world: object.__setattr__(world.engine, "mailer", Nowhere())),
    ("a host without an address", lambda world: confirm(world, "ada@example.com", verified=False)),
]


def confirm(world: World, email: str, *, verified: bool) -> None:
    user = user_of(world.engine, email)
    assert user
    world.engine.db.catalog.write(Put(encode_user(replace(user, verified=verified))))


@pytest.mark.parametrize("spoil", [spoil for _, spoil in UNSENT], ids=[why for why, _ in UNSENT])
def test_what_cannot_be_mailed_is_told_and_shows_nothing_of_the_address(
    mailing: World, admin: Caller, spoil: Callable[[World], object]
) -> None:
    spoil(mailing)
    made = invite(admin)
    assert made["mailed"] is False
    assert register(admin, made["token"]).status == 201
    user = user_of(mailing.engine, INVITED)
    assert user
    assert not user.verified


def test_an_address_that_had_too_many_mails_is_left_alone(mailing: World, admin: Caller) -> None:
    told = [invite(admin)["mailed"] for _ in range(6)]
    assert told == [True] * MAIL.free + [False] * (6 - MAIL.free)
    assert len(mailing.mailer.sent) == MAIL.free


def test_who_has_no_account_makes_one_by_the_invitation_and_signs_in(mailing: World, admin: Caller) -> None:
    invite(admin)
    answer = register(admin, mailing.mailer.token(INVITED))
    assert (answer.status, answer.json["id"], answer.json["role"]) == (201, TENANT, "editor")
    user = user_of(mailing.engine, INVITED)
    assert user
    assert (user.verified, user.name) == (True, NEWCOMER["name"])
    login = admin("POST", "/auth/login", {"email": INVITED, "password": NEWCOMER["password"]})
    assert (login.status, login.json["tenant"]) == (200, TENANT)


def test_the_mail_confirms_the_address_of_who_accepts(mailing: World, admin: Caller, grace: Caller) -> None:
    confirm(mailing, INVITED, verified=False)
    invite(admin)
    assert accept(grace, {"token": mailing.mailer.token(INVITED)}).status == 200
    user = user_of(mailing.engine, INVITED)
    assert user
    assert user.verified


def test_nobody_registers_with_an_address_that_has_an_account(
    mailing: World, admin: Caller, grace: Caller
) -> None:
    invite(admin)
    token = mailing.mailer.token(INVITED)
    assert register(admin, token).status == 409
    assert accept(grace, {"token": token}).status == 200


def test_of_two_who_register_at_once_one_does(mailing: World, admin: Caller, db: Interfered) -> None:
    invite(admin)
    token, answers = mailing.mailer.token(INVITED), list[Answer]()
    db.before, db.times = lambda: answers.append(register(admin, token)), 1
    answers.append(register(admin, token))
    assert [each.status for each in answers] == [201, 409]


def test_a_weak_password_uses_up_no_invitation(mailing: World, admin: Caller) -> None:
    invite(admin)
    token = mailing.mailer.token(INVITED)
    refused = register(admin, token, password="password")
    assert (refused.status, list(refused.pointers)) == (422, ["/password"])
    assert mailing.hashing.count == 0
    assert register(admin, token).status == 201
