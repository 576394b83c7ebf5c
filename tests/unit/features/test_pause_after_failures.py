"""Failures in a row pause a job: whatever is lost, doubled or killed on the way, each end counts once."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.job import Job
from chalicelib.domain.outcome import Failed, Outcome, Succeeded
from chalicelib.domain.run import Run, RunStatus
from chalicelib.engine.ledger.streak import streak_key
from chalicelib.engine.message import Delivery, decode
from chalicelib.engine.records import decode_job, encode_job, job_key
from chalicelib.ports.table import Put
from tests.support.api import ApiClient
from tests.support.interference import Interfered, interfered
from tests.support.world import TENANT, World

ONCE_ONLY = {"retry": {"max_attempts": 1}}
EACH_MINUTE = {"type": "dummy", "config": {}, "schedule": "* * * * *", **ONCE_ONLY}


class Killed(BaseException):
    """The end of a worker, at any instruction."""


def fails(_job: object, _run: object) -> Outcome:
    return Failed("http_5xx", "The answer was 503.", 503)


def times_out(_job: object, _run: object) -> Outcome:
    return Failed("timeout", "The attempt's time was up.")


def succeeds(_job: object, _run: object) -> Outcome:
    return Succeeded({})


def dies(_job: object, _run: object) -> Outcome:
    raise Killed


def in_turn(world: World, *outcomes: Callable[[Job, Run], Outcome]) -> Callable[[Job, Run], Outcome]:
    """The first attempt ends like the first of these, and so on."""

    def outcome(job: Job, run: Run) -> Outcome:
        return outcomes[len(world.executed) - 1](job, run)

    return outcome


@pytest.fixture
def world() -> World:
    world = World()
    world.outcome = fails
    return world


@pytest.fixture
def db(world: World) -> Interfered:
    return interfered(world)


@pytest.fixture
def api(world: World, db: Interfered) -> ApiClient:
    return ApiClient(world.engine)


@pytest.fixture
def url(api: ApiClient) -> str:
    """A job that three failures in a row pause."""
    return f"/jobs/{api.create(**EACH_MINUTE, pause_after_failures=3)['id']}"


def failures(world: World, url: str) -> int:
    item = world.db.runs.get(streak_key(TENANT, url.rpartition("/")[2]))
    return int(item["failures"]) if item else 0


def rung(world: World, minute: int) -> str:
    """The message of this minute's occurrence, taken off the queue as it becomes visible."""
    world.tick()
    world.clock.ms += 60_000
    [body] = [body for body in world.queue.take_visible() if decode(body).due_ms <= world.clock.now_ms()]
    assert decode(body).due_ms == world.clock.now_ms(), minute
    return body


def test_failures_in_a_row_pause_the_job_with_a_note(api: ApiClient, world: World, url: str) -> None:
    world.advance(600)
    assert len(world.executed) == 3
    shown = api.get(url).json
    last = world.executed[-1][0].id
    assert (shown["status"], shown["pause"]["cause"]) == ("paused", "failures")
    assert shown["pause"]["note"] == f"3 failures in a row; the last was {last}."


def test_the_pause_is_a_revision_that_nobody_asked_for(api: ApiClient, world: World, url: str) -> None:
    world.advance(600)
    latest = api.get(f"{url}/revisions").json["items"][0]
    assert (latest["revision"], latest["status"], latest["saved_by"]) == (2, "paused", "chronos")
    assert latest["changed"] == ["/pause_note", "/status"]


def test_a_success_ends_the_row(api: ApiClient, world: World, url: str) -> None:
    world.outcome = in_turn(world, fails, fails, succeeds, times_out, fails, times_out)
    world.advance(300)
    assert (api.get(url).json["status"], failures(world, url)) == ("active", 2)
    world.advance(300)
    assert (api.get(url).json["status"], len(world.executed)) == ("paused", 6)


def test_an_attempt_that_is_followed_by_another_is_no_failure(api: ApiClient, world: World) -> None:
    retry = {"max_attempts": 5, "strategy": "fixed", "initial_delay_seconds": 1, "jitter": "none"}
    once = {"kind": "once", "at": "2027-01-15T12:01:00Z"}
    job = api.create(type="dummy", config={}, schedule=once, retry=retry, pause_after_failures=2)
    world.advance(90)
    assert len(world.executed) == 5
    assert (failures(world, f"/jobs/{job['id']}"), api.get(f"/jobs/{job['id']}").json["status"]) == (
        1,
        "active",
    )


@pytest.mark.parametrize("outcome", [fails, succeeds])
def test_triggers_neither_count_nor_end_the_row(
    api: ApiClient, world: World, url: str, outcome: Callable[[Job, Run], Outcome]
) -> None:
    world.advance(121)
    world.outcome = outcome
    for _ in range(3):
        api.post(f"{url}/trigger")
    world.deliver()
    assert (api.get(url).json["status"], failures(world, url)) == ("active", 2)


def test_a_resumed_job_begins_a_new_row(api: ApiClient, world: World, url: str) -> None:
    world.advance(300)
    shown = api.post(f"{url}/resume").json
    assert (shown["status"], shown["pause"], failures(world, url)) == ("active", None, 0)
    world.advance(600)
    assert (api.get(url).json["status"], failures(world, url)) == ("paused", 3)


def test_a_row_ends_when_another_number_is_asked_for(api: ApiClient, world: World, url: str) -> None:
    world.advance(121)
    api.patch(url, {"pause_after_failures": 1})
    assert failures(world, url) == 0
    world.advance(60)
    assert api.get(url).json["status"] == "paused"


def test_a_job_that_does_not_ask_for_it_counts_nothing(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**EACH_MINUTE)['id']}"
    world.advance(600)
    assert (len(world.executed), failures(world, url)) == (10, 0)


def test_a_job_that_rests_keeps_its_own_note(api: ApiClient, world: World, url: str) -> None:
    def pause(_job: object, _run: object) -> Outcome:
        if len(world.executed) == 3:
            api.post(f"{url}/pause", {"note": "mine"})
        return fails(_job, _run)

    world.outcome = pause
    world.advance(300)
    assert (api.get(url).json["pause"]["note"], failures(world, url)) == ("mine", 3)


def test_a_deleted_job_leaves_no_count_that_lasts(api: ApiClient, world: World, url: str) -> None:
    world.advance(61)
    api.delete(url)
    item = world.db.runs.get(streak_key(TENANT, url.rpartition("/")[2]))
    assert item
    assert int(item["expires_at"]) <= world.clock.now_ms() // 1000


@pytest.mark.parametrize("failure", [1, 2, 3])
def test_an_end_whose_answer_was_lost_counts_once(
    api: ApiClient, world: World, db: Interfered, url: str, failure: int
) -> None:
    def lose(_job: object, _run: object) -> Outcome:
        db.lost = 2 if len(world.executed) == failure else 0
        return fails(_job, _run)

    world.outcome = lose
    world.advance(600)
    assert (len(world.executed), failures(world, url)) == (3, 3)
    assert api.get(url).json["pause"]["cause"] == "failures"
    assert not [line for line in world.telemetry.lines if "too late" in line[1]]


def test_a_message_that_comes_again_counts_once(world: World, url: str) -> None:
    body = rung(world, 1)
    for number in range(3):
        world.worker.work([Delivery(str(number), body)], deadline=world.clock.monotonic() + 60)
    assert (len(world.executed), failures(world, url)) == (1, 1)


def test_a_run_whose_workers_keep_dying_counts_once(api: ApiClient, world: World, url: str) -> None:
    api.patch(url, {"pause_after_failures": 1, "timeout_seconds": 1})
    body = rung(world, 1)
    world.outcome = dies
    for _ in range(6):
        try:
            world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
        except Killed:
            world.clock.ms += 60_000
    [run] = [run for run in world.runs() if run.status is RunStatus.FAILED]
    assert (run.attempts[0].outcome, failures(world, url)) == ("lost", 1)
    assert api.get(url).json["pause"]["cause"] == "failures"


def test_a_run_that_the_queue_gave_up_counts_once(api: ApiClient, world: World, url: str) -> None:
    api.patch(url, {"pause_after_failures": 1})
    body = rung(world, 1)
    assert world.bury(body) == world.bury(body) == []
    assert failures(world, url) == 1
    assert api.get(url).json["pause"]["cause"] == "failures"


def test_a_worker_that_dies_before_it_records_counts_when_its_successor_does(
    api: ApiClient, world: World, db: Interfered, url: str
) -> None:
    """The end, the count and the pause are one transaction: there is no moment between them."""
    api.patch(url, {"pause_after_failures": 1, "timeout_seconds": 1})
    body = rung(world, 1)

    def die() -> None:
        raise Killed

    db.before, db.times = die, 1
    with pytest.raises(Killed):
        world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    assert (failures(world, url), api.get(url).json["status"]) == (0, "active")
    world.clock.ms += 60_000
    world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 60)
    assert (len(world.executed), failures(world, url), api.get(url).json["status"]) == (2, 1, "paused")


def test_an_edit_that_comes_between_is_not_undone_by_the_pause(
    api: ApiClient, world: World, db: Interfered, url: str
) -> None:
    key = job_key(TENANT, url.rpartition("/")[2])

    def rename() -> None:
        job = decode_job(db.catalog.items[key])
        theirs = job.model_copy(update={"name": "theirs", "revision": job.revision + 1})
        db.catalog.write(Put(encode_job(theirs)))

    world.advance(121)
    db.before, db.times = rename, 1
    world.advance(60)
    shown = api.get(url).json
    assert (shown["name"], shown["status"], failures(world, url)) == ("theirs", "paused", 3)


def test_two_ends_of_one_moment_both_count(world: World, db: Interfered, url: str) -> None:
    """Another failure is counted between the reading of the count and the writing."""
    pk, sk = streak_key(TENANT, url.rpartition("/")[2])
    db.before = lambda: db.runs.write(Put({"pk": pk, "sk": sk, "failures": 1}))
    db.times = 1
    world.advance(61)
    assert failures(world, url) == 2


def test_a_zombie_counts_nothing(world: World, url: str) -> None:
    body = rung(world, 1)

    def freeze(_job: Any, _run: Any) -> Outcome:
        world.clock.ms += 100_000
        world.outcome = succeeds
        world.worker.work([Delivery("2", body)], deadline=world.clock.monotonic() + 60)
        return fails(_job, _run)

    world.outcome = freeze
    world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 200)
    assert failures(world, url) == 0
    assert any("too late" in sentence for _, sentence, _ in world.telemetry.lines)


def test_a_table_that_stays_away_lets_the_message_come_again(world: World, db: Interfered, url: str) -> None:
    body = rung(world, 1)

    def fail() -> None:
        raise Unavailable("DynamoDB did not answer.")

    db.before, db.times = fail, 1000
    again = world.worker.work([Delivery("1", body)], deadline=world.clock.monotonic() + 5)
    assert (again, failures(world, url)) == (["1"], 0)
