"""When each shard has its turn, and what is made of a job that has no timer. Hours and minutes after noon."""

from typing import Any

import pytest

from chalicelib.domain.calendar_use import CalendarUse
from chalicelib.domain.calendars import CalendarContent, day_calendar
from chalicelib.engine.audit.roster import ROUND_MS, SLACK_MS, Mend, Prove, begun, judge, turns
from chalicelib.engine.ringing.journal import GRACE_MS
from chalicelib.engine.wheel.arm import timetable_of
from chalicelib.engine.wheel.calendars import NO_CALENDARS, calendar_key
from tests.support.jobs import some_job
from tests.support.world import NOON

MINUTE, HOUR = 60_000, 3_600_000
SHARDS = range(1, 64, 4)
LENGTH = ROUND_MS // len(SHARDS)


def test_each_shard_has_one_turn_an_hour_evenly_spread() -> None:
    repaired_ms, seen = begun(SHARDS, NOON), []
    for minute in range(1, 61):
        now_ms = NOON + minute * MINUTE
        for turn in turns(SHARDS, repaired_ms, now_ms):
            seen.append((minute, turn.shard))
            repaired_ms = turn.until_ms
    assert sorted(shard for _, shard in seen) == list(SHARDS)
    assert max(minutes.count(minute) for minutes in [[m for m, _ in seen]] for minute in minutes) == 1


def test_a_turn_looks_back_to_the_shards_last_one_and_an_hour_more() -> None:
    [turn] = turns(SHARDS, NOON, NOON)
    assert (turn.since_ms, turn.until_ms) == (NOON - ROUND_MS - SLACK_MS, NOON + LENGTH)


def test_turns_that_were_missed_are_made_up_each_shard_once_and_look_back_to_the_last_that_was_done() -> None:
    late_ms = NOON + 7 * HOUR
    due = turns(SHARDS, NOON, late_ms)
    assert sorted(turn.shard for turn in due) == list(SHARDS)
    assert max(turn.until_ms for turn in due) > late_ms
    for turn in due:
        assert NOON - ROUND_MS - SLACK_MS <= turn.since_ms < NOON - SLACK_MS
    assert turns(SHARDS, due[-1].until_ms, late_ms) == []


def test_nobody_has_a_turn_before_the_first_one_is_known() -> None:
    assert turns(SHARDS, None, NOON) == []
    assert turns([], NOON, NOON) == []
    assert turns(SHARDS, begun(SHARDS, NOON + 1), NOON + 1) == []


def judged(schedule: Any, now_ms: int, *, since_ms: int = NOON, **fields: Any) -> Any:
    job = some_job(schedule, **fields)
    return judge(job, NO_CALENDARS, since_ms=since_ms, now_ms=now_ms, horizon_ms=2 * MINUTE)


def once(minutes: int) -> dict[str, str]:
    return {"kind": "once", "at": f"2027-01-15T12:{minutes:02}:00Z"}


NOW = NOON + 30 * MINUTE


@pytest.mark.parametrize(
    ("schedule", "fields", "expected", "why"),
    [
        ("* * * * *", {}, 1, "from the first occurrence that may be lost"),
        ("0 * * * *", {}, 60, "what comes next, where nothing is lost"),
        (once(40), {}, 40, "it is still to come"),
        (once(31), {}, "wait", "it is inside the horizon: dispatched, and on the journal"),
        (once(29), {}, "wait", "its message may still be under way"),
        (once(20), {}, 20, "it should have a record"),
        (
            {"kind": "once", "at": "2027-01-15T11:00:00Z"},
            {},
            "retire",
            "it is over, and was looked at before",
        ),
        ({"kind": "manual"}, {}, "wait", "it needs no timer, and is not on the roster"),
        ("* * * * *", {"status": "paused", "paused_ms": NOON}, "wait", "nor does this"),
        (
            "0 * * * *",
            {"status": "paused", "paused_ms": NOON, "paused_until_ms": NOON + 90 * MINUTE},
            60,
            "the pause has an end, and the timer is parked until then",
        ),
        (
            once(0),
            {"status": "paused", "paused_ms": NOON, "paused_until_ms": NOON + HOUR},
            "retire",
            "nothing comes after the pause",
        ),
        ("* * * * *", {"schedule_ms": NOON + 20 * MINUTE}, 21, "not before it was edited"),
    ],
)
def test_what_is_made_of_a_job_without_a_timer(
    schedule: Any, fields: dict[str, Any], expected: int | str, why: str
) -> None:
    found = judged(schedule, NOW, **fields)
    if isinstance(found, Mend | Prove):
        assert (found.timer.nominal_ms - NOON) // MINUTE == expected, why
    else:
        assert found == expected, why


def test_what_is_over_is_proved_by_its_last_run() -> None:
    found = judged({"kind": "interval", "every": 60, "max_runs": 5}, NOW)
    assert isinstance(found, Prove)
    assert found.last_ms == NOON + 5 * MINUTE
    assert found.timer.nominal_ms == NOON + MINUTE


def test_jitter_lets_the_last_run_come_late() -> None:
    late = {**once(20), "jitter_seconds": 3600}
    due_ms = timetable_of(some_job(late)).due(NOON + 20 * MINUTE)
    assert judged(late, due_ms + GRACE_MS - 1) == "wait"
    assert isinstance(judged(late, due_ms + GRACE_MS), Prove)


def test_what_a_calendar_leaves_out_must_be_on_record_too() -> None:
    friday = day_calendar(CalendarContent.model_validate({"excluded": {"weekdays": ["FRI"]}}))
    job = some_job(once(20), calendar=CalendarUse(name="closed"))
    calendars = {calendar_key(job.tenant, "closed"): friday}
    found = judge(job, calendars, since_ms=NOON, now_ms=NOW, horizon_ms=2 * MINUTE)
    assert isinstance(found, Prove)
    assert found.last_ms == NOON + 20 * MINUTE
