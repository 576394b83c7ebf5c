"""Pauses, as they are asked for and as they turn out: the api and the engine together, in memory.

The clock begins at noon; most jobs are due each hour.
"""

from typing import Any

import pytest

from chalicelib.domain.instants import rfc3339
from chalicelib.domain.run import RunStatus
from chalicelib.engine.records import decode_job, job_key
from chalicelib.engine.wheel.arm import timetable_of
from chalicelib.executors.attempt import attempts
from chalicelib.executors.base import ExecutorSettings
from chalicelib.ports.contact import Contact
from tests.support.api import ApiClient
from tests.support.world import NOON, TENANT, World

SECOND, MINUTE, HOUR = 1000, 60_000, 3_600_000
DUMMY = {"type": "dummy", "config": {}}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def api(world: World) -> ApiClient:
    return ApiClient(world.engine)


def at(minutes: float) -> str:
    """So many minutes after noon."""
    return rfc3339(NOON + round(minutes * MINUTE))


def go_to(world: World, minutes: float) -> None:
    world.advance(NOON / 1000 + minutes * 60 - world.clock.ms / 1000)


def executed(world: World) -> list[tuple[float, float]]:
    """What ran: its nominal time and its start, in minutes after noon."""
    return [((run.nominal_ms - NOON) / MINUTE, (moment - NOON) / MINUTE) for run, moment in world.executed]


def skips(world: World, job_id: str) -> list[tuple[float, float, str]]:
    """The ranges in the ledger, in minutes after noon."""
    items = world.db.runs.query(f"{TENANT}#{job_id}#skips").items
    found = [(*str(item["sk"]).split("#"), item["last_ms"]) for item in items]
    return [((int(low) - NOON) / MINUTE, (int(high) - NOON) / MINUTE, reason) for low, reason, high in found]


def each_is_accounted_for(world: World, job_id: str, until_ms: int) -> None:
    """Each occurrence up to a moment has a run that came to an end, or lies in just one range."""
    item = world.db.catalog.get(job_key(TENANT, job_id))
    assert item
    job = decode_job(item)
    runs = {run.nominal_ms: run for run in world.runs() if run.job_id == job_id and run.trigger == "schedule"}
    ranges = [(low * MINUTE + NOON, high * MINUTE + NOON) for low, high, _ in skips(world, job_id)]
    for nominal_ms in timetable_of(job).between(job.created_ms + 1, until_ms):
        inside = sum(low <= nominal_ms <= high for low, high in ranges)
        assert inside <= 1, "in two ranges"
        assert inside or runs[nominal_ms].is_final, f"{rfc3339(nominal_ms)} left no trace"


Expected = tuple[list[tuple[float, float]], list[tuple[float, float, str]]]
"""What runs (nominal time, start), and the ranges in the ledger."""

POLICIES: list[tuple[dict[str, Any], Expected, str]] = [
    ({"policy": "fire_once"}, ([(180, 210), (240, 240)], [(60, 120, "paused")]), "the latest"),
    ({"policy": "fire_all"}, ([(60, 210), (120, 210), (180, 210), (240, 240)], []), "all"),
    (
        {"policy": "fire_all", "limit": 2},
        ([(120, 210), (180, 210), (240, 240)], [(60, 60, "paused")]),
        "as many as its limit",
    ),
    ({"policy": "skip"}, ([(240, 240)], [(60, 180, "paused")]), "none"),
    (
        {"policy": "fire_all", "window_seconds": 2 * 3600},
        ([(120, 210), (180, 210), (240, 240)], [(60, 60, "paused")]),
        "those in the window, counted from the end of the pause",
    ),
]


@pytest.mark.parametrize(("misfire", "expected", "reason"), POLICIES, ids=[row[2] for row in POLICIES])
@pytest.mark.parametrize("by", ["its moment", "a resume"])
def test_when_a_pause_ends_the_misfire_rule_judges_what_it_held_back(
    api: ApiClient, world: World, misfire: dict[str, Any], expected: Expected, reason: str, by: str
) -> None:
    job_id = api.create(**DUMMY, schedule="0 * * * *", misfire=misfire)["id"]
    go_to(world, 10)
    api.post(f"/jobs/{job_id}/pause", {"until": at(210)} if by == "its moment" else {})
    go_to(world, 210)
    if by == "a resume":
        api.post(f"/jobs/{job_id}/resume")
    go_to(world, 241)
    assert (executed(world), skips(world, job_id)) == expected, reason
    each_is_accounted_for(world, job_id, world.clock.now_ms())


def test_what_is_missed_is_judged_as_of_the_end_of_the_pause_though_it_is_rung_before(
    api: ApiClient, world: World
) -> None:
    job_id = api.create(**DUMMY, schedule="* * * * *")["id"]
    go_to(world, 0.5)
    api.post(f"/jobs/{job_id}/pause", {"until": at(10)})
    go_to(world, 11)
    assert executed(world) == [(8, 10), (9, 10), (10, 10), (11, 11)], (
        "the latest missed, what is within the grace"
    )
    assert skips(world, job_id) == [(1, 7, "paused")]


def test_a_pause_with_an_end_needs_nobody_to_end_it_and_shows_its_note_meanwhile(
    api: ApiClient, world: World
) -> None:
    url = f"/jobs/{api.create(**DUMMY, schedule='0 * * * *')['id']}"
    shown = api.post(f"{url}/pause", {"note": "Moving house", "until": at(90)}).json
    assert shown["pause"] == {"note": "Moving house", "cause": "request", "since": at(0), "until": at(90)}
    assert (shown["status"], shown["next_run_at"]) == ("paused", at(120))
    assert [job["status"] for job in api.get("/jobs?status=paused").json["items"]] == ["paused"]
    go_to(world, 90)
    again = api.get(url).json
    assert (again["status"], again["pause"], again["revision"]) == ("active", None, shown["revision"])
    assert api.get("/jobs?status=paused").json["items"] == []


def test_a_resume_before_the_end_counts_and_the_end_passes_unnoticed(api: ApiClient, world: World) -> None:
    job_id = api.create(**DUMMY, schedule="0 * * * *")["id"]
    go_to(world, 10)
    api.post(f"/jobs/{job_id}/pause", {"until": at(210)})
    go_to(world, 130)
    api.post(f"/jobs/{job_id}/resume")
    go_to(world, 250)
    assert executed(world) == [(120, 130), (180, 180), (240, 240)]
    assert skips(world, job_id) == [(60, 60, "paused")]


@pytest.mark.parametrize("again_at", [30, 209, 209.5])
def test_a_second_pause_moves_the_end_also_of_what_was_rung_for_the_first(
    api: ApiClient, world: World, again_at: float
) -> None:
    job_id = api.create(**DUMMY, schedule="0 * * * *")["id"]
    go_to(world, 10)
    api.post(f"/jobs/{job_id}/pause", {"note": "a", "until": at(210)})
    go_to(world, again_at)
    again = api.post(f"/jobs/{job_id}/pause", {"until": at(270)}).json
    assert again["pause"] == {"note": "a", "cause": "request", "since": at(10), "until": at(270)}
    go_to(world, 301)
    assert executed(world) == [(240, 270), (300, 300)]
    assert skips(world, job_id) == [(60, 180, "paused")]
    each_is_accounted_for(world, job_id, world.clock.now_ms())


def test_a_second_pause_may_take_the_end_away(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**DUMMY, schedule='0 * * * *')['id']}"
    api.post(f"{url}/pause", {"until": at(70)})
    go_to(world, 69)
    shown = api.post(f"{url}/pause", {"until": None}).json
    assert (shown["pause"]["until"], shown["next_run_at"]) == (None, None)
    go_to(world, 200)
    assert executed(world) == []
    api.post(f"{url}/resume")
    go_to(world, 201)
    assert executed(world) == [(180, 200)]


def test_a_second_pause_may_give_an_end_to_the_first(api: ApiClient, world: World) -> None:
    job_id = api.create(**DUMMY, schedule="0 * * * *")["id"]
    api.post(f"/jobs/{job_id}/pause", {"note": "for now"})
    go_to(world, 70)
    api.post(f"/jobs/{job_id}/pause", {"until": at(130)})
    go_to(world, 181)
    assert executed(world) == [(120, 130), (180, 180)]
    assert skips(world, job_id) == [(60, 60, "paused")]


def test_another_note_changes_nothing_else(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**DUMMY, schedule='0 * * * *')['id']}"
    first = api.post(f"{url}/pause", {"note": "a", "until": at(90)}).json
    timers = world.timers()
    second = api.post(f"{url}/pause", {"note": "b"}).json
    assert second["pause"] == {**first["pause"], "note": "b"}
    assert world.timers() == timers


def test_another_schedule_during_a_pause_leaves_its_end_and_the_old_one_its_trace(
    api: ApiClient, world: World
) -> None:
    job_id = api.create(**DUMMY, schedule="0 * * * *")["id"]
    go_to(world, 10)
    pause = api.post(f"/jobs/{job_id}/pause", {"note": "a", "until": at(240)}).json["pause"]
    go_to(world, 130)
    edited = api.patch(f"/jobs/{job_id}", {"schedule": "30 * * * *"}).json
    assert edited["pause"] == pause
    go_to(world, 271)
    assert executed(world) == [(210, 240), (270, 270)]
    assert skips(world, job_id) == [(60, 120, "paused"), (150, 150, "paused")]


def test_an_edit_of_anything_else_leaves_a_pause_alone(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**DUMMY, schedule='0 * * * *')['id']}"
    pause = api.post(f"{url}/pause", {"until": at(90)}).json["pause"]
    assert api.patch(url, {"name": "weekly"}).json["pause"] == pause
    go_to(world, 91)
    assert executed(world) == [(60, 90)]


@pytest.mark.parametrize("body", [{}, {"until": at(90)}])
def test_a_trigger_runs_at_once_during_a_pause(api: ApiClient, world: World, body: dict[str, Any]) -> None:
    url = f"/jobs/{api.create(**DUMMY, schedule='0 * * * *')['id']}"
    api.post(f"{url}/pause", body)
    go_to(world, 30)
    api.post(f"{url}/trigger")
    world.deliver()
    assert executed(world) == [(30, 30)]


def test_what_was_rung_before_the_pause_is_refused_and_made_up_at_its_end(
    api: ApiClient, world: World
) -> None:
    job_id = api.create(**DUMMY, schedule="0 * * * *")["id"]
    go_to(world, 59.5)
    assert world.queue.sent, "the message for one o'clock is on its way"
    api.post(f"/jobs/{job_id}/pause", {"until": at(90)})
    go_to(world, 89)
    assert [(run.status, run.skip_reason) for run in world.runs()] == [(RunStatus.SKIPPED, "paused")]
    go_to(world, 91)
    [run] = world.runs()
    assert (run.status, run.skip_reason, run.drift_ms) == (RunStatus.SUCCEEDED, None, 0)
    assert executed(world) == [(60, 90)]


@pytest.mark.parametrize("resume_at", [59.8, 60.5])
def test_a_pause_of_a_few_seconds_loses_nothing_that_was_rung_before(
    api: ApiClient, world: World, resume_at: float
) -> None:
    job_id = api.create(**DUMMY, schedule="0 * * * *")["id"]
    go_to(world, 59.5)
    api.post(f"/jobs/{job_id}/pause")
    go_to(world, resume_at)
    api.post(f"/jobs/{job_id}/resume")
    go_to(world, 62)
    assert executed(world) == [(60, max(60, resume_at))]


@pytest.mark.parametrize(
    ("until", "start", "reason"),
    [
        (59.75, 60, "it ends before the occurrence, which is not held back"),
        (60, 60, "it ends at the very moment of the occurrence"),
        (60.25, 60.25, "it ends shortly after, within the grace"),
    ],
)
def test_a_pause_that_ends_inside_the_horizon_is_rung_at_once(
    api: ApiClient, world: World, until: float, start: float, reason: str
) -> None:
    job_id = api.create(**DUMMY, schedule="0 * * * *", misfire={"policy": "skip"})["id"]
    go_to(world, 59.5)
    api.post(f"/jobs/{job_id}/pause", {"until": at(until)})
    while world.clock.now_ms() < NOON + 61 * MINUTE:
        world.deliver()
        world.clock.ms += SECOND
    assert executed(world) == [(60, start)], reason
    each_is_accounted_for(world, job_id, world.clock.now_ms())


def test_after_an_outage_past_the_end_of_a_pause_each_skip_has_its_own_reason(
    api: ApiClient, world: World
) -> None:
    job_id = api.create(**DUMMY, schedule="0 * * * *")["id"]
    go_to(world, 10)
    api.post(f"/jobs/{job_id}/pause", {"until": at(150)})
    world.clock.ms = NOON + 320 * MINUTE
    go_to(world, 321)
    assert executed(world) == [(300, 320)]
    assert skips(world, job_id) == [(60, 120, "paused"), (180, 240, "misfire")]


def test_a_relaxed_job_does_not_start_before_its_pause_ends(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**DUMMY, schedule='0 * * * *', precision='relaxed')['id']}"
    api.post(f"{url}/pause", {"until": rfc3339(NOON + 90 * MINUTE + 300)})
    go_to(world, 125)
    assert [nominal for nominal, _ in executed(world)] == [60, 120]
    late_ms = [
        world.executed[0][1] - (NOON + 90 * MINUTE + 300),
        world.executed[1][1] - (NOON + 120 * MINUTE),
    ]
    assert all(0 <= late <= 1000 for late in late_ms)


JITTERED = {"kind": "cron", "expression": "*/10 * * * *", "jitter_seconds": 1800}


@pytest.mark.parametrize("policy", ["fire_once", "fire_all", "skip"])
@pytest.mark.parametrize("until", [75, 75.5, 140])
def test_no_occurrence_with_jitter_starts_in_a_pause_and_none_is_lost(
    api: ApiClient, world: World, policy: str, until: float
) -> None:
    job_id = api.create(**DUMMY, schedule=JITTERED, misfire={"policy": policy})["id"]
    go_to(world, 61)
    api.post(f"/jobs/{job_id}/pause", {"until": at(until)})
    go_to(world, 240)
    assert executed(world)
    assert not [start for _, start in executed(world) if 61 < start < until]
    assert len({nominal for nominal, _ in executed(world)}) == len(world.executed)
    each_is_accounted_for(world, job_id, NOON + 200 * MINUTE)


def test_a_pause_of_a_job_with_jitter_holds_back_what_was_due_in_it_though_named_before(
    api: ApiClient, world: World
) -> None:
    """Each occurrence from before the pause whose jitter reaches into it is made up at its end, if all are."""
    job_id = api.create(**DUMMY, schedule=JITTERED, misfire={"policy": "fire_all"})["id"]
    go_to(world, 61)
    started = len(world.executed)
    api.post(f"/jobs/{job_id}/pause", {"until": at(200)})
    go_to(world, 200)
    made_up = [nominal for nominal, start in executed(world)[started:] if start == 200]
    held_back = [nominal for nominal in range(40, 170, 10) if nominal not in dict(executed(world)[:started])]
    assert min(made_up) < 61
    assert set(made_up) >= set(held_back) - {170}


def test_a_pause_of_a_job_that_has_nothing_to_come_is_just_a_pause(api: ApiClient, world: World) -> None:
    url = f"/jobs/{api.create(**DUMMY, schedule={'kind': 'manual'})['id']}"
    shown = api.post(f"{url}/pause", {"until": at(90)}).json
    assert (shown["status"], shown["next_run_at"], world.timers()) == ("paused", None, [])


def test_upcoming_occurrences_of_a_paused_job_begin_at_its_end(api: ApiClient) -> None:
    url = f"/jobs/{api.create(**DUMMY, schedule='0 * * * *')['id']}"
    api.post(f"{url}/pause", {"until": at(120)})
    items = api.get(f"{url}/upcoming?count=2").json["items"]
    assert [item["nominal_at"] for item in items] == [at(120), at(180)]


def test_retries_of_a_run_that_had_begun_go_on_during_a_pause(api: ApiClient, world: World) -> None:
    config = {"fail_attempts": 1}
    retry = {"strategy": "fixed", "initial_delay_seconds": 60, "jitter": "none"}
    attempt = attempts(world.clock, ExecutorSettings())
    world.outcome = lambda job, run: attempt(job, run, world.clock.monotonic() + 30, Contact())
    url = f"/jobs/{api.create(type='dummy', config=config, retry=retry, schedule='0 * * * *')['id']}"
    go_to(world, 60.5)
    api.post(f"{url}/pause", {"until": at(90)})
    go_to(world, 62)
    [run] = world.runs()
    assert (run.status, run.attempt) == (RunStatus.SUCCEEDED, 2)
