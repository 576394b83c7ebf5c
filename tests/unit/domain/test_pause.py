"""When a job rests, and what pausing and resuming make of it."""

from typing import Any

import pytest

from chalicelib.domain.pause import PauseFields, falls_into_pause, is_paused, paused, resumed
from tests.support.jobs import some_job
from tests.support.world import NOON

MINUTE = 60_000
RESTING = {"status": "paused", "paused_ms": NOON}

STATES: list[tuple[dict[str, Any], int, bool, str]] = [
    ({}, 0, False, "it was never paused"),
    (RESTING, 0, True, "it waits to be resumed"),
    (RESTING, 10_000 * MINUTE, True, "however long"),
    ({**RESTING, "paused_until_ms": NOON + MINUTE}, 1 * MINUTE - 1, True, "a millisecond before the end"),
    ({**RESTING, "paused_until_ms": NOON + MINUTE}, 1 * MINUTE, False, "the end is no part of the pause"),
    ({"paused_ms": NOON, "paused_until_ms": NOON + MINUTE}, 0, False, "it was resumed"),
]


@pytest.mark.parametrize(("fields", "later_ms", "rests", "reason"), STATES, ids=[row[3] for row in STATES])
def test_a_job_rests_until_it_is_resumed_or_the_moment_has_come(
    fields: dict[str, Any], later_ms: int, rests: bool, reason: str
) -> None:
    assert is_paused(some_job(**fields), NOON + later_ms) is rests, reason


PLACES: list[tuple[int | None, int, int, bool, str]] = [
    (None, 0, 0, False, "what is due as the pause begins is not held back by it"),
    (None, 1, 0, True, "just after"),
    (60, 59, 0, True, "before the end"),
    (60, 60, 0, False, "at the end"),
    (60, -29, 30, True, "with its jitter it may have been due in the pause"),
    (60, -30, 30, False, "even with all of its jitter it was not"),
]


@pytest.mark.parametrize(
    ("end", "place", "jitter", "inside", "reason"), PLACES, ids=[row[4] for row in PLACES]
)
def test_an_occurrence_falls_into_the_pause_that_held_it_back(
    end: int | None, place: int, jitter: int, inside: bool, reason: str
) -> None:
    until_ms = None if end is None else NOON + end * MINUTE
    job = some_job(**RESTING, paused_until_ms=until_ms)
    assert falls_into_pause(job, NOON + place * MINUTE, jitter * MINUTE) is inside, reason


PAUSES: list[tuple[dict[str, Any], PauseFields, dict[str, Any], str]] = [
    ({}, {}, {"status": "paused", "paused_ms": NOON, "revision": 2, "schedule_revision": 1}, "simply"),
    ({}, {"pause_note": "why"}, {"pause_note": "why", "schedule_revision": 1}, "with a note"),
    (
        {},
        {"paused_until_ms": NOON + 5},
        {"paused_until_ms": NOON + 5, "schedule_revision": 2},
        "a new timer follows",
    ),
    (RESTING, {}, {"revision": 1}, "nothing new"),
    (RESTING, {"pause_note": None}, {"revision": 1}, "nothing new, in so many words"),
    (RESTING, {"pause_note": "why"}, {"pause_note": "why", "revision": 2, "schedule_revision": 1}, "a note"),
    (
        {**RESTING, "paused_until_ms": NOON + 5, "pause_note": "why"},
        {"paused_until_ms": NOON + 9},
        {"paused_until_ms": NOON + 9, "pause_note": "why", "paused_ms": NOON, "schedule_revision": 2},
        "another end, and what was rung for the first one is stale",
    ),
    (
        {**RESTING, "paused_until_ms": NOON + 5},
        {"paused_until_ms": None},
        {"paused_until_ms": None, "schedule_revision": 2},
        "no end any more",
    ),
    (
        {**RESTING, "paused_ms": NOON - 9, "paused_until_ms": NOON - 5, "pause_note": "old"},
        {},
        {"paused_ms": NOON, "paused_until_ms": None, "pause_note": None, "schedule_revision": 1},
        "a pause that is over has nothing to do with a new one",
    ),
]


@pytest.mark.parametrize(("before", "given", "after", "reason"), PAUSES, ids=[row[3] for row in PAUSES])
def test_a_pause_gets_what_it_is_given(
    before: dict[str, Any], given: PauseFields, after: dict[str, Any], reason: str
) -> None:
    job = paused(some_job(**before), NOON, given)
    assert {name: getattr(job, name) for name in after} == after, reason


def test_a_resumed_job_remembers_when_it_rested_but_not_why() -> None:
    job = resumed(some_job(**RESTING, pause_note="why", pause_cause="failures"), NOON + MINUTE)
    assert (job.status, job.paused_ms, job.paused_until_ms) == ("active", NOON, NOON + MINUTE)
    assert (job.pause_note, job.pause_cause, job.schedule_revision) == (None, None, 2)


@pytest.mark.parametrize(
    "fields", [{}, {**RESTING, "paused_until_ms": NOON - 1}], ids=["never paused", "its pause is over"]
)
def test_a_job_that_does_not_rest_cannot_be_resumed(fields: dict[str, Any]) -> None:
    job = some_job(**fields)
    assert resumed(job, NOON) is job
