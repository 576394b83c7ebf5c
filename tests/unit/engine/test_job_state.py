"""A job's state: written on condition of its version, gone with the job, and no lost answer counts as another's."""

from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.ledger.job_state import KEPT_DAYS, MAX_BYTES, StoredJobState, state_key
from chalicelib.ports.job_state import StateMoved
from chalicelib.ports.table import Item, Write
from tests.support.api import ApiClient
from tests.support.world import NOON, TENANT, World

JOB = "job_1"


def state_of(world: World, *, job: str = JOB, run: str = "run_1", fence: int = 1) -> StoredJobState:
    found = Run(run, TENANT, job, RunStatus.RUNNING, "manual", NOON, NOON, 1, fence=fence)
    return StoredJobState(world.engine, found)


def test_a_job_without_a_state_has_an_empty_one() -> None:
    assert state_of(World()).read() == ({}, 0)


def test_what_a_run_writes_a_later_one_reads() -> None:
    world = World()
    assert state_of(world).write({"at": "ä", "rows": [1.5, None]}, 0) == 1
    later = state_of(world, run="run_2")
    assert later.read() == ({"at": "ä", "rows": [1.5, None]}, 1)
    assert later.write({}, 1) == 2


@pytest.mark.parametrize(("version", "why"), [(0, "there is one"), (2, "it is ahead")])
def test_another_version_than_the_stored_one_is_refused(version: int, why: str) -> None:
    world = World()
    state_of(world).write({"at": 1}, 0)
    with pytest.raises(StateMoved):
        state_of(world, run="run_2").write({"at": 2}, version)
    assert state_of(world).read() == ({"at": 1}, 1), why


def test_each_job_has_its_own() -> None:
    world = World()
    state_of(world).write({"at": 1}, 0)
    assert state_of(world, job="job_2").read() == ({}, 0)


def test_a_repeated_write_whose_first_answer_was_lost_has_succeeded() -> None:
    world = World()
    write = world.db.runs.write

    def repeated(each: Write) -> Item:
        write(each)
        return write(each)

    world.db.runs.write = repeated  # type: ignore[method-assign]
    assert state_of(world).write({"at": 1}, 0) == 1


def test_the_same_words_of_another_start_are_another_write() -> None:
    world = World()
    state_of(world).write({"at": 1}, 0)
    with pytest.raises(StateMoved):
        state_of(world, fence=2).write({"at": 1}, 0)


@pytest.mark.parametrize(
    ("document", "why"),
    [({"a": "x" * MAX_BYTES}, "too large"), ({"a": float("nan")}, "JSON has no NaN")],
)
def test_what_cannot_be_kept_is_refused(document: dict[str, Any], why: str) -> None:
    world = World()
    with pytest.raises(ValueError):
        state_of(world).write(document, 0)
    assert state_of(world).read() == ({}, 0), why


def test_tables_that_are_away_are_told() -> None:
    world = World()

    def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("DynamoDB did not answer.")

    world.db.runs.get = world.db.runs.write = away  # type: ignore[method-assign]
    for call in (lambda: state_of(world).read(), lambda: state_of(world).write({}, 0)):
        with pytest.raises(Unavailable):
            call()


def test_the_state_goes_with_its_job_and_what_is_left_of_it_expires() -> None:
    world = World()
    api = ApiClient(world.engine)
    job = api.post("/jobs", {"name": "a", "type": "dummy", "schedule": {"kind": "manual"}}).json["id"]
    state_of(world, job=job).write({"at": 1}, 0)
    item = world.db.runs.items[state_key(TENANT, job)]
    assert item["expires_at"] == NOON // 1000 + KEPT_DAYS * 86_400
    assert api.delete(f"/jobs/{job}").status == 204
    assert state_of(world, job=job).read() == ({}, 0)
