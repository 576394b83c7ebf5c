"""The sweeper at work over the twins: timers that are gone are set again within the hour, and nothing is lost."""

import json
from typing import Any

import pytest

from chalicelib.domain.job import Job, JobDefinition
from chalicelib.domain.run import RunStatus
from chalicelib.engine.records import job_key
from chalicelib.engine.wheel.timers import JobTimer
from chalicelib.features.jobs import service as jobs
from chalicelib.features.jobs.changes import redefined
from chalicelib.ports.table import Put
from tests.support.faults import FaultyWorld, Mode
from tests.support.world import NOON, TENANT, World

SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
EACH_TEN_MINUTES = {"kind": "interval", "every": 600, "anchor": "2027-01-15T12:00:00Z"}


def lose_timers(world: World) -> int:
    """All timers are gone."""
    gone = [key for key in world.db.timers.items if key[0].startswith("shard#")]
    world.db.timers.delete_all(gone)
    return len(gone)


def found(world: World) -> list[tuple[str, str]]:
    """(action, subject) of the audit records."""
    return [(str(item["action"]), str(item["subject"])) for item in world.db.audit.items.values()]


def nominals(world: World) -> list[int]:
    return [run.nominal_ms - NOON for run in world.runs() if run.status is RunStatus.SUCCEEDED]


def roster(world: World) -> list[str]:
    rows = [
        row
        for shard in range(world.engine.settings.shards)
        for row in world.db.catalog.index_rows("by_shard", f"shard#{shard:03d}", limit=100)[0]
    ]
    return [str(row["pk"]).rpartition("#")[2] for row in rows]


def test_a_timer_that_is_gone_is_set_again_within_the_hour_and_what_was_missed_is_made_up() -> None:
    world = World()
    job = world.job(EACH_TEN_MINUTES, misfire={"policy": "fire_all"})
    world.advance(1900)
    assert lose_timers(world) == 1
    world.advance(3600)
    assert nominals(world) == [each * 10 * MINUTE for each in range(1, 10)]
    assert len(world.executed) == len({run.id for run, _ in world.executed}), (
        "what had run does not run again"
    )
    assert found(world) == [("timer.repaired", job.id)]


@pytest.mark.parametrize("policy", ["fire_once", "skip"])
def test_the_misfire_policy_judges_what_was_missed(policy: str) -> None:
    world = World()
    job = world.job(EACH_TEN_MINUTES, misfire={"policy": policy})
    world.advance(1900)
    lose_timers(world)
    world.advance(5400)
    done = {each // (10 * MINUTE) for each in nominals(world)}
    in_ranges = {
        each
        for first, last, _ in world.skips(job)
        for each in range((first - NOON) // (10 * MINUTE), (last - NOON) // (10 * MINUTE) + 1)
    }
    assert {1, 2, 3} <= done
    assert done | in_ranges == set(range(1, 13)), "each has its record"


def test_jobs_that_have_their_timers_cost_no_read_of_their_records() -> None:
    world = FaultyWorld()
    for _ in range(50):
        world.job("0 0 1 1 *")
    world.tick()
    world.clock.ms += HOUR
    world.faults.arm(Mode.BEFORE, 0)
    world.tick()
    assert world.faults.calls.count("catalog.index_rows") == world.engine.settings.shards
    assert "catalog.get_many" not in world.faults.calls


def test_a_job_whose_schedule_is_over_leaves_the_roster_for_good() -> None:
    world = World()
    ended = world.job({"kind": "once", "at": "2027-01-15T12:10:00Z"})
    goes_on = world.job(EACH_TEN_MINUTES)
    assert set(roster(world)) == {ended.id, goes_on.id}
    world.advance(2 * 3600)
    assert roster(world) == [goes_on.id]
    assert found(world) == []
    assert len([run for run, _ in world.executed if run.job_id == ended.id]) == 1


def test_a_run_that_is_still_to_come_keeps_its_job_on_the_roster() -> None:
    world = World()
    job = world.job({"kind": "once", "at": "2027-01-15T12:16:30Z"})
    world.advance(15 * 60 + 1)
    assert world.timers() == [], "its message is on the way"
    assert roster(world) == [job.id]
    assert found(world) == []


def test_a_one_time_job_whose_timer_is_gone_runs_late_rather_than_never() -> None:
    world = World()
    job = world.job({"kind": "once", "at": "2027-01-15T12:10:00Z"})
    world.tick()
    lose_timers(world)
    world.advance(3900)
    assert nominals(world) == [10 * MINUTE]
    assert found(world) == [("timer.repaired", job.id)]
    world.advance(7200)
    assert roster(world) == []


def test_a_one_time_job_that_no_worker_gets_to_is_made_up_for_once_and_then_left_to_the_auditor() -> None:
    world = World()
    job = world.job({"kind": "once", "at": "2027-01-15T12:10:00Z"})
    for minute in range(6 * 60):
        world.clock.ms = NOON + minute * MINUTE
        world.tick()
    assert [subject for action, subject in found(world) if action == "timer.repaired"] == [job.id]
    assert roster(world) == []
    world.deliver()
    assert nominals(world) == [10 * MINUTE]


def test_a_one_time_job_that_was_skipped_as_misfired_leaves_the_roster() -> None:
    world = World()
    world.tick()
    world.job({"kind": "once", "at": "2027-01-15T12:10:00Z"}, misfire={"policy": "skip"})
    world.clock.ms += 30 * MINUTE
    world.advance(3 * 3600)
    assert world.executed == []
    assert roster(world) == []
    assert found(world) == []


@pytest.mark.parametrize(
    ("fields", "expected", "why"),
    [
        ({}, True, "it should fire"),
        ({"status": "paused", "paused_ms": NOON}, False, "a pause without an end needs no timer"),
        ({"status": "paused", "paused_ms": NOON, "paused_until_ms": NOON + HOUR}, True, "its pause ends"),
        ({"schedule": {"kind": "manual"}}, False, "only triggers"),
        ({"schedule": ({"kind": "manual"}, EACH_TEN_MINUTES)}, True, "one of its schedules fires"),
    ],
)
def test_who_is_on_the_roster(fields: dict[str, Any], expected: bool, why: str) -> None:
    world = World()
    job = world.job(EACH_TEN_MINUTES)
    world.save(Job.model_validate({**job.model_dump(), **fields}))
    assert (roster(world) == [job.id]) is expected, why


def test_the_timer_of_a_paused_job_waits_for_the_end_of_the_pause() -> None:
    world = World()
    job = world.job(EACH_TEN_MINUTES)
    end_ms = NOON + 3 * HOUR
    world.change(job, status="paused", paused_ms=NOON, paused_until_ms=end_ms)
    world.tick()
    lose_timers(world)
    world.advance(3600 + 100)
    [timer] = world.timers()
    assert isinstance(timer, JobTimer)
    assert (timer.due_ms, timer.nominal_ms) == (end_ms, NOON + 10 * MINUTE)
    world.advance(2 * 3600)
    assert nominals(world)[0] == 3 * HOUR - 10 * MINUTE, "the latest of what was missed"


def test_of_a_pause_that_has_ended_before_the_repair_nothing_is_forgotten() -> None:
    world = World()
    job = world.job({"kind": "interval", "every": 3600, "anchor": "2027-01-15T12:00:00Z"})
    end_ms = NOON + 5 * HOUR + 30 * MINUTE
    world.change(job, status="paused", paused_ms=NOON, paused_until_ms=end_ms)
    world.tick()
    world.clock.ms = end_ms - MINUTE
    lose_timers(world)
    world.advance(3 * 3600)
    done = {each // HOUR for each in nominals(world)}
    paused = {
        each
        for first, last, reason in world.skips(job)
        for each in range((first - NOON) // HOUR, (last - NOON) // HOUR + 1)
        if reason == "paused"
    }
    assert {1, 2, 3, 4} <= paused
    assert done | paused >= set(range(1, 8))


def test_a_job_that_is_edited_while_the_sweeper_looks_is_left_to_its_edit() -> None:
    world = World()
    job = world.job(EACH_TEN_MINUTES)
    world.tick()
    rows = world.db.catalog.index_rows

    def then_edited(*args: Any, **more: Any) -> Any:
        answer = rows(*args, **more)
        wanted = JobDefinition.model_validate({**job.definition.model_dump(), "schedule": "0 * * * *"})
        jobs.change(world.engine, TENANT, job.id, None, lambda each, now: redefined(each, wanted, now))
        lose_timers_of(world, revision=1)
        return answer

    world.db.catalog.index_rows = then_edited  # type: ignore[method-assign]
    world.clock.ms += HOUR
    world.tick()
    assert found(world) == []


def lose_timers_of(world: World, *, revision: int) -> None:
    gone = [key for key in world.db.timers.items if key[1].endswith(f"#{revision}")]
    world.db.timers.delete_all(gone)


def test_a_timer_of_a_former_revision_does_not_hide_that_the_present_one_is_gone() -> None:
    world = World()
    job = world.job("0 0 1 1 *")
    wanted = JobDefinition.model_validate({**job.definition.model_dump(), "schedule": "0 0 2 1 *"})
    jobs.change(world.engine, TENANT, job.id, None, lambda each, now: redefined(each, wanted, now))
    lose_timers_of(world, revision=2)
    assert len(world.timers()) == 1
    world.advance(3700)
    assert found(world) == [("timer.repaired", job.id)]
    assert {timer.schedule_revision for timer in world.timers() if isinstance(timer, JobTimer)} == {1, 2}


def test_what_cannot_be_read_is_counted_each_hour_and_stops_nothing() -> None:
    world = World()
    good, bad = world.job(EACH_TEN_MINUTES), world.job(EACH_TEN_MINUTES)
    world.db.catalog.items[job_key(TENANT, bad.id)]["doc"] = "{}"
    world.db.timers.write(Put({"pk": "shard#000", "sk": f"{NOON:015d}#nonsense"}))
    world.db.catalog.write(Put({"pk": "nothing", "sk": "job", "shard": "shard#001", "roster": "nothing"}))
    world.advance(2 * 3600)
    assert set(found(world)) == {
        ("job.unreadable", "nothing/job"),
        ("timer.unreadable", f"shard#000/{NOON:015d}#nonsense"),
        ("job.unreadable", bad.id),
    }
    assert len([run for run, _ in world.executed if run.job_id == good.id]) == 12


def test_the_turns_of_hours_without_dispatchers_are_made_up_at_once_and_look_further_back() -> None:
    world = World()
    world.job(
        {"kind": "interval", "every": 1800, "anchor": "2027-01-15T12:00:00Z"}, misfire={"policy": "fire_all"}
    )
    world.advance(4000)
    lose_timers(world)
    world.clock.ms += 5 * HOUR
    world.advance(120)
    assert len(nominals(world)) == (world.clock.now_ms() - NOON) // (HOUR // 2)


def test_a_repaired_timer_says_when_it_is_due() -> None:
    world = World()
    world.job(EACH_TEN_MINUTES)
    world.tick()
    lose_timers(world)
    world.advance(3700)
    [item] = world.db.audit.items.values()
    assert json.loads(str(item["details"])) == {"due_ms": NOON + 10 * MINUTE}
    assert (item["pk"], item["actor"]) == (f"{TENANT}#audit", "auditor")
