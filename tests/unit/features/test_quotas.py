"""Plans at the API: jobs are counted exactly, what the plan does not allow is refused, and usage can be read."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.aws.clock import SystemIds
from chalicelib.domain.errors import FeatureNotInPlan, QuotaExceeded
from chalicelib.domain.outcome import Failed
from chalicelib.engine.core import Engine
from chalicelib.engine.plans import KEEP_SECONDS, KnownPlans
from chalicelib.features.jobs import service
from chalicelib.features.jobs.definition import definition_of
from chalicelib.features.quotas import require_feature
from tests.support.api import HTTP_JOB, Answer, ApiClient
from tests.support.plans import counted_jobs, spend, subscribe
from tests.support.world import TENANT, World

MANUAL: dict[str, Any] = {"name": "a", "type": "dummy", "config": {}, "schedule": {"kind": "manual"}}
USED_UP = {
    "name": "executions",
    "plan": "free",
    "limit": 1000,
    "used": 1000,
    "resets_at": "2027-02-01T00:00:00Z",
    "usage": "/tenant/usage",
}


@pytest.fixture
def world() -> World:
    world = World()
    subscribe(world.db, "free")
    return world


@pytest.fixture
def api(world: World) -> ApiClient:
    return ApiClient(world.engine)


def full(api: ApiClient) -> list[str]:
    """The ids of ten jobs."""
    return [api.create(name=f"job {number}")["id"] for number in range(10)]


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["code"]


def test_one_job_more_than_the_plan_allows_is_refused_with_the_limit_and_what_is_used(api: ApiClient) -> None:
    full(api)
    answer = api.post("/jobs", HTTP_JOB)
    assert code_of(answer) == (403, "quota_exceeded")
    assert answer.json["quota"] == {
        "name": "jobs",
        "plan": "free",
        "limit": 10,
        "used": 10,
        "resets_at": None,
        "usage": "/tenant/usage",
    }


def test_a_job_that_is_deleted_makes_room_for_another(api: ApiClient, world: World) -> None:
    first, *_ = full(api)
    assert api.delete(f"/jobs/{first}").status == 204
    assert api.post("/jobs", HTTP_JOB).status == 201
    assert counted_jobs(world.db) == 10


def test_a_creation_that_is_sent_again_with_its_key_is_answered_also_when_there_is_no_room_left(
    api: ApiClient,
) -> None:
    key = {"Idempotency-Key": "the tenth"}
    for number in range(9):
        api.create(name=f"job {number}")
    first, again = (api.post("/jobs", HTTP_JOB, headers=key) for _ in range(2))
    assert (first.status, again.status) == (201, 201)
    assert first.json["id"] == again.json["id"]


def test_of_many_who_create_jobs_at_once_exactly_ten_do(world: World) -> None:
    definition = definition_of(MANUAL)

    def created(number: int) -> bool:
        process = replace(world.engine, ids=SystemIds(), plans=KnownPlans())
        try:
            service.create(process, TENANT, definition.model_copy(update={"name": f"job {number}"}))
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(created, range(40)))
    stored = [key for key in world.db.catalog.items if key[1] == "job"]
    assert (sum(outcomes), len(stored), counted_jobs(world.db)) == (10, 10, 10)


def test_an_import_creates_as_many_as_there_is_room_for(api: ApiClient) -> None:
    full(api)
    api.delete(f"/jobs/{api.get('/jobs').json['items'][0]['id']}")
    answer = api.post("/jobs/import", {"jobs": [{**MANUAL, "name": name} for name in "ab"]})
    assert [each["outcome"] for each in answer.json["items"]] == ["created", "failed"]
    assert answer.json["items"][1]["error"]["code"] == "quota_exceeded"


def test_a_smaller_plan_keeps_the_jobs_that_are_there_and_refuses_new_ones(
    api: ApiClient, world: World
) -> None:
    subscribe(world.db, "starter")
    later = ApiClient(replace(world.engine, plans=KnownPlans()))
    jobs = [later.create(name=f"job {number}")["id"] for number in range(11)]
    subscribe(world.db, "free")
    assert code_of(api.post("/jobs", HTTP_JOB)) == (403, "quota_exceeded")
    assert api.patch(f"/jobs/{jobs[0]}", {"name": "changed"}).status == 200
    assert api.get("/tenant/usage").json["jobs"] == {"used": 11, "limit": 10}


def test_another_plan_is_known_within_a_minute(api: ApiClient, world: World) -> None:
    full(api)
    subscribe(world.db, "starter")
    assert api.post("/jobs", HTTP_JOB).status == 403
    world.clock.ms += KEEP_SECONDS * 1000
    assert api.post("/jobs", HTTP_JOB).status == 201


@pytest.mark.parametrize("unlimited", ["enterprise", None])
def test_without_a_limit_jobs_are_counted_all_the_same(unlimited: Any) -> None:
    world = World()
    if unlimited:
        subscribe(world.db, unlimited)
    api = ApiClient(world.engine)
    full(api)
    api.create(name="one more")
    usage = api.get("/tenant/usage").json
    assert (usage["plan"], usage["jobs"]) == (unlimited, {"used": 11, "limit": None})
    assert usage["features"] == ["federation", "sla", "sso", "webhooks"]


def test_usage_says_what_the_plan_allows_and_what_is_used(api: ApiClient, world: World) -> None:
    spend(world.db, "free", left=958)
    api.create()
    answer = api.get("/tenant/usage")
    assert (answer.status, answer.json) == (
        200,
        {
            "plan": "free",
            "period": {"start_at": "2027-01-01T00:00:00Z", "end_at": "2027-02-01T00:00:00Z"},
            "jobs": {"used": 1, "limit": 10},
            "executions": {"used": 42, "limit": 1000, "resets_at": "2027-02-01T00:00:00Z"},
            "retention_days": 1,
            "features": [],
        },
    )


def test_when_the_month_is_used_up_triggers_backfills_and_redrives_are_refused(world: World) -> None:
    world.outcome = lambda *_: Failed("unknown", "no")
    api = ApiClient(world.engine)
    job = api.create(**{**MANUAL, "schedule": "0 * * * *"}, retry={"max_attempts": 1})["id"]
    dead = api.post(f"/jobs/{job}/trigger").json["id"]
    world.advance(1)
    spend(world.db, "free", left=0)
    asked = {"start": "2027-01-15T10:00:00Z", "end": "2027-01-15T12:00:00Z"}
    for path, body in (
        (f"/jobs/{job}/trigger", None),
        (f"/jobs/{job}/backfills", asked),
        (f"/dead-letters/{dead}/redrive", None),
    ):
        answer = api.post(path, body)
        assert code_of(answer) == (403, "quota_exceeded"), path
        assert answer.json["quota"] == USED_UP, path
    [item] = api.post("/jobs/bulk", {"action": "trigger", "filter": {"type": "dummy"}}).json["items"]
    assert (item["outcome"], item["error"]["code"]) == ("failed", "quota_exceeded")
    assert api.post(f"/jobs/{job}/backfills", {**asked, "dry_run": True}).status == 200


def test_a_new_month_has_room_again(api: ApiClient, world: World) -> None:
    job = api.create(**MANUAL)["id"]
    spend(world.db, "free", left=0)
    assert api.post(f"/jobs/{job}/trigger").status == 403
    world.clock.ms += 31 * 86_400_000
    assert api.post(f"/jobs/{job}/trigger").status == 202


def test_a_feature_that_the_plan_does_not_have_is_refused(world: World) -> None:
    with pytest.raises(FeatureNotInPlan):
        require_feature(world.engine, TENANT, "sso")
    subscribe(world.db, "enterprise", "large")
    require_feature(world.engine, "large", "sso")


def test_a_plan_that_nobody_knows_holds_nobody_and_is_told(world: World) -> None:
    subscribe(world.db, "platinum")  # type: ignore[arg-type]
    engine: Engine = world.engine
    assert engine.plans.of(engine, TENANT) is None
    assert ("warning", "A tenant's plan is unknown.") in [line[:2] for line in world.telemetry.lines]
