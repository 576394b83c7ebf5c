"""How often something may be tried: the waits, what is counted together, and many at the same moment."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chalicelib.domain.errors import TooManyAttempts
from chalicelib.identity.attempts import (
    ACCOUNT,
    ADDRESS,
    ASKING,
    MAIL,
    Tried,
    counted,
    network_of,
    next_try,
    take,
)
from chalicelib.ports.table import ConditionFailed, Item, Put, Write
from tests.support.memory import MemoryTable
from tests.support.world import NOON, World

LIMITS = pytest.mark.parametrize("limit", [ACCOUNT, ADDRESS, ASKING, MAIL], ids=lambda limit: limit.name)


@LIMITS
@given(pauses=some.lists(some.integers(0, 5_000_000), max_size=60))
def test_nobody_tries_before_the_wait_is_over_and_no_wait_is_too_long(
    limit: object, pauses: list[int]
) -> None:
    tried, now_ms = None, NOON
    for pause in pauses:
        now_ms += pause
        found = next_try(limit, tried, now_ms)  # type: ignore[arg-type]
        if isinstance(found, int):
            assert tried is not None
            assert 0 < found == tried.until_ms - now_ms
            assert found <= limit.longest_ms  # type: ignore[attr-defined]
        else:
            assert tried is None or now_ms >= tried.until_ms
            tried = found


def test_so_many_guesses_are_possible_in_a_day() -> None:
    tried, now_ms, guesses = None, NOON, 0
    while now_ms < NOON + 86_400_000:
        found = next_try(ACCOUNT, tried, now_ms)
        assert isinstance(found, Tried)
        tried, guesses = found, guesses + 1
        now_ms = max(now_ms + 1, tried.until_ms)
    assert guesses < 120, "of an account, from anywhere"


@pytest.mark.parametrize(
    ("one", "other", "are_together"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8:1:2::7", "2001:0db8:1:2:ffff::8", True),
        ("2001:db8:1:2::7", "2001:db8:1:3::7", False),
        ("unix", "unix", True),
    ],
)
def test_addresses_are_counted_together_as_their_owners_have_them(
    one: str, other: str, are_together: bool
) -> None:
    assert (network_of(one) == network_of(other)) is are_together


def test_without_an_address_nothing_is_counted() -> None:
    world = World()
    assert [counted(world.engine, ADDRESS, "") for _ in range(300)] == [0] * 300


def test_what_is_stored_names_nobody() -> None:
    world = World()
    take(world.engine, ACCOUNT, "ada@example.com")
    assert "ada" not in str(world.db.catalog.items)


class Crowded(MemoryTable):
    """Others write first, `times` times."""

    times = 0

    def write(self, write: Write) -> Item:
        if isinstance(write, Put) and self.times:
            self.times -= 1
            raise ConditionFailed(None)
        return super().write(write)


@pytest.mark.parametrize(("times", "is_let_on"), [(1, True), (3, True), (4, False), (100, False)])
def test_many_at_the_same_moment_are_counted_or_sent_away(times: int, is_let_on: bool) -> None:
    world = World()
    table = world.db.catalog = Crowded()
    table.times = times
    if is_let_on:
        take(world.engine, ACCOUNT, "ada@example.com")
        assert len(table.items) == 1
    else:
        with pytest.raises(TooManyAttempts):
            take(world.engine, ACCOUNT, "ada@example.com")
