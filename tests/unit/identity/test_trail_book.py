"""Writing the trail: nothing is lost when a process dies or a table does not answer, and two at once both get in."""

import json
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.engine.running.signing import keys_of
from chalicelib.identity.trail.book import GRACE_MS, MAX_HEADS, TRIES, Book
from chalicelib.identity.trail.entries import Opened, Outcome
from chalicelib.identity.trail.reading import entries, verified
from chalicelib.ports.table import TableName, Write
from tests.support.memory import MemoryDatabase
from tests.support.world import NOON, SIGNING_KEYS, TENANT, World

DONE = Outcome("done", 201)


class Troubled(MemoryDatabase):
    """Refuses, or loses the answers of, the next transactions; `meanwhile` goes on just before the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.refused, self.lost = 0, 0
        self.meanwhile: Any = None

    def transact(self, *writes: tuple[TableName, Write]) -> None:  # type: ignore[override]
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        if self.refused:
            self.refused -= 1
            raise Unavailable("DynamoDB did not answer.")
        super().transact(*writes)
        if self.lost:
            self.lost -= 1
            raise Unavailable("DynamoDB did not answer.")


@pytest.fixture
def world() -> World:
    world = World()
    world.db = Troubled()
    object.__setattr__(world.engine, "db", world.db)
    return world


def opened(world: World, name: str, tenant: str = TENANT) -> Opened:
    return Opened(f"event_{name}", tenant, world.clock.now_ms(), "key_a", f"POST /{name}")


def begun(world: World, name: str, book: Book | None = None) -> Opened:
    record = opened(world, name)
    (book or Book()).begin(world.engine, record)
    return record


def trail(world: World) -> list[tuple[str, str]]:
    """What is sealed: operation and outcome, the chain being good."""
    now_s = world.clock.now_ms() // 1000
    found, is_over = verified(world.db, TENANT, keys_of(SIGNING_KEYS), now_s=now_s, anchor=None, limit=100)
    assert (found.problem, is_over) == (None, True)
    rows, _ = entries(world.engine, TENANT, after=None, limit=100, oldest_first=True)
    return [(row["operation"], row["outcome"]) for row in (json.loads(each.text) for each in rows)]


def left(world: World) -> list[str]:
    return [sk for pk, sk in world.db.catalog.items if pk == f"{TENANT}#trail" and sk != "head"]


def test_records_are_sealed_in_the_order_of_their_ends(world: World) -> None:
    book = Book()
    first, second = begun(world, "a", book), begun(world, "b", book)
    book.close(world.engine, second, DONE)
    book.close(world.engine, first, Outcome("failed", 503))
    assert trail(world) == [("POST /b", "done"), ("POST /a", "failed")]
    assert left(world) == []


def test_a_record_of_nothing_is_dropped(world: World) -> None:
    Book().drop(world.engine, begun(world, "a"))
    assert (trail(world), left(world)) == ([], [])


def test_without_a_begun_record_nothing_may_be_changed(world: World) -> None:
    def fail(_write: Write) -> Any:
        raise Unavailable("DynamoDB did not answer.")

    object.__setattr__(world.db.catalog, "write", fail)
    with pytest.raises(Unavailable):
        begun(world, "a")


def test_what_a_dead_process_left_open_is_sealed_as_unknown_when_its_time_is_over(world: World) -> None:
    begun(world, "a")
    world.clock.ms = NOON + GRACE_MS - 1
    Book().seal_left(world.engine, TENANT)
    assert trail(world) == []
    world.clock.ms = NOON + GRACE_MS + 1
    Book().seal_left(world.engine, TENANT)
    assert trail(world) == [("POST /a", "unknown")]
    assert left(world) == []


@pytest.mark.parametrize("trouble", ["refused", "lost"])
def test_a_record_that_cannot_be_sealed_keeps_its_outcome_and_is_sealed_once(
    world: World, trouble: str
) -> None:
    setattr(world.db, trouble, 1)
    Book().close(world.engine, begun(world, "a"), DONE)
    assert any("sealed later" in sentence for _, sentence, _ in world.telemetry.lines)
    Book().seal_left(world.engine, TENANT)
    assert trail(world) == [("POST /a", "done")]


def test_a_record_that_somebody_else_has_sealed_is_there_once(world: World) -> None:
    record = begun(world, "a")
    world.clock.ms += GRACE_MS + 1
    world.db.meanwhile = lambda: Book().seal_left(world.engine, TENANT)  # type: ignore[attr-defined]
    Book().close(world.engine, record, DONE)
    assert trail(world) == [("POST /a", "unknown")]


def test_of_two_at_once_the_slower_follows_on_the_faster(world: World) -> None:
    book, other = Book(), Book()
    for name in ("a", "b"):
        book.close(world.engine, begun(world, name), DONE)
        other.close(world.engine, begun(world, f"o{name}"), DONE)
    world.db.meanwhile = lambda: other.close(world.engine, begun(world, "m"), DONE)  # type: ignore[attr-defined]
    book.close(world.engine, begun(world, "c"), DONE)
    assert [name for name, _ in trail(world)] == [f"POST /{n}" for n in ("a", "oa", "b", "ob", "m", "c")]


def test_who_is_always_too_late_leaves_the_record_to_others(world: World) -> None:
    record, other = begun(world, "late"), Book()
    turns = iter(range(TRIES))

    def faster() -> None:
        number = next(turns)
        other.close(world.engine, begun(world, f"n{number}"), DONE)
        if number < TRIES - 1:
            world.db.meanwhile = faster  # type: ignore[attr-defined]

    world.db.meanwhile = faster  # type: ignore[attr-defined]
    Book().close(world.engine, record, DONE)
    assert ("POST /late", "done") not in trail(world)
    Book().seal_left(world.engine, TENANT)
    assert trail(world)[-1] == ("POST /late", "done")


def test_a_head_that_is_behind_is_passed(world: World) -> None:
    Book().close(world.engine, begun(world, "a"), DONE)
    head = dict(world.db.catalog.items[f"{TENANT}#trail", "head"])
    Book().close(world.engine, begun(world, "b"), DONE)
    world.db.catalog.items[f"{TENANT}#trail", "head"] = head
    Book().close(world.engine, begun(world, "c"), DONE)
    assert [name for name, _ in trail(world)] == ["POST /a", "POST /b", "POST /c"]


def test_without_the_keys_nothing_is_sealed_unsigned(world: World) -> None:
    world.secrets.failures.append(Unavailable("SSM did not answer."))
    Book().close(world.engine, begun(world, "a"), DONE)
    assert trail(world) == []
    Book().seal_left(world.engine, TENANT)
    assert trail(world) == [("POST /a", "done")]


def test_a_book_remembers_only_so_many_ends(world: World) -> None:
    book = Book()
    for number in range(MAX_HEADS + 1):
        book.tell(world.engine, opened(world, "a", f"t{number}"), Outcome("refused", 403))
    assert len(book._heads) == MAX_HEADS
    assert "t0" not in book._heads
