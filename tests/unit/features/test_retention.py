"""What is expired cannot be read, though DynamoDB has not deleted it yet; and still it decides."""

from collections import defaultdict
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from chalicelib.domain.ids import run_id
from chalicelib.domain.outcome import Failed, Succeeded
from chalicelib.domain.plans import PLANS, Plan
from chalicelib.engine.message import Delivery
from chalicelib.engine.records import run_key
from chalicelib.engine.running.work import Worker
from chalicelib.engine.wheel.arm import message_of
from chalicelib.features.registry import routes
from tests.support.api import ApiClient
from tests.support.plans import subscribe
from tests.support.world import NOON, World

HOUR, DAY = 3600, 86_400
LONG = 3 * 366 * DAY
MANUAL = {"kind": "manual"}
WINDOW = "?from=2027-01-15T12:00:00Z&to=2027-01-16T12:00:00Z"
GETS = [
    route.path
    for route in routes()
    if route.method == "GET" and not route.public and not route.rule.startswith("account:")
]
SHOWN_BY = {
    "/audit",
    "/audit/export",
    "/runs",
    "/runs/{run_id}",
    "/executions",
    "/jobs/{job_id}/runs",
    "/jobs/{job_id}/executions",
    "/jobs/{job_id}/timeline",
    "/jobs/{job_id}/revisions",
    "/jobs/{job_id}/revisions/{revision}",
    "/jobs/{job_id}/revisions/{revision}/diff",
    "/jobs/{job_id}/backfills",
    "/backfills/{backfill_id}",
    "/dead-letters",
    "/dead-letters/{run_id}",
}
"""The routes that show something that expires: all others show none of it at any time."""


def outcome(job: Any, _run: Any) -> Any:
    return Failed("unknown", "no") if job.name == "failing" else Succeeded({})


class Past:
    """A world in which all sorts of things were done. Nothing in it is ever deleted."""

    def __init__(self, plan: Plan = "pro") -> None:
        self.world = World()
        settings = replace(self.world.engine.settings, plan=plan)
        self.world.engine = replace(self.world.engine, settings=settings)
        self.world.worker = Worker(self.world.engine, "fast", self.world._execute, self.world.pool)
        self.world.outcome = outcome
        self.api = ApiClient(self.world.engine)
        self.job = self.create(name="former name", schedule="0 * * * *")
        self.world.advance(HOUR + 1)
        assert self.api.patch(f"/jobs/{self.job}", {"name": "present name"}).status == 200
        failing = self.create(name="failing", retry={"max_attempts": 1})
        self.dead = self.api.post(f"/jobs/{failing}/trigger").json["id"]
        asked = {"start": "2027-01-15T10:00:00Z", "end": "2027-01-15T12:30:00Z"}
        self.backfill = self.api.post(f"/jobs/{self.job}/backfills", asked).json["id"]
        self.world.advance(120)
        self.run = run_id(self.job, NOON + HOUR * 1000)

    def create(self, **fields: Any) -> str:
        body = {"name": "a", "type": "dummy", "config": {}, "schedule": MANUAL, **fields}
        return str(self.api.post("/jobs", body).json["id"])

    def later(self, seconds: float) -> None:
        self.world.clock.ms += seconds * 1000  # type: ignore[assignment]

    def shows(self, path: str) -> bool:
        """Whether the answer holds something that expires."""
        run = self.dead if "dead" in path else self.run
        names = {"job_id": self.job, "run_id": run, "backfill_id": self.backfill, "revision": 1}
        filled = path.format_map(defaultdict(lambda: "none", names))
        answer = self.api.get(filled + (WINDOW if path.endswith("timeline") else ""))
        assert answer.status in (200, 404), answer.text
        expiring = [self.run, self.dead, self.backfill, "former name"]
        if "revisions" in path:
            expiring.append('"revision":1,')
        return any(each in answer.text for each in expiring)


@cache
def before_and_after() -> tuple[dict[str, bool], dict[str, bool]]:
    """Which routes show what expires, at first and when everything has expired."""
    past = Past()
    first = {path: past.shows(path) for path in GETS}
    past.later(LONG)
    return first, {path: past.shows(path) for path in GETS}


def test_the_table_names_the_routes_that_show_what_expires() -> None:
    first, _ = before_and_after()
    assert {path for path, shows in first.items() if shows} == SHOWN_BY


@pytest.mark.parametrize("path", GETS)
def test_no_route_shows_what_is_expired(path: str) -> None:
    _, after = before_and_after()
    assert not after[path]


def test_what_is_expired_can_be_neither_cancelled_nor_redriven_nor_purged_nor_summed_up() -> None:
    past = Past()
    assert past.api.get(f"/jobs/{past.job}/cost{WINDOW}").json["runs"] > 0
    past.later(LONG)
    assert past.api.post(f"/runs/{past.run}/cancel").status == 404
    assert past.api.post(f"/dead-letters/{past.dead}/redrive").status == 404
    assert past.api.delete(f"/dead-letters/{past.dead}").status == 404
    assert past.api.post(f"/backfills/{past.backfill}/cancel").status == 404
    assert past.api.get(f"/jobs/{past.job}/cost{WINDOW}").json["runs"] == 0
    assert past.api.post(f"/jobs/{past.job}/rollback", {"revision": 1}).status == 422


@pytest.mark.parametrize("plan", PLANS)
def test_a_run_can_be_read_for_as_long_as_the_plan_has_it(plan: Plan) -> None:
    past = Past(plan)
    started_s = NOON // 1000 + HOUR
    end_s = started_s + PLANS[plan].retention.runs * DAY
    past.later(end_s - 1 - past.world.clock.now_ms() // 1000)
    assert past.api.get(f"/runs/{past.run}").status == 200
    past.later(1)
    assert past.api.get(f"/runs/{past.run}").status == 404


@pytest.mark.parametrize("plan", PLANS)
def test_a_record_stays_for_longer_than_any_queue_may_hand_out_its_message(plan: Plan) -> None:
    past = Past(plan)
    item = past.world.db.runs.items[run_key("local", past.run)]
    assert int(item["expires_at"]) - NOON // 1000 > 14 * DAY


def test_an_expired_record_still_refuses_a_second_start() -> None:
    past = Past()
    run = past.world.run(past.run)
    past.later(LONG)
    executed = len(past.world.executed)
    body = message_of(run, due_ms=run.due_ms, attempt=1).encode()
    assert past.world.worker.work([Delivery("1", body)], deadline=past.world.clock.monotonic() + 60) == []
    assert len(past.world.executed) == executed


def test_a_run_that_is_not_over_is_shown_however_old_it_is() -> None:
    past = Past("free")
    slow = past.create(
        name="failing", retry={"max_attempts": 2, "initial_delay_seconds": 900, "jitter": "none"}
    )
    run = past.api.post(f"/jobs/{slow}/trigger").json["id"]
    past.world.deliver()
    past.later(LONG)
    assert past.api.get(f"/runs/{run}").json["status"] == "RETRYING"


@pytest.mark.parametrize(
    ("stage", "tenant", "days"), [("enterprise", "starter", 7), ("pro", "enterprise", 30)]
)
def test_a_run_is_shown_as_long_as_the_tenants_plan_has_it_and_no_longer_than_the_stage(
    stage: Plan, tenant: Plan, days: int
) -> None:
    past = Past(stage)
    subscribe(past.world.db, tenant)
    end_s = NOON // 1000 + HOUR + days * DAY
    past.later(end_s - 1 - past.world.clock.now_ms() // 1000)
    assert past.api.get(f"/runs/{past.run}").status == 200
    past.later(1)
    assert past.api.get(f"/runs/{past.run}").status == 404
    assert not any(past.run == each["id"] for each in past.api.get("/runs").json["items"])
    seen = past.api.get(f"/jobs/{past.job}/timeline{WINDOW}").json["items"]
    assert {each.get("run_id") for each in seen} <= {None}
