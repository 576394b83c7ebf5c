"""Calendars and jobs that change at the same time, and changes that are cut off half way."""

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.domain.errors import Unavailable
from chalicelib.engine.wheel.calendars import calendar_key, uses_of
from chalicelib.engine.wheel.timers import JobTimer, decode_timer
from chalicelib.features.calendars.service import REARM_SECONDS
from chalicelib.features.jobs import timing
from chalicelib.ports.table import Check, TableName, Write
from tests.support.api import ApiClient
from tests.support.interference import is_of_the_trail
from tests.support.memory import MemoryDatabase
from tests.support.world import TENANT, World

DAILY: dict[str, Any] = {"type": "dummy", "config": {}, "schedule": "0 9 16 * *"}
MOVING = {"name": "days", "on_excluded": "next_allowed_day"}


class Interfered(MemoryDatabase):
    """Does something else just before its n-th transaction, those of the audit trail left out."""

    def __init__(self) -> None:
        super().__init__()
        self.plans: dict[int, Callable[[], Any]] = {}
        self.count = 0

    def transact(self, *writes: tuple[TableName, Write | Check]) -> None:
        if not is_of_the_trail(writes):
            self.count += 1
            self.plans.pop(self.count, lambda: None)()
        super().transact(*writes)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def db(world: World) -> Interfered:
    db = Interfered()
    object.__setattr__(world.engine, "db", db)
    return db


@pytest.fixture
def api(world: World, db: Interfered) -> ApiClient:
    client = ApiClient(world.engine)
    client.post("/calendars", {"name": "days", "excluded": {"weekdays": ["SAT", "SUN"]}})
    return client


def next_run(api: ApiClient, job_id: str) -> str:
    return str(api.get(f"/jobs/{job_id}").json["next_run_at"])


def test_a_job_saved_while_its_calendar_changes_is_armed_by_the_change(
    api: ApiClient, db: Interfered, world: World
) -> None:
    db.plans[db.count + 1] = lambda: api.put("/calendars/days", {})
    job = api.create(**DAILY, calendar=MOVING)
    assert job["next_run_at"] == "2027-01-16T09:00:00Z"
    [item] = [item for item in db.timers.items.values() if job["id"] in str(item["sk"])]
    assert str(item["sk"]).startswith("001800090000000#"), "not by the calendar of a moment before"


def test_a_calendar_is_not_deleted_from_under_a_job_that_is_being_saved(
    api: ApiClient, db: Interfered
) -> None:
    db.plans[db.count + 1] = lambda: api.delete("/calendars/days")
    answer = api.post("/jobs", {"name": "x", **DAILY, "calendar": "days"})
    assert (answer.status, answer.pointers) == (422, {"/calendar": "unknown_calendar"})
    assert api.get("/jobs").json["items"] == []


def test_a_job_that_comes_between_a_delete_and_its_last_look_keeps_the_calendar(
    api: ApiClient, db: Interfered, world: World
) -> None:
    looks, query = [0], db.catalog.query

    def interfered(pk: str, **more: Any) -> Any:
        found = query(pk, **more)
        if pk == uses_of(TENANT, "days"):
            looks[0] += 1
            if looks[0] == 1:
                api.create(**DAILY, calendar="days")
        return found

    db.catalog.query = interfered  # type: ignore[method-assign]
    assert api.delete("/calendars/days").status == 409
    after = api.get("/calendars/days")
    assert after.status == 200
    api.create(**DAILY, calendar="days")


def test_a_delete_that_was_cut_off_lets_no_job_begin_and_can_be_repeated(
    api: ApiClient, db: Interfered
) -> None:
    item = db.catalog.items[calendar_key(TENANT, "days")]
    item.update({timing.RETIRED: 1, "revision": 2, "armed": 2})
    assert api.post("/jobs", {"name": "x", **DAILY, "calendar": "days"}).status == 422
    assert api.delete("/calendars/days").status == 204


def test_a_calendar_whose_delete_was_cut_off_comes_back_when_it_is_changed(
    api: ApiClient, db: Interfered
) -> None:
    item = db.catalog.items[calendar_key(TENANT, "days")]
    item.update({timing.RETIRED: 1, "revision": 2, "armed": 2})
    assert api.put("/calendars/days", {}).status == 200
    api.create(**DAILY, calendar="days")


def test_a_change_that_was_cut_off_goes_on_where_it_was(api: ApiClient, db: Interfered) -> None:
    ids = [api.create(**DAILY, calendar=MOVING)["id"] for _ in range(3)]

    def away() -> None:
        raise Unavailable("DynamoDB did not answer.")

    db.plans[db.count + 2] = away
    assert api.put("/calendars/days", {}).status == 503
    assert [api.get(f"/jobs/{each}").json["revision"] for each in ids] == [2, 1, 1]
    assert api.put("/calendars/days", {}).status == 200
    assert [api.get(f"/jobs/{each}").json["revision"] for each in ids] == [2, 2, 2]
    assert {next_run(api, each) for each in ids} == {"2027-01-16T09:00:00Z"}
    before = db.count
    assert api.put("/calendars/days", {}).json["revision"] == 2
    assert db.count == before, "there is nothing left to do"


def test_a_change_of_a_calendar_with_many_jobs_stops_in_time(
    api: ApiClient, db: Interfered, world: World
) -> None:
    ids = [api.create(**DAILY, calendar=MOVING)["id"] for _ in range(3)]

    def slow() -> None:
        world.clock.ms += REARM_SECONDS * 1000

    db.plans[db.count + 1] = slow
    answer = api.put("/calendars/days", {})
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert api.put("/calendars/days", {}).status == 200
    assert [api.get(f"/jobs/{each}").json["revision"] for each in ids] == [2, 2, 2]


def test_a_job_that_is_changed_while_it_is_armed_anew_keeps_both_changes(
    api: ApiClient, db: Interfered
) -> None:
    job = api.create(**DAILY, calendar=MOVING)["id"]
    db.plans[db.count + 1] = lambda: api.patch(f"/jobs/{job}", {"name": "renamed"})
    assert api.put("/calendars/days", {}).status == 200
    after = api.get(f"/jobs/{job}").json
    assert (after["name"], after["next_run_at"]) == ("renamed", "2027-01-16T09:00:00Z")


def test_a_job_that_is_deleted_while_it_is_armed_anew_stays_deleted(api: ApiClient, db: Interfered) -> None:
    job = api.create(**DAILY, calendar=MOVING)["id"]
    db.plans[db.count + 1] = lambda: api.delete(f"/jobs/{job}")
    assert api.put("/calendars/days", {}).status == 200
    assert api.get(f"/jobs/{job}").status == 404
    assert api.delete("/calendars/days").status == 204


def test_a_job_that_sleeps_until_a_moment_is_armed_anew_for_that_moment(
    api: ApiClient, db: Interfered, world: World
) -> None:
    job = api.create(**{**DAILY, "schedule": "0 9 * * SAT"}, calendar=MOVING)["id"]
    api.post(f"/jobs/{job}/pause", {"until": "2027-01-20T00:00:00Z"})
    assert next_run(api, job) == "2027-01-25T09:00:00Z"
    api.put("/calendars/days", {})
    assert next_run(api, job) == "2027-01-23T09:00:00Z"
    timers = [decode_timer(item) for item in db.timers.items.values() if job in str(item["sk"])]
    assert max(timer.schedule_revision for timer in timers if isinstance(timer, JobTimer)) == 3
    latest = max(timers, key=lambda timer: getattr(timer, "schedule_revision", 0))
    assert latest.due_ms == 1_800_403_200_000, "at the end of its pause"


def test_skipping_the_next_occurrence_means_the_next_that_runs(api: ApiClient) -> None:
    job = api.create(**{**DAILY, "schedule": "0 9 * * *"}, calendar="days")["id"]
    skipped = api.post(f"/jobs/{job}/skip", {"count": 1})
    assert skipped.json["skipped"] == ["2027-01-18T09:00:00Z"], "not a day of the weekend"
    assert next_run(api, job) == "2027-01-19T09:00:00Z"
    assert api.post(f"/jobs/{job}/skip", {"count": 5}).json["skipped"] == [
        f"2027-01-{day}T09:00:00Z" for day in range(18, 23)
    ]
    assert next_run(api, job) == "2027-01-25T09:00:00Z"


def test_a_calendar_is_created_once_by_its_idempotency_key(api: ApiClient) -> None:
    keyed = {"headers": {"Idempotency-Key": "a"}}
    first, again = (api.post("/calendars", {"name": "other"}, **keyed) for _ in range(2))
    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json
    assert api.post("/calendars", {"name": "third"}, **keyed).status == 422
    assert api.post("/calendars", {"name": "other"}).status == 409


def test_a_calendar_has_a_limit_of_jobs(api: ApiClient, db: Interfered) -> None:
    for number in range(timing.MAX_JOBS):
        key = uses_of(TENANT, "days"), f"job_{number:026d}"
        db.catalog.items[key] = {"pk": key[0], "sk": key[1], "armed": 1}
    answer = api.post("/jobs", {"name": "x", **DAILY, "calendar": "days"})
    assert (answer.status, answer.pointers) == (422, {"/calendar": "too_many_jobs"})
    assert api.put("/calendars/days", {}).status == 200, "jobs that are gone do not stand in the way"
    assert api.delete("/calendars/days").status == 204


def test_an_occurrence_that_was_dispatched_before_a_change_still_runs_once(world: World) -> None:
    api = ApiClient(world.engine)
    api.post("/calendars", {"name": "days"})
    api.create(type="dummy", config={}, schedule="1 12 * * *", calendar="days")
    world.clock.ms += 60_000
    api.put("/calendars/days", {"excluded": {"weekdays": ["SUN"]}})
    world.deliver()
    world.advance(60)
    assert [run.nominal_ms for run, _ in world.executed] == [1_800_014_460_000]
