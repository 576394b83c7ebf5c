"""From timer to record, where a calendar decides: what runs, when, and what is recorded of the rest."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain import pause
from chalicelib.domain.calendars import CalendarContent
from chalicelib.domain.ids import run_id
from chalicelib.domain.instants import rfc3339
from chalicelib.domain.job import Job, JobDefinition
from chalicelib.domain.run import RunStatus, SkipReason
from chalicelib.engine.flow.start import Drop, Start, decide_start
from chalicelib.engine.ledger.record import new_run
from chalicelib.engine.message import RunMessage
from chalicelib.engine.wheel.arm import first_timer
from chalicelib.engine.wheel.calendars import calendar_key, calendar_names, read_calendars
from chalicelib.engine.wheel.timers import JobTimer, decode_timer, encode_timer
from chalicelib.features.jobs import changes
from chalicelib.features.jobs import service as jobs
from chalicelib.features.jobs.service import Change
from chalicelib.ports.table import Put
from tests.support.world import NOON, TENANT, World

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
WEEKEND = {"excluded": {"weekdays": ["SAT", "SUN"]}}


def save(world: World, name: str, content: dict[str, Any]) -> None:
    pk, sk = calendar_key(TENANT, name)
    doc = CalendarContent.model_validate(content).model_dump_json()
    world.db.catalog.write(Put({"pk": pk, "sk": sk, "revision": 1, "armed": 1, "doc": doc}))


def definition(**fields: Any) -> JobDefinition:
    return JobDefinition.model_validate({"name": "nightly", "type": "dummy", **fields})


def armed(world: World, schedule: Any, calendar: Any = "days", content: Any = WEEKEND, **fields: Any) -> Job:
    """A job under a calendar, with its first timer."""
    save(world, "days", content)
    job = world.job({"kind": "manual"}, **fields)
    job = world.save(Job.model_validate({**job.model_dump(), "schedule": schedule, "calendar": calendar}))
    timer = first_timer(job, world.clock.now_ms(), read_calendars(world.engine, [job]))
    assert timer is not None
    world.db.timers.write(Put(encode_timer(timer)))
    return job


def leap(world: World, until_ms: int) -> None:
    """Let time pass by ticks, each as long as nothing is due, then ten seconds further."""
    while world.clock.ms < until_ms:
        world.tick()
        timers = [timer.due_ms for timer in world.timers()]
        waiting = [at_ms for at_ms, _ in world.queue.sent]
        soonest = min([*(due - MINUTE for due in timers), *waiting, until_ms])
        world.clock.ms = max(soonest, world.clock.ms + 1000)
        world.deliver()
    world.tick()


def ran(world: World) -> list[str]:
    """Moment, and nominal where it differs."""
    found = []
    for run, at_ms in world.executed:
        at, nominal = rfc3339(at_ms)[5:16], rfc3339(run.nominal_ms)[5:16]
        found.append(at if at == nominal else f"{at} for {nominal}")
    return found


def skipped(world: World, job: Job) -> list[tuple[str, str, str]]:
    return [(rfc3339(first)[5:16], rfc3339(last)[5:16], reason) for first, last, reason in world.skips(job)]


ROWS: list[tuple[str, str, list[str], list[tuple[str, str, str]], str]] = [
    (
        "0 15 * * *",
        "skip",
        ["01-15T15:00", "01-18T15:00"],
        [("01-16T15:00", "01-17T15:00", "calendar")],
        "a weekend is one range",
    ),
    (
        "0 15 * * *",
        "next_allowed_day",
        ["01-15T15:00", "01-18T15:00"],
        [("01-16T15:00", "01-17T15:00", "calendar")],
        "the latest of a moment runs",
    ),
    (
        "0 15 * * SAT",
        "next_allowed_day",
        ["01-18T15:00 for 01-16T15:00"],
        [],
        "an occurrence that is moved is no skip",
    ),
    (
        "0 15 * * *",
        "previous_allowed_day",
        ["01-15T15:00 for 01-17T15:00", "01-18T15:00"],
        [("01-15T15:00", "01-16T15:00", "calendar")],
        "backwards too",
    ),
]


@pytest.mark.parametrize(
    ("schedule", "policy", "runs", "skips", "reason"), ROWS, ids=[row[4] for row in ROWS]
)
def test_each_occurrence_of_a_weekend_is_a_run_or_a_skip(
    schedule: str, policy: str, runs: list[str], skips: list[tuple[str, str, str]], reason: str
) -> None:
    world = World()
    job = armed(world, schedule, {"name": "days", "on_excluded": policy})
    leap(world, NOON + 3 * DAY + 4 * HOUR)
    assert (ran(world), skipped(world, job)) == (runs, skips), reason
    assert all(run.drift_ms == 0 for run in world.runs())


def test_a_range_grows_with_time_and_never_reaches_into_the_future() -> None:
    world = World()
    job = armed(world, "0 * * * *", content={"excluded": {"dates": ["2027-01-15"]}})
    for hours, last in ((1, "01-15T13:00"), (4, "01-15T16:00"), (8, "01-15T20:00")):
        leap(world, NOON + hours * HOUR + MINUTE)
        assert skipped(world, job) == [("01-15T13:00", last, "calendar")]
    leap(world, NOON + 13 * HOUR)
    assert ran(world)[0] == "01-16T00:00"
    assert skipped(world, job) == [("01-15T13:00", "01-15T23:00", "calendar")]


def test_a_calendar_that_is_changed_in_the_middle_of_a_day_holds_from_then_on() -> None:
    world = World()
    job = armed(world, "0 * * * *", content={"excluded": {"dates": ["2027-01-15"]}})
    leap(world, NOON + 2 * HOUR + MINUTE)
    save(world, "days", {})
    leap(world, NOON + 4 * HOUR + MINUTE)
    assert ran(world) == ["01-15T15:00", "01-15T16:00"]
    assert skipped(world, job) == [("01-15T13:00", "01-15T14:00", "calendar")]


def test_a_job_that_fires_each_second_costs_one_range_on_an_excluded_day() -> None:
    world = World()
    job = armed(world, "* * * * * *", content={"excluded": {"dates": ["2027-01-15"]}})
    world.advance(180)
    assert world.executed == []
    [(first, last, reason)] = world.skips(job)
    assert (first, reason) == (NOON + SECOND, "calendar")
    assert last <= world.clock.now_ms() + world.engine.settings.horizon_ms
    [timer] = world.timers()
    assert isinstance(timer, JobTimer)
    assert timer.since_ms == first


def test_an_outage_over_a_weekend_tells_missed_days_from_excluded_ones() -> None:
    world = World()
    job = armed(world, "0 15 * * *", misfire={"window_seconds": 864_000})
    world.clock.ms = NOON + 5 * DAY
    world.advance(60)
    assert [run.nominal_ms for run, _ in world.executed] == [NOON + 4 * DAY + 3 * HOUR], "the latest runs"
    assert sorted(skipped(world, job)) == [
        ("01-15T15:00", "01-15T15:00", "misfire"),
        ("01-16T15:00", "01-17T15:00", "calendar"),
        ("01-18T15:00", "01-18T15:00", "misfire"),
    ]


def test_an_outage_that_ends_on_an_excluded_day_runs_the_last_allowed_occurrence() -> None:
    world = World()
    armed(world, "0 15 * * *", misfire={"window_seconds": 864_000})
    world.clock.ms = NOON + 2 * DAY
    world.advance(60)
    assert [run.nominal_ms for run, _ in world.executed] == [NOON + 3 * HOUR]


def test_a_moved_occurrence_is_missed_by_its_moved_moment() -> None:
    world = World()
    job = armed(
        world, "0 15 * * SAT", {"name": "days", "on_excluded": "next_allowed_day"}, misfire={"policy": "skip"}
    )
    world.clock.ms = NOON + 3 * DAY + 4 * HOUR
    world.advance(60)
    assert world.executed == []
    assert skipped(world, job) == [("01-16T15:00", "01-16T15:00", "misfire")]


def test_a_pause_over_a_weekend_tells_paused_days_from_excluded_ones() -> None:
    world = World()
    job = armed(world, "0 15 * * *", misfire={"policy": "skip"})
    [timer] = world.timers()
    pause = {"status": "paused", "paused_ms": NOON, "paused_until_ms": NOON + 4 * DAY}
    world.change(job, **pause)
    world.dispatch(timer)
    leap(world, NOON + 4 * DAY + 4 * HOUR)
    assert ran(world) == ["01-19T15:00"]
    assert sorted(skipped(world, job)) == [
        ("01-15T15:00", "01-15T15:00", "paused"),
        ("01-16T15:00", "01-17T15:00", "calendar"),
        ("01-18T15:00", "01-18T15:00", "paused"),
    ]


def test_a_tick_that_is_repeated_records_and_runs_nothing_twice() -> None:
    world = World()
    job = armed(world, "0 15 * * *", {"name": "days", "on_excluded": "previous_allowed_day"})
    stale = world.timers()
    leap(world, NOON + 3 * HOUR + 10 * SECOND)
    world.dispatch(*stale)
    leap(world, NOON + 4 * HOUR)
    assert ran(world) == ["01-15T15:00 for 01-17T15:00"]
    assert skipped(world, job) == [("01-15T15:00", "01-16T15:00", "calendar")]


def test_a_schedule_of_a_list_has_its_own_calendar() -> None:
    world = World()
    save(world, "never", {"excluded": {"ranges": [{"from": "2027-01-01", "until": "2027-12-31"}]}})
    own = {"kind": "cron", "expression": "0 14 * * *", "calendar": "never"}
    job = armed(world, ["0 15 * * *", own], content={})
    leap(world, NOON + DAY + 4 * HOUR)
    assert ran(world) == ["01-15T15:00", "01-16T15:00"]
    assert calendar_names(job) == {"days", "never"}
    assert skipped(world, job) == [
        ("01-15T14:00", "01-15T14:00", "calendar"),
        ("01-16T14:00", "01-16T14:00", "calendar"),
    ]


def test_several_schedules_run_each_moment_once_and_excluded_moments_not_at_all() -> None:
    world = World()
    job = world.job(["0 * * * *", "0 */2 * * *", "30 13 * * *"], exclude=["0 15 * * *"])
    leap(world, NOON + 4 * HOUR + MINUTE)
    assert ran(world) == ["01-15T13:00", "01-15T13:30", "01-15T14:00", "01-15T16:00"]
    assert skipped(world, job) == [], "what is excluded is no occurrence"


def test_a_search_that_stops_among_excluded_moments_goes_on_at_the_next_tick() -> None:
    world = World()
    gap = [
        {"kind": "cron", "expression": each, "end_at": "2027-01-15T14:00:00Z"}
        for each in ("*/2 * * * * *", "1-59/2 * * * * *")
    ]
    job = world.job(
        {"kind": "cron", "expression": "* * * * * *", "end_at": "2027-01-15T14:00:03Z"}, exclude=gap
    )
    [timer] = world.timers()
    assert NOON < timer.due_ms < NOON + 2 * HOUR, "a place to go on from, and no occurrence"
    leap(world, NOON + 2 * HOUR + MINUTE)
    assert [at_ms - NOON - 2 * HOUR for _, at_ms in world.executed] == [0, 1000, 2000]
    assert world.timers() == []
    assert skipped(world, job) == []


def test_a_calendar_that_is_gone_excludes_nothing() -> None:
    world = World()
    armed(world, "0 15 * * *")
    world.db.catalog.items.pop(calendar_key(TENANT, "days"))
    leap(world, NOON + DAY + 4 * HOUR)
    assert ran(world) == ["01-15T15:00", "01-16T15:00"]


def test_a_calendar_that_cannot_be_read_stops_nothing() -> None:
    world = World()
    armed(world, "0 15 * * *")
    world.db.catalog.items[calendar_key(TENANT, "days")]["doc"] = "{"
    world.job("30 15 * * *")
    leap(world, NOON + 4 * HOUR)
    assert ran(world) == ["01-15T15:00", "01-15T15:30"]
    assert any("calendar" in sentence for _, sentence, _ in world.telemetry.lines)


def test_jobs_without_calendars_cost_no_further_read() -> None:
    world, asked = World(), list[set[Any]]()
    world.job("* * * * *")
    reading = world.db.catalog.get_many
    world.db.catalog.get_many = lambda keys: (asked.append(set(keys)), reading(asked[-1]))[1]  # type: ignore[method-assign]
    world.tick()
    assert len(asked) == 1
    armed(world, "* * * * *")
    asked.clear()
    world.tick()
    assert len(asked) == 2, "one for the jobs, one for their calendars"


def test_a_timer_remembers_since_when_everything_is_skipped() -> None:
    for parked, since in ((0, None), (0, NOON), (NOON + 2 * DAY, None), (NOON + 2 * DAY, NOON)):
        timer = JobTimer(3, TENANT, "job_1", 2, NOON + DAY, parked, since)
        assert decode_timer(encode_timer(timer)) == timer


REVIVALS: list[tuple[SkipReason, bool, str]] = [
    ("superseded", True, "its message was of the earlier revision"),
    ("paused", True, "the pause is over"),
    ("overlap", False, "another run was active at its moment"),
    ("buffer_full", False, "there was no place in the queue"),
    ("start_deadline", False, "it came too late"),
]


@pytest.mark.parametrize(("why", "runs", "reason"), REVIVALS, ids=[row[0] for row in REVIVALS])
def test_a_job_that_is_armed_anew_takes_up_only_what_its_earlier_revision_cost(
    why: SkipReason, runs: bool, reason: str
) -> None:
    world = World()
    job = world.job("0 15 * * *", schedule_revision=2)
    message = RunMessage(TENANT, job.id, 2, run_id(job.id, NOON), NOON, NOON)
    skipped = replace(new_run(message), status=RunStatus.SKIPPED, skip_reason=why, schedule_revision=1)
    decision = decide_start(job, skipped, message, owner="w", now_ms=NOON)
    assert decision == (Start(skipped) if runs else Drop()), reason


def changed(world: World, job: Job, decide: Change) -> Job:
    return jobs.change(world.engine, TENANT, job.id, None, decide)


def test_a_pause_with_an_end_makes_up_for_what_the_calendar_allows_and_skips_what_it_excludes() -> None:
    world = World()
    save(world, "days", WEEKEND)
    timing = {"schedule": "0 15 * * *", "calendar": "days"}
    job = jobs.create(
        world.engine, TENANT, definition(**timing, misfire={"policy": "fire_all", "window_seconds": 604_800})
    )
    monday_noon = NOON + 3 * DAY
    changed(world, job, lambda found, now: pause.paused(found, now, {"paused_until_ms": monday_noon}))
    leap(world, monday_noon + 4 * HOUR)
    assert ran(world) == ["01-18T12:00 for 01-15T15:00", "01-18T15:00"], "Friday's, at the end; then Monday's"
    assert skipped(world, job) == [("01-16T15:00", "01-17T15:00", "calendar")]


def test_what_a_pause_held_back_is_recorded_apart_from_what_the_calendar_skips() -> None:
    world = World()
    save(world, "days", WEEKEND)
    timing = {"schedule": "0 15 * * *", "calendar": "days"}
    job = jobs.create(world.engine, TENANT, definition(**timing, misfire={"policy": "skip"}))
    tuesday_noon = NOON + 4 * DAY
    changed(world, job, lambda found, now: pause.paused(found, now, {"paused_until_ms": tuesday_noon}))
    leap(world, tuesday_noon + 4 * HOUR)
    assert ran(world) == ["01-19T15:00"]
    assert sorted(skipped(world, job)) == [
        ("01-15T15:00", "01-15T15:00", "paused"),
        ("01-16T15:00", "01-17T15:00", "calendar"),
        ("01-18T15:00", "01-18T15:00", "paused"),
    ]


def test_an_occurrence_that_is_left_out_stays_out_where_the_calendar_moves_it() -> None:
    world = World()
    save(world, "days", WEEKEND)
    timing = {"schedule": "0 15 * * SAT", "calendar": {"name": "days", "on_excluded": "next_allowed_day"}}
    job = jobs.create(world.engine, TENANT, definition(**timing))
    changed(world, job, lambda found, now: changes.skipping(found, 1, now))
    leap(world, NOON + 3 * DAY + 4 * HOUR)
    assert world.executed == []
    assert [run.skip_reason for run in world.runs()] == ["skip_next"]


def test_a_job_whose_pause_has_ended_by_itself_follows_its_calendar_again() -> None:
    world = World()
    save(world, "days", WEEKEND)
    job = jobs.create(world.engine, TENANT, definition(schedule="0 15 * * *", calendar="days"))
    changed(world, job, lambda found, now: pause.paused(found, now, {"paused_until_ms": NOON + HOUR}))
    world.clock.ms = NOON + 2 * HOUR
    world.tick()
    save(world, "days", {"excluded": {"weekdays": ["FRI"]}})
    jobs.rearm(world.engine, TENANT, job.id)
    leap(world, NOON + DAY + 4 * HOUR)
    assert ran(world) == ["01-16T15:00"], "Friday is excluded now, Saturday is not"
