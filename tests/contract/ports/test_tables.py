"""What every Database promises: the twin, DynamoDB as moto, as the tests of faults and as the emulator know it."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.aws.dynamodb import AwsDatabase
from chalicelib.ports.fan import one_by_one
from chalicelib.ports.table import (
    PRESENT,
    Absent,
    Below,
    Check,
    ConditionFailed,
    Database,
    Delete,
    Is,
    Item,
    Lacks,
    Put,
    Update,
    all_of,
    any_of,
)
from infra.local.fixtures import Stack
from tests.faults.wire import Wire
from tests.support.aws import create_tables, emulated, moto
from tests.support.memory import FakeClock, MemoryDatabase
from tests.support.moto_wire import MotoAws

COUNT = itertools.count()


def never(_seconds: float) -> None:
    raise AssertionError("nothing is throttled here")


@pytest.fixture
def moto_client() -> Iterator[Any]:
    with moto() as client:
        yield client("dynamodb")


@pytest.fixture
def emulator_dynamodb(stack: Stack) -> Any:
    return emulated("dynamodb", stack.aws)


@pytest.fixture(params=["twin", "moto", "wire", pytest.param("emulator", marks=pytest.mark.e2e)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def db(kind: str, request: pytest.FixtureRequest) -> Database:
    if kind == "twin":
        return MemoryDatabase()
    if kind == "wire":
        aws = MotoAws(FakeClock(), {})
        client = Wire(aws, FakeClock()).client("dynamodb")
        return AwsDatabase(client, aws.names, one_by_one, never)  # type: ignore[arg-type]
    client = request.getfixturevalue("moto_client" if kind == "moto" else "emulator_dynamodb")
    names = create_tables(client, prefix=f"contract-{next(COUNT)}")
    return AwsDatabase(client, names, one_by_one, never)  # type: ignore[arg-type]


def item(sk: str, pk: str = "t", **values: str | int | bytes) -> Item:
    return {"pk": pk, "sk": sk, **values}


def test_what_was_put_is_read_back_whatever_its_type(db: Database) -> None:
    stored = item("a", text="ü", number=-42, raw=b"\x00\xff")
    assert db.runs.write(Put(stored)) == stored
    assert db.runs.get(("t", "a")) == stored
    assert db.runs.get(("t", "b")) is None


def test_a_put_when_absent_is_refused_beside_an_existing_item_and_shows_it(db: Database) -> None:
    db.runs.write(Put(item("a", owner="first"), Absent()))
    with pytest.raises(ConditionFailed) as refused:
        db.runs.write(Put(item("a", owner="second"), Absent()))
    assert refused.value.existing == item("a", owner="first")


CONDITIONS = [
    (Is("status", "RUNNING"), True, "equal"),
    (Is("status", "FAILED"), False, "another value"),
    (Is("owner", "x"), False, "no such attribute"),
    (Below("lease", 11), True, "smaller"),
    (Below("lease", 10), False, "equal is not smaller"),
    (Below("nothing", 10), False, "no such attribute is not smaller"),
    (PRESENT, True, "there is an item"),
    (Absent(), False, "there is an item"),
    (all_of(Is("status", "RUNNING"), Below("lease", 11)), True, "both hold"),
    (all_of(Is("status", "RUNNING"), Below("lease", 1)), False, "one does not"),
    (Lacks("nothing"), True, "no such attribute"),
    (Lacks("status"), False, "there is one"),
    (all_of(Is("lease", 10), Lacks("nothing")), True, "both hold"),
    (any_of(Absent(), Is("status", "RUNNING")), True, "one holds"),
    (any_of(Absent(), all_of(Is("status", "x"), PRESENT)), False, "none holds"),
]


@pytest.mark.parametrize(("condition", "holds", "_reason"), CONDITIONS)
def test_an_update_happens_only_if_its_condition_holds(
    db: Database, condition: Any, holds: bool, _reason: str
) -> None:
    db.runs.write(Put(item("a", status="RUNNING", lease=10)))
    update = Update(("t", "a"), {"seen": 1}, when=condition)
    if holds:
        db.runs.write(update)
    else:
        with pytest.raises(ConditionFailed) as refused:
            db.runs.write(update)
        assert refused.value.existing == item("a", status="RUNNING", lease=10)
    assert ("seen" in (db.runs.get(("t", "a")) or {})) is holds


def test_a_condition_on_an_absent_item_fails_and_shows_none(db: Database) -> None:
    with pytest.raises(ConditionFailed) as refused:
        db.runs.write(Update(("t", "a"), {"x": 1}, when=PRESENT))
    assert refused.value.existing is None
    assert db.runs.get(("t", "a")) is None


def test_an_update_sets_adds_and_removes_and_returns_the_item(db: Database) -> None:
    db.runs.write(Put(item("a", count=1, old="x")))
    after = db.runs.write(Update(("t", "a"), {"new": "y"}, add={"count": 2, "fresh": 5}, remove=("old",)))
    assert after == item("a", count=3, fresh=5, new="y")
    assert db.runs.get(("t", "a")) == after


def test_a_conditional_delete_spares_what_has_changed(db: Database) -> None:
    db.runs.write(Put(item("a", revision=2)))
    with pytest.raises(ConditionFailed):
        db.runs.write(Delete(("t", "a"), when=Is("revision", 1)))
    db.runs.write(Delete(("t", "a"), when=Is("revision", 2)))
    db.runs.write(Delete(("t", "a")))
    assert db.runs.get(("t", "a")) is None


def test_many_are_put_read_and_deleted_across_the_limits_of_a_call(db: Database) -> None:
    items = [item(f"{n:03d}", n=n) for n in range(130)]
    db.timers.put_all(items)
    keys = [("t", f"{n:03d}") for n in range(140)]
    assert db.timers.get_many(keys + keys) == {("t", str(each["sk"])): each for each in items}
    db.timers.delete_all(keys)
    assert db.timers.get_many(keys) == {}
    db.timers.put_all([])
    db.timers.delete_all([])


RANGES = [
    ({}, ["1", "2", "3", "4"], "the whole partition"),
    ({"low": "2"}, ["2", "3", "4"], "the lower bound belongs to it"),
    ({"high": "3"}, ["1", "2"], "the upper bound does not"),
    ({"low": "2", "high": "4"}, ["2", "3"], "both bounds"),
    ({"high": "4", "backwards": True}, ["3", "2", "1"], "newest first"),
    ({"after": "2"}, ["3", "4"], "past a key"),
    ({"after": "3", "backwards": True}, ["2", "1"], "past a key, backwards"),
]


@pytest.mark.parametrize(("arguments", "expected", "_reason"), RANGES)
def test_a_query_returns_a_range_in_order(
    db: Database, arguments: dict[str, Any], expected: list[str], _reason: str
) -> None:
    db.timers.put_all([item(sk) for sk in "3142"] + [item("9", pk="other")])
    page = db.timers.query("t", **arguments)
    assert [each["sk"] for each in page.items] == expected
    assert page.next is None


def test_a_query_goes_on_where_its_page_ended(db: Database) -> None:
    db.timers.put_all([item(str(n)) for n in range(7)])
    seen: list[str] = []
    after = None
    while True:
        page = db.timers.query("t", limit=3, after=after)
        seen += [str(each["sk"]) for each in page.items]
        after = page.next
        if after is None:
            break
    assert seen == [str(n) for n in range(7)]


def test_an_index_lists_only_what_carries_its_attributes(db: Database) -> None:
    for n in range(5):
        db.runs.write(Put(item(str(n), pk=f"p{n}", job="j")))
    db.runs.write(Put(item("9", pk="p9", job="other")))
    keys, after = db.runs.query_index("by_job", "j", limit=3, backwards=True)
    assert keys == [("p4", "4"), ("p3", "3"), ("p2", "2")]
    rest, end = db.runs.query_index("by_job", "j", limit=3, backwards=True, after=after)
    assert rest == [("p1", "1"), ("p0", "0")]
    assert end is None
    assert db.runs.query_index("dead", "j", limit=3) == ([], None)


def test_an_index_tells_its_own_attributes_in_their_order(db: Database) -> None:
    for n in (2, 0, 1):
        marks: Item = {"shard": "shard#007", "roster": f"t#{n}#1"}
        db.catalog.write(Put(item("job", pk=f"p{n}", doc="{}", **marks)))
    db.catalog.write(Put(item("job", pk="p3", doc="{}")))
    first, after = db.catalog.index_rows("by_shard", "shard#007", limit=2)
    assert first == [{"pk": f"p{n}", "sk": "job", "shard": "shard#007", "roster": f"t#{n}#1"} for n in (0, 1)]
    assert after is not None
    rest, end = db.catalog.index_rows("by_shard", "shard#007", limit=2, after=after)
    assert ([row["pk"] for row in rest], end) == (["p2"], None)


def test_an_item_leaves_a_sparse_index_with_its_attribute(db: Database) -> None:
    db.runs.write(Put(item("a", dead_pk="d", dead_sk="a")))
    assert db.runs.query_index("dead", "d", limit=3)[0] == [("t", "a")]
    db.runs.write(Update(("t", "a"), remove=("dead_pk", "dead_sk")))
    assert db.runs.query_index("dead", "d", limit=3)[0] == []


def test_a_transaction_writes_all_or_nothing_across_tables(db: Database) -> None:
    db.transact(("catalog", Put(item("job"), Absent())), ("timers", Put(item("timer"))))
    with pytest.raises(ConditionFailed) as refused:
        db.transact(("timers", Put(item("second"))), ("catalog", Put(item("job", revision=2), Absent())))
    assert refused.value.existing == item("job")
    assert db.timers.get(("t", "timer")) == item("timer")
    assert db.timers.get(("t", "second")) is None
    db.transact(
        ("catalog", Update(("t", "job"), {"revision": 2}, when=PRESENT)), ("timers", Delete(("t", "timer")))
    )
    assert db.catalog.get(("t", "job")) == item("job", revision=2)
    assert db.timers.get(("t", "timer")) is None


def test_a_check_that_does_not_hold_refuses_a_transaction_and_changes_nothing_itself(db: Database) -> None:
    db.catalog.write(Put(item("calendar", revision=1)))
    stale, present = (Check(("t", "calendar"), Is("revision", number)) for number in (2, 1))
    with pytest.raises(ConditionFailed):
        db.transact(("catalog", stale), ("timers", Put(item("timer"))))
    assert db.timers.get(("t", "timer")) is None
    db.transact(("catalog", present), ("timers", Put(item("timer"))))
    assert db.timers.get(("t", "timer")) == item("timer")
    assert db.catalog.get(("t", "calendar")) == item("calendar", revision=1)


def test_each_of_many_writes_succeeds_or_fails_for_itself(db: Database, kind: str) -> None:
    if kind == "moto":
        pytest.skip("moto cannot parse a PartiQL statement with parameters; the emulator covers it")
    db.runs.write(Put(item("taken", owner="first", status="RUNNING")))
    puts = [Put(item(sk, owner="second", n=1), Absent()) for sk in ("taken", "free", "gap")]
    assert db.runs.write_each(puts) == [False, True, True]
    mine = all_of(Is("status", "RUNNING"), Is("owner", "first"))
    updates = [
        Update(("t", "taken"), {"status": "SUCCEEDED", "attempts": "[]"}, when=mine),
        Update(("t", "free"), {"status": "SUCCEEDED"}, when=mine),
        Update(("t", "nobody"), {"status": "SUCCEEDED"}, when=mine),
    ]
    assert db.runs.write_each(updates) == [True, False, False]
    assert db.runs.get(("t", "taken")) == item("taken", owner="first", status="SUCCEEDED", attempts="[]")
    assert db.runs.get(("t", "free")) == item("free", owner="second", n=1)
    assert db.runs.get(("t", "nobody")) is None


def test_each_of_many_writes_may_only_remove_attributes(db: Database, kind: str) -> None:
    if kind == "moto":
        pytest.skip("moto cannot parse a PartiQL statement with parameters; the emulator covers it")
    marks: Item = {"shard": "s", "roster": "r"}
    for sk, revision in (("a", 1), ("b", 2)):
        db.catalog.write(Put(item(sk, revision=revision, **marks)))
    removals = [Update(("t", sk), remove=tuple(marks), when=Is("revision", 1)) for sk in ("a", "b", "c")]
    assert db.catalog.write_each(removals) == [True, False, False]
    assert db.catalog.get(("t", "a")) == item("a", revision=1)
    assert db.catalog.get(("t", "b")) == item("b", revision=2, **marks)


def test_one_write_alone_keeps_the_same_promise(db: Database) -> None:
    assert db.runs.write_each([Put(item("a"), Absent())]) == [True]
    assert db.runs.write_each([Put(item("a"), Absent())]) == [False]
    assert db.runs.write_each([]) == []
