"""What a backfill leaves out, how much it may start, and when it is over."""

from dataclasses import replace

import pytest

from chalicelib.domain.backfill import (
    CLAIMS,
    Backfill,
    Candidate,
    LeftOut,
    Reprocess,
    StopReason,
    examined,
    finished,
    is_stalled,
    left_out,
    looked_at,
)
from chalicelib.domain.ids import run_id
from chalicelib.domain.job import Job
from chalicelib.domain.run import Run, RunStatus
from tests.support.world import NOON

JOB = "job_" + "0" * 26
MINUTE = 60_000
FILL = Backfill(
    id="backfill_" + "0" * 26,
    tenant="local",
    job_id=JOB,
    shard=0,
    job="{}",
    start_ms=0,
    end_ms=NOON,
    order="oldest_first",
    reprocess="failed",
    max_active=3,
    limit=None,
    total=10,
    created_ms=NOON,
)


HOURLY = Job(
    name="hourly",
    type="dummy",
    id=JOB,
    tenant="local",
    shard=0,
    schedule_revision=7,
    created_ms=0,
    updated_ms=0,
)


def run(status: RunStatus, at_ms: int = 1000) -> Run:
    return Run(run_id(JOB, at_ms), "local", JOB, status, "schedule", at_ms, at_ms, 1)


S = RunStatus
RULES: list[tuple[RunStatus | None, bool, Reprocess, LeftOut | None, str]] = [
    (None, False, "none", None, "nothing is known of it"),
    (None, True, "none", "skipped", "it lies in a skipped range"),
    (None, True, "failed", None, "a skipped range is made up for"),
    (None, True, "all", None, "a skipped range is made up for"),
    (S.SUCCEEDED, False, "none", "succeeded", "it has a record"),
    (S.SUCCEEDED, False, "failed", "succeeded", "what succeeded is not repeated"),
    (S.SUCCEEDED, False, "all", None, "unless all is wanted"),
    (S.FAILED, False, "none", "failed", "it has a record"),
    (S.FAILED, False, "failed", None, "failed"),
    (S.TIMED_OUT, False, "failed", None, "timed out"),
    (S.TIMED_OUT, False, "none", "failed", "it has a record"),
    (S.CANCELLED, False, "failed", None, "somebody stopped it"),
    (S.CANCELLED, False, "none", "failed", "it has a record"),
    (S.SKIPPED, False, "none", "skipped", "it has a record"),
    (S.SKIPPED, False, "failed", None, "skipped"),
    (S.SKIPPED, True, "all", None, "skipped"),
    (S.PENDING, False, "all", "active", "it is on its way"),
    (S.RUNNING, False, "all", "active", "it is under way"),
    (S.RETRYING, False, "failed", "active", "it goes on"),
]


@pytest.mark.parametrize("reprocess", ["none", "failed", "all"])
def test_what_the_calendar_skips_is_not_made_up_for(reprocess: Reprocess) -> None:
    assert left_out(Candidate(1000, None, skipped=True, by_calendar=True), reprocess) == "calendar"


@pytest.mark.parametrize(("status", "skipped", "reprocess", "expected", "reason"), RULES)
def test_what_is_left_out_follows_from_the_record_and_the_wish(
    status: RunStatus | None, skipped: bool, reprocess: Reprocess, expected: LeftOut | None, reason: str
) -> None:
    candidate = Candidate(1000, run(status) if status else None, skipped)
    assert left_out(candidate, reprocess) == expected, reason


ROOM: list[tuple[Backfill, int | None, int, str]] = [
    (FILL, None, 3, "nothing is active"),
    (replace(FILL, active=("a", "b")), None, 1, "two of three are active"),
    (replace(FILL, active=("a", "b", "c")), None, 0, "full"),
    (replace(FILL, limit=5, claimed=4), None, 1, "one more to the limit"),
    (replace(FILL, limit=5, claimed=5), None, 0, "the limit is reached"),
    (replace(FILL, max_active=100), None, CLAIMS, "as many as a transaction holds"),
    (replace(FILL, stopped="cancelled"), None, 0, "cancelled"),
    (replace(FILL, exhausted=True), None, 0, "nothing is left"),
    (FILL, 1, 1, "the job lets one be active"),
    (replace(FILL, active=("a", "b")), 1, 0, "more than the job lets be active"),
    (FILL, 9, 3, "the job lets more be active"),
]


@pytest.mark.parametrize(("backfill", "slots", "room", "reason"), ROOM, ids=[row[3] for row in ROOM])
def test_the_room_is_what_limit_and_active_runs_leave(
    backfill: Backfill, slots: int | None, room: int, reason: str
) -> None:
    assert backfill.room(slots) == room, reason


def claims_of(backfill: Backfill, *candidates: Candidate, more: bool = False) -> tuple[Backfill, list[int]]:
    after, claims = examined(backfill, candidates, backfill.room(), more=more, job=HOURLY, now_ms=NOON)
    return after, [claim.run.nominal_ms for claim in claims]


def test_it_claims_in_order_while_there_is_room_and_goes_on_after_the_last_it_examined() -> None:
    done = Candidate(2000, run(S.SUCCEEDED, 2000))
    rest = [Candidate(at_ms) for at_ms in (3000, 4000, 5000)]
    after, claimed = claims_of(FILL, Candidate(1000), done, *rest)
    assert claimed == [1000, 3000, 4000]
    assert (after.cursor_ms, after.claimed, after.left_out, len(after.active)) == (
        4000,
        3,
        {"succeeded": 1},
        3,
    )
    assert not after.exhausted


def test_what_follows_the_last_claim_is_not_examined_yet_though_it_would_be_left_out() -> None:
    after, _ = claims_of(replace(FILL, max_active=1), Candidate(1000), Candidate(2000, run(S.SUCCEEDED)))
    assert (after.cursor_ms, after.exhausted) == (1000, False)


@pytest.mark.parametrize(
    ("backfill", "more", "exhausted", "reason"),
    [
        (FILL, False, True, "all were examined"),
        (FILL, True, False, "others follow"),
        (replace(FILL, limit=1), True, True, "the limit is reached"),
    ],
)
def test_it_is_exhausted_when_nothing_is_left_to_examine(
    backfill: Backfill, more: bool, exhausted: bool, reason: str
) -> None:
    assert claims_of(backfill, Candidate(1000), more=more)[0].exhausted == exhausted, reason


def test_an_occurrence_without_a_record_gets_its_own_run_and_one_with_a_record_another() -> None:
    before = run(S.FAILED, 2000)
    _, claims = examined(
        FILL, [Candidate(1000), Candidate(2000, before)], 3, more=False, job=HOURLY, now_ms=NOON
    )
    fresh, again = claims
    assert (fresh.run.id, fresh.instead_of) == (run_id(JOB, 1000), None)
    assert again.run.id != before.id
    assert (again.instead_of, again.run.redrive_of) == (before, before.id)
    assert {claim.run.schedule_revision for claim in claims} == {7}


def test_a_look_counts_what_ended_and_keeps_what_is_active() -> None:
    runs = {str(number): replace(run(status), id=str(number)) for number, status in enumerate(S)}
    seen = looked_at(replace(FILL, active=(*runs, "gone")), runs, job_exists=True)
    assert [runs[name].status for name in seen.active] == [s for s in S if not run(s).is_final]
    assert seen.ended == {**{s.value: 1 for s in S if run(s).is_final}, "EXPIRED": 1}


ENDS: list[tuple[Backfill, str, str]] = [
    (FILL, "running", "there may be more"),
    (replace(FILL, exhausted=True), "completed", "nothing is left and nothing is active"),
    (replace(FILL, exhausted=True, active=("a",)), "running", "one is active"),
    (replace(FILL, stopped="cancelled"), "cancelled", "cancelled"),
    (replace(FILL, stopped="cancelled", active=("a",)), "cancelling", "one is active"),
    (replace(FILL, stopped="job_deleted"), "cancelled", "the job is gone"),
]


@pytest.mark.parametrize(("backfill", "status", "reason"), ENDS, ids=[row[2] for row in ENDS])
def test_it_is_over_when_nothing_is_left_to_start_and_nothing_is_active(
    backfill: Backfill, status: str, reason: str
) -> None:
    assert finished(backfill, NOON).status == status, reason


@pytest.mark.parametrize(
    ("stopped", "job_exists", "expected"),
    [(None, True, None), (None, False, "job_deleted"), ("cancelled", False, "cancelled")],
)
def test_a_job_that_is_gone_stops_it(
    stopped: StopReason | None, job_exists: bool, expected: StopReason | None
) -> None:
    assert looked_at(replace(FILL, stopped=stopped), {}, job_exists=job_exists).stopped == expected


STALLED: list[tuple[Run, int, bool, str]] = [
    (run(S.PENDING, NOON), 1, False, "on its way"),
    (run(S.PENDING, NOON), 2, True, "two minutes late"),
    (run(S.PENDING, NOON), 3, False, "it was rung a minute ago"),
    (run(S.PENDING, NOON), 7, True, "once more after five minutes"),
    (replace(run(S.RETRYING), retry_ms=NOON), 1, False, "its retry is near"),
    (replace(run(S.RETRYING), retry_ms=NOON), 2, True, "its retry is late"),
    (replace(run(S.RUNNING), lease_ms=NOON), 1, False, "its message comes again by itself"),
    (replace(run(S.RUNNING), lease_ms=NOON), 2, True, "it did not"),
    (run(S.SUCCEEDED, NOON), 2, False, "it is over"),
]


@pytest.mark.parametrize(
    ("subject", "minutes", "expected", "reason"), STALLED, ids=[row[3] for row in STALLED]
)
def test_a_run_that_should_have_moved_on_is_rung_again_but_not_each_minute(
    subject: Run, minutes: int, expected: bool, reason: str
) -> None:
    assert is_stalled(subject, NOON + minutes * MINUTE) == expected, reason
