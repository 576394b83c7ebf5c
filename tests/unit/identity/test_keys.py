"""API keys: what their text says, what is stored of it, and whom it lets in."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.errors import Unauthorized, Unavailable
from chalicelib.identity.access import USED_EVERY_MS, authenticate
from chalicelib.identity.keys import (
    Former,
    Wanted,
    change_write,
    decode_key,
    encode_key,
    key_key,
    minted,
    parsed,
    read_key,
    rotated,
)
from chalicelib.identity.members import Member, member_key, member_puts
from chalicelib.ports.table import Delete, Put, Update, Write
from tests.support.memory import MemoryTable
from tests.support.world import NOON, World

RANDOM = bytes(range(42))


@pytest.fixture
def world() -> World:
    return World()


def given(world: World, **fields: Any) -> tuple[str, str]:
    """The id and the text of a key that is there."""
    wanted = Wanted(**{"tenant": "acme", "name": "ci", "role": "operator", "created_by": "user_1", **fields})
    key, text = minted(wanted, NOON, RANDOM)
    world.engine.db.catalog.write(Put(encode_key(key)))
    return key.id, text


def test_a_key_says_what_it_is_and_names_its_record() -> None:
    key, text = minted(Wanted("acme", "ci", "viewer", "user_1"), NOON, RANDOM)
    shown = parsed(text)
    assert text.startswith("chronos_key_")
    assert shown is not None
    assert ("key_" + shown.ulid, shown.digest) == (key.id, key.digest)


def test_what_is_stored_opens_nothing(world: World) -> None:
    key_id, text = given(world)
    stored = world.engine.db.catalog.get(key_key(key_id))
    assert text.rpartition("_")[2] not in str(stored)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"scopes": frozenset({"jobs:read", "runs:read"})},
        {"scopes": frozenset()},
        {"expires_ms": NOON},
        {"member": "user_1"},
    ],
)
def test_a_key_is_read_as_it_was_written(fields: dict[str, Any]) -> None:
    key, _ = minted(Wanted("acme", "ci", "viewer", "user_1", **fields), NOON, RANDOM)
    for each in (key, replace(key, former=Former("0a", NOON), revision=2)):
        assert decode_key(encode_key(each)) == each


def test_a_key_lets_in_for_its_tenant_with_its_roles_permissions(world: World) -> None:
    key_id, text = given(world, scopes=frozenset({"runs:write", "members:write"}))
    found = authenticate(world.engine, f"Bearer {text}")
    assert (found.tenant, found.actor, found.role) == ("acme", key_id, "operator")
    assert found.permissions == {"runs:write"}, "only what role and scopes both have"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text.replace("chronos_key_0", "chronos_key_1"),
        lambda text: text.lower(),
        lambda text: text + "x",
        lambda text: "chronos_key_",
    ],
    ids=["another secret", "another id", "lower case", "longer", "cut off"],
)
def test_a_spoilt_key_opens_nothing(world: World, spoil: Any) -> None:
    _, text = given(world)
    with pytest.raises(Unauthorized):
        authenticate(world.engine, f"Bearer {spoil(text)}")


def test_a_key_ends_at_its_moment(world: World) -> None:
    _, text = given(world, expires_ms=NOON + 1000)
    assert authenticate(world.engine, f"Bearer {text}")
    world.advance(1)
    with pytest.raises(Unauthorized):
        authenticate(world.engine, f"Bearer {text}")


def test_a_key_that_was_taken_back_opens_nothing_from_then_on(world: World) -> None:
    key_id, text = given(world)
    authenticate(world.engine, f"Bearer {text}")
    world.engine.db.catalog.write(Delete(key_key(key_id)))
    with pytest.raises(Unauthorized):
        authenticate(world.engine, f"Bearer {text}")


def test_the_use_of_a_key_is_noted_now_and_then(world: World) -> None:
    key_id, text = given(world)
    used = []
    for after_ms in (0, USED_EVERY_MS - 1, 1):
        world.advance(after_ms / 1000)
        authenticate(world.engine, f"Bearer {text}")
        key = read_key(world.engine, key_id)
        assert key is not None
        used.append(key.used_ms)
    assert used == [NOON, NOON, NOON + USED_EVERY_MS]


def test_a_members_key_may_what_the_member_may_by_then_and_ends_with_the_membership(world: World) -> None:
    _, text = given(world, role="admin", member="user_1", scopes=frozenset({"jobs:write", "keys:write"}))
    catalog, seen = world.engine.db.catalog, []
    for role in ("owner", "admin", "editor", "viewer"):
        for put in member_puts(Member("acme", "user_1", role, NOON)):
            catalog.write(Put(put.item))
        found = authenticate(world.engine, f"Bearer {text}")
        seen.append((found.role, set(found.permissions)))
    assert seen == [
        ("admin", {"jobs:write", "keys:write"}),
        ("admin", {"jobs:write", "keys:write"}),
        ("editor", {"jobs:write"}),
        ("viewer", set()),
    ]
    catalog.write(Delete(member_key("acme", "user_1")))
    with pytest.raises(Unauthorized):
        authenticate(world.engine, f"Bearer {text}")


def test_a_key_of_a_former_membership_does_not_come_back_with_a_new_one(world: World) -> None:
    _, text = given(world, member="user_1")
    for put in member_puts(Member("acme", "user_1", "owner", NOON + 1)):
        world.engine.db.catalog.write(put)
    with pytest.raises(Unauthorized):
        authenticate(world.engine, f"Bearer {text}")


def test_the_former_text_of_a_key_is_good_until_its_moment_and_only_the_last_one(world: World) -> None:
    key_id, text = given(world)
    texts = [text]
    for secret in (b"a" * 32, b"b" * 32):
        before = read_key(world.engine, key_id)
        assert before is not None
        after, another = rotated(before, world.clock.now_ms(), 5_000, secret)
        world.engine.db.catalog.write(change_write(before, after))
        texts.append(another)

    def good() -> list[bool]:
        return [opens(world, each) for each in texts]

    assert good() == [False, True, True]
    world.advance(5)
    assert good() == [False, False, True]


def opens(world: World, text: str) -> bool:
    try:
        return bool(authenticate(world.engine, f"Bearer {text}"))
    except Unauthorized:
        return False


class Unwritable(MemoryTable):
    """Refuses every update, as a table does that is down."""

    def apply(self, write: Write) -> Any:
        if isinstance(write, Update):
            raise Unavailable("DynamoDB did not answer.")
        return super().apply(write)


def test_a_use_that_cannot_be_noted_keeps_nobody_out(world: World) -> None:
    world.db.catalog = Unwritable()
    _, text = given(world)
    assert authenticate(world.engine, f"Bearer {text}").tenant == "acme"
