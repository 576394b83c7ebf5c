"""Sessions: how they begin, go on by refresh tokens that are good for one use each, and end."""

from typing import Any

import pytest

from chalicelib.domain.errors import BadCredentials, BadRefreshToken, NotFound
from chalicelib.domain.permissions import ACCOUNT
from chalicelib.identity.access import authenticate
from chalicelib.identity.members import Member, member_puts, membership_key
from chalicelib.identity.sessions import (
    IDLE_MS,
    LONGEST_MS,
    PREFIX,
    SignedIn,
    Visit,
    begin,
    decode_session,
    encode_session,
    end,
    end_all,
    refresh,
    session_key,
    sessions_of,
)
from chalicelib.identity.users import user_key
from chalicelib.ports.table import ConditionFailed, Delete, Item, Update, Write
from tests.support.memory import MemoryTable
from tests.support.signed_in import bearer, joined, signed_in, user_named
from tests.support.world import World

DAY_S = 86_400


@pytest.fixture
def world() -> World:
    return World()


def again(world: World, given: SignedIn, tenant: str | None = None) -> SignedIn:
    return refresh(world.engine, given.refresh_token, tenant, Visit("192.0.2.8", "another program"))


def test_what_is_stored_opens_nothing(world: World) -> None:
    given = signed_in(world.engine)
    stored = str(world.db.catalog.get(session_key(given.user.id, given.session.id)))
    assert given.refresh_token.rpartition("_")[2] not in stored
    assert given.access_token.rpartition(".")[2] not in stored


def test_a_session_is_read_as_it_was_written(world: World) -> None:
    session = signed_in(world.engine).session
    assert decode_session(encode_session(session)) == session


def test_a_refresh_gives_new_tokens_and_notes_where_it_came_from(world: World) -> None:
    given = signed_in(world.engine)
    world.clock.sleep(60)
    after = again(world, given)
    assert after.session.id == given.session.id
    assert not {after.access_token, after.refresh_token} & {given.access_token, given.refresh_token}
    assert authenticate(world.engine, bearer(after)["Authorization"]).session == given.session.id
    [listed] = sessions_of(world.engine, given.user.id)
    assert (listed.visit.address, listed.used_ms - listed.created_ms) == ("192.0.2.8", 60_000)


def test_a_token_that_is_used_twice_ends_the_session_for_both(world: World) -> None:
    given = signed_in(world.engine)
    after = again(world, given)
    with pytest.raises(BadRefreshToken):
        again(world, given)
    with pytest.raises(BadRefreshToken):
        again(world, after)
    assert sessions_of(world.engine, given.user.id) == []
    assert "used twice" in world.telemetry.lines[-1][1]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-43] + "A" * 43,
        lambda text: text[:-43] + "A" * 21 + text[-22:],
        lambda text: text.replace(PREFIX + "0", PREFIX + "1"),
        lambda text: text + "x",
        lambda text: "",
        lambda text: PREFIX,
    ],
    ids=["another secret", "another first half", "another user", "longer", "nothing", "cut off"],
)
def test_a_token_that_was_guessed_opens_nothing_and_ends_nothing(world: World, spoil: Any) -> None:
    given = signed_in(world.engine)
    with pytest.raises(BadRefreshToken):
        refresh(world.engine, spoil(given.refresh_token), None)
    assert again(world, given)


class Raced(MemoryTable):
    """Somebody else's refresh with the same token comes just before ours is written."""

    def __init__(self) -> None:
        super().__init__()
        self.other: Any = None

    def write(self, write: Write) -> Item:
        other, self.other = self.other, None
        if other and isinstance(write, Update):
            other()
        return super().write(write)


def test_of_two_refreshes_at_once_not_both_win(world: World) -> None:
    table = world.db.catalog = Raced()
    given = signed_in(world.engine)
    table.other = lambda: again(world, given)
    with pytest.raises(BadRefreshToken):
        again(world, given)
    assert sessions_of(world.engine, given.user.id) == [], "nobody knows which of them was the thief"


def test_a_session_that_ends_during_a_refresh_stays_ended(world: World) -> None:
    table = world.db.catalog = Raced()
    given = signed_in(world.engine)
    table.other = lambda: end(world.engine, given.user.id, given.session.id)
    with pytest.raises(BadRefreshToken):
        again(world, given)
    assert sessions_of(world.engine, given.user.id) == []


class Repeating(MemoryTable):
    """The answer to an update is lost, and the update is sent again below the seam."""

    def write(self, write: Write) -> Item:
        if isinstance(write, Update):
            after = super().write(write)
            raise ConditionFailed(after)
        return super().write(write)


def test_a_refresh_whose_answer_was_lost_below_is_no_second_use(world: World) -> None:
    world.db.catalog = Repeating()
    assert again(world, signed_in(world.engine)).refresh_token


def test_a_session_is_over_when_nobody_uses_it(world: World) -> None:
    given = signed_in(world.engine)
    world.clock.sleep(IDLE_MS / 1000)
    assert sessions_of(world.engine, given.user.id) == []
    with pytest.raises(BadRefreshToken):
        again(world, given)


def test_a_session_is_over_after_ninety_days_whatever_happens(world: World) -> None:
    given = signed_in(world.engine)
    for _ in range(4):
        world.clock.sleep(20 * DAY_S)
        given = again(world, given)
    assert given.session.expires_ms == given.session.created_ms + LONGEST_MS
    world.clock.sleep(10 * DAY_S)
    with pytest.raises(BadRefreshToken):
        again(world, given)


def test_a_refresh_changes_to_another_tenant_of_the_user(world: World) -> None:
    given = signed_in(world.engine)
    joined(world.engine, given.user, "viewer", "acme")
    after = again(world, given, "acme")
    assert authenticate(world.engine, bearer(after)["Authorization"]).tenant == "acme"
    assert again(world, after).session.tenant == "acme", "it stays there"


def test_a_tenant_that_the_user_is_not_in_costs_the_token_nothing(world: World) -> None:
    given = signed_in(world.engine)
    joined(world.engine, user_named(world.engine, "eve@example.com"), "owner", "acme")
    with pytest.raises(NotFound):
        again(world, given, "acme")
    assert again(world, given)


def test_who_left_a_tenant_goes_on_in_another(world: World) -> None:
    given = signed_in(world.engine)
    joined(world.engine, given.user, "viewer", "acme")
    world.db.catalog.write(Delete(("local#members", given.user.id)))
    world.db.catalog.write(Delete(membership_key("local", given.user.id)))
    assert again(world, given).session.tenant == "acme"


def test_who_belongs_nowhere_signs_in_to_their_account_alone(world: World) -> None:
    given = begin(world.engine, user_named(world.engine), None)
    found = authenticate(world.engine, bearer(given)["Authorization"])
    assert (given.member, found.tenant, found.permissions) == (None, given.user.id, ACCOUNT)
    joined(world.engine, given.user, "viewer", "acme")
    after = again(world, given)
    assert authenticate(world.engine, bearer(after)["Authorization"]).tenant == "acme"


def test_a_sign_in_names_its_tenant_or_gets_the_one_that_was_joined_first(world: World) -> None:
    user = user_named(world.engine)
    for number, tenant in enumerate(("second", "first")):
        for put in member_puts(Member(tenant, user.id, "viewer", 5 - number)):
            world.db.catalog.write(put)
    assert begin(world.engine, user, None).session.tenant == "first"
    assert begin(world.engine, user, "second").session.tenant == "second"


def test_a_sign_in_during_a_change_of_the_password_comes_too_late(world: World) -> None:
    user = user_named(world.engine)
    joined(world.engine, user)
    world.db.catalog.write(Update(user_key(user.id), set={"password": "another"}))
    with pytest.raises(BadCredentials):
        begin(world.engine, user, None)


def test_a_user_who_is_deleted_meanwhile_is_not_let_in(world: World) -> None:
    given = signed_in(world.engine)
    world.db.catalog.write(Delete(user_key(given.user.id)))
    with pytest.raises(BadCredentials):
        begin(world.engine, given.user, None)
    with pytest.raises(BadRefreshToken):
        again(world, given)


def test_all_sessions_but_one_are_ended_and_other_users_keep_theirs(world: World) -> None:
    given = [signed_in(world.engine) for _ in range(3)]
    other = signed_in(world.engine, email="eve@example.com")
    assert end_all(world.engine, given[0].user.id, but=given[1].session.id) == 2
    assert [each.id for each in sessions_of(world.engine, given[0].user.id)] == [given[1].session.id]
    assert end_all(world.engine, given[0].user.id) == 1
    assert again(world, other)


def test_what_is_not_there_cannot_be_ended(world: World) -> None:
    given = signed_in(world.engine)
    assert not end(world.engine, "user_other", given.session.id)
    assert again(world, given)
