"""A run has a place in a gate's queue as long as its record says so, whoever else is at work on it."""

from dataclasses import dataclass, replace

import pytest

from chalicelib.domain.run import FINAL, Run, RunStatus
from chalicelib.engine.flow.gate_records import place_item, place_name, rank, slot_item
from chalicelib.engine.flow.gatekeeper import Gatekeeper
from chalicelib.engine.flow.gates import Gate
from chalicelib.engine.flow.limits import KnownLimits
from chalicelib.engine.ledger import record
from chalicelib.engine.message import RunMessage
from chalicelib.engine.records import encode_run
from chalicelib.ports.table import ConditionFailed, Put, Update
from tests.support.limited import at, limit
from tests.support.world import NOON, TENANT, World

GATE, OTHER = Gate(TENANT, "tenant", 1), "target:a#wait#1#elsewhere"


@dataclass
class Waiting:
    """A run in the queue of the tenant's gate."""

    world: World
    message: RunMessage
    place: str
    keeper: Gatekeeper

    @property
    def run(self) -> Run:
        return self.world.run(self.message.run_id)

    @property
    def has_its_place(self) -> bool:
        return (GATE.partition, rank("normal", self.message)) in self.world.db.runs.items

    def write(self, run: Run) -> None:
        """The record as another worker has left it."""
        self.world.db.runs.items[record.run_key(TENANT, run.id)] = encode_run(run, expires_at=NOON)


@pytest.fixture
def waiting() -> Waiting:
    world = World()
    limit(world.db, tenant={"concurrency": 1})
    job = world.job(at(10))
    message = RunMessage(TENANT, job.id, 1, "run_" + "0" * 26, NOON, NOON, called="tenant")
    place = place_name(GATE, rank("normal", message))
    world.db.runs.write(Put(place_item(GATE, rank("normal", message), message, "fast", NOON)))
    world.db.runs.write(record.waiting(message, None, place, NOON))
    return Waiting(world, message, place, Gatekeeper(world.engine, KnownLimits(world.engine)))


def started(existing: Run) -> Update:
    return record.takeover(
        replace(existing, status=RunStatus.RUNNING, attempt=1, fence=1, waits=None), existing
    )


def moved(existing: Run) -> Update:
    message = RunMessage(TENANT, existing.job_id, 1, existing.id, NOON, NOON)
    written = record.waiting(message, existing, "target:b#wait#1#elsewhere", NOON)
    assert isinstance(written, Update)
    return written


def put_aside(existing: Run) -> Update:
    return record.left_place(existing, NOON)


CHANGES = pytest.mark.parametrize("change", [started, moved, put_aside])


@CHANGES
@pytest.mark.parametrize("elsewhere", [OTHER, None])
def test_who_does_not_know_where_a_run_waits_by_now_changes_nothing(
    waiting: Waiting, change: object, elsewhere: str | None
) -> None:
    known = waiting.run
    waiting.write(replace(known, waits=elsewhere))
    with pytest.raises(ConditionFailed):
        waiting.world.db.runs.write(change(known))  # type: ignore[operator]
    assert waiting.run.waits == elsewhere


@CHANGES
def test_who_knows_where_it_waits_may_change_that(waiting: Waiting, change: object) -> None:
    waiting.world.db.runs.write(change(waiting.run))  # type: ignore[operator]
    assert waiting.run.waits != waiting.place


def test_who_takes_a_run_for_one_that_is_over_leaves_its_place_to_it(waiting: Waiting) -> None:
    waiting.keeper.leave([waiting.run])
    assert waiting.has_its_place
    assert waiting.run.waits == waiting.place


@pytest.mark.parametrize("status", FINAL)
def test_a_run_that_is_over_waits_nowhere(waiting: Waiting, status: RunStatus) -> None:
    waiting.write(replace(waiting.run, status=status))
    waiting.keeper.leave([waiting.run])
    assert not waiting.has_its_place
    assert waiting.run.waits is None


@pytest.mark.parametrize(
    ("fence", "is_left", "why"), [(0, True, "it was handed over"), (1, False, "it has begun")]
)
def test_a_slot_is_given_back_by_nobody_who_has_not_seen_the_start(
    waiting: Waiting, fence: int, is_left: bool, why: str
) -> None:
    slot = slot_item(GATE.partition, 0, waiting.run.id, fence, NOON + 61_000)
    waiting.world.db.runs.write(Put(slot))
    waiting.keeper.leave([waiting.run])
    held = waiting.world.db.runs.items.get((GATE.partition, str(slot["sk"])), {})
    assert (held.get("until_ms") != NOON + 61_000) == is_left, why


def test_who_comes_too_late_for_an_attempt_leaves_the_place_of_the_next_one(waiting: Waiting) -> None:
    next_one = replace(waiting.message, attempt=2)
    waiting.world.db.runs.write(Put(place_item(GATE, rank("normal", next_one), next_one, "fast", NOON)))
    waiting.keeper.forget(waiting.message)
    assert waiting.has_its_place
    waiting.keeper.forget(next_one)
    assert not waiting.has_its_place


def test_an_attempt_that_is_over_gives_up_the_place_in_which_it_still_waits(waiting: Waiting) -> None:
    waiting.write(replace(waiting.run, status=RunStatus.RETRYING, attempt=1))
    waiting.keeper.leave_late(waiting.message, waiting.run)
    assert not waiting.has_its_place
    assert waiting.run.waits is None


@pytest.mark.parametrize("called", ["target:a", ""])
def test_a_call_to_elsewhere_gives_up_no_place(waiting: Waiting, called: str) -> None:
    waiting.keeper.leave_late(replace(waiting.message, called=called), waiting.run)
    assert waiting.has_its_place
    assert waiting.run.waits == waiting.place


def test_the_place_of_the_next_attempt_is_not_given_up(waiting: Waiting) -> None:
    waiting.keeper.leave_late(replace(waiting.message, attempt=0), waiting.run)
    assert waiting.has_its_place
    assert waiting.run.waits == waiting.place
