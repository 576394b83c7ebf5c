"""What a timeline says of an occurrence, decided from revisions, runs and skipped ranges."""

from dataclasses import replace
from typing import Any, get_args

import pytest

from chalicelib.domain.ids import run_id
from chalicelib.domain.run import Run, RunStatus, SkipReason
from chalicelib.engine.ledger.revisions import Revision
from chalicelib.engine.ledger.sentences import ENDED, WHY_SKIPPED
from chalicelib.engine.ledger.skips import SkipRecord
from chalicelib.engine.ledger.timeline import Entry, occurrences, segments_of, timeline
from tests.support.world import NOON

HOUR, DAY = 3_600_000, 86_400_000
JOB = "job_" + "0" * 26
Row = tuple[int, dict[str, Any]]


def revisions(*rows: Row) -> list[Revision]:
    """Each row is a moment in hours after noon, and what the job was from then on."""
    document: dict[str, Any] = {
        "id": JOB,
        "type": "dummy",
        "tenant": "local",
        "shard": 0,
        "status": "active",
        "schedule_revision": 1,
        "schedule": {"kind": "cron", "expression": "0 * * * *"},
        "created_ms": NOON,
        "timeout_seconds": 30,
        "precision": "exact",
        "misfire": {},
    }
    found = []
    for number, (hours, fields) in enumerate(rows, start=1):
        document = {**document, **fields, "updated_ms": NOON + hours * HOUR}
        found.append(Revision(number, document))
    return found


def run_at(hours: int, status: RunStatus, reason: SkipReason | None = None) -> Run:
    nominal_ms = NOON + hours * HOUR
    return Run(
        id=run_id(JOB, nominal_ms),
        tenant="local",
        job_id=JOB,
        status=status,
        trigger="schedule",
        nominal_ms=nominal_ms,
        due_ms=nominal_ms,
        schedule_revision=1,
        skip_reason=reason,
    )


def entries(
    history: list[Revision], now: int, *, runs: tuple[Run, ...] = (), skips: tuple[SkipRecord, ...] = ()
) -> dict[int, Entry]:
    """The entries of a day, by the hour after noon."""
    segments = segments_of(history)
    wanted = list(occurrences(segments, NOON, NOON + DAY, echo_ms=3 * HOUR))
    found = timeline(
        wanted,
        segments,
        {run.nominal_ms: run for run in runs},
        skips,
        now_ms=NOON + now * HOUR + 1,
        retention_ms=30 * DAY,
    )
    return {(entry.occurrence.nominal_ms - NOON) // HOUR: entry for entry in found}


PAUSED: dict[str, Any] = {"status": "paused", "paused_ms": NOON + 2 * HOUR}
RESUMED: dict[str, Any] = {"status": "active", "schedule_revision": 2, "paused_ms": None}
EDITED: dict[str, Any] = {
    "schedule": {"kind": "cron", "expression": "0 0 * * *"},
    "schedule_revision": 2,
}
RENAMED = {"name": "other"}
DELETED = {"status": "deleted"}

DERIVED: list[tuple[tuple[Row, ...], int, int, tuple[str, str | None], str]] = [
    (((0, {}),), 1, 3, ("upcoming", None), "still to come"),
    (((0, {}),), 3, 2, ("pending", None), "due, and no record yet"),
    (((0, {}),), 999, 2, ("unknown", None), "older than records are kept"),
    (((0, {}), (2, RENAMED)), 3, 1, ("pending", None), "a rename stops nothing"),
    (((0, {}), (2, EDITED)), 3, 1, ("skipped", "superseded"), "edited before the dispatcher saw it"),
    (
        ((0, {}), (2, EDITED)),
        3,
        2,
        ("skipped", "superseded"),
        "at the moment of the edit it is the old one's",
    ),
    (((0, {}), (2, RENAMED), (3, EDITED)), 4, 1, ("skipped", "superseded"), "edited later"),
    (((0, {}), (2, DELETED)), 3, 1, ("skipped", "superseded"), "deleted before the dispatcher saw it"),
    (((0, {}), (2, PAUSED)), 4, 1, ("skipped", "paused"), "paused before the dispatcher saw it"),
    (((0, {}), (2, PAUSED)), 4, 3, ("skipped", "paused"), "in the pause"),
    (((0, {}), (2, PAUSED)), 4, 5, ("upcoming", "paused"), "it would come, but for the pause"),
    (((0, {}), (2, PAUSED), (6, RESUMED)), 6, 3, ("pending", None), "just resumed: the misfire rule decides"),
    (((0, {}), (2, PAUSED), (6, RESUMED)), 999, 3, ("unknown", None), "a resume long ago"),
    (
        ((0, {}), (2, PAUSED), (6, RESUMED), (7, {**EDITED, "schedule_revision": 3})),
        7,
        3,
        ("skipped", "paused"),
        "resumed, and edited before the dispatcher saw it",
    ),
    (((0, {}), (2, PAUSED), (6, RESUMED), (7, DELETED)), 7, 3, ("skipped", "paused"), "resumed and deleted"),
    (((0, {}), (2, PAUSED), (3, RENAMED), (6, RESUMED)), 6, 3, ("pending", None), "renamed in the pause"),
    (
        ((0, {}), (2, PAUSED), (4, {**EDITED, "paused_ms": NOON + 4 * HOUR}), (6, RESUMED)),
        6,
        3,
        ("skipped", "paused"),
        "an edit in the pause: what lies before it is not caught up",
    ),
    (((0, {}), (2, PAUSED), (4, DELETED)), 5, 3, ("skipped", "paused"), "deleted in the pause"),
    (
        ((0, {}), (2, {**PAUSED, "paused_until_ms": NOON + 5 * HOUR})),
        4,
        3,
        ("skipped", "paused"),
        "in a pause that ends by itself",
    ),
    (
        ((0, {}), (2, {**PAUSED, "paused_until_ms": NOON + 5 * HOUR})),
        4,
        5,
        ("upcoming", None),
        "after a pause that ends by itself",
    ),
    (
        ((0, {}), (2, {**PAUSED, "paused_until_ms": NOON + 5 * HOUR})),
        5,
        3,
        ("pending", None),
        "a pause that ended by itself just now",
    ),
]


@pytest.mark.parametrize(
    ("rows", "now", "hour", "expected", "reason"), DERIVED, ids=[row[4] for row in DERIVED]
)
def test_without_a_record_the_revisions_say_what_became_of_it(
    rows: tuple[Row, ...], now: int, hour: int, expected: tuple[str, str | None], reason: str
) -> None:
    entry = entries(revisions(*rows), now)[hour]
    assert (entry.outcome, entry.reason) == expected, reason
    assert entry.explanation.endswith(".")


RANGE = SkipRecord(NOON + HOUR, NOON + 3 * HOUR, "misfire")
RECORDED: list[tuple[tuple[Run, ...], tuple[SkipRecord, ...], tuple[str, str | None], str]] = [
    ((run_at(2, RunStatus.SUCCEEDED),), (), ("run", None), "a run"),
    ((run_at(2, RunStatus.SUCCEEDED),), (RANGE,), ("run", None), "a run outranks a range: it was caught up"),
    ((run_at(2, RunStatus.SKIPPED, "overlap"),), (RANGE,), ("skipped", "overlap"), "so does a single skip"),
    ((), (RANGE,), ("skipped", "misfire"), "a range"),
    (
        (),
        (RANGE, replace(RANGE, first_ms=NOON + 2 * HOUR, reason="calendar")),
        ("skipped", "calendar"),
        "two",
    ),
    ((), (replace(RANGE, last_ms=NOON + HOUR),), ("pending", None), "a range that ends before"),
    ((), (replace(RANGE, first_ms=NOON + 2 * HOUR, last_ms=NOON + 2 * HOUR),), ("skipped", "misfire"), "one"),
]


@pytest.mark.parametrize(("runs", "skips", "expected", "reason"), RECORDED, ids=[row[3] for row in RECORDED])
def test_a_record_says_what_became_of_it(
    runs: tuple[Run, ...], skips: tuple[SkipRecord, ...], expected: tuple[str, str | None], reason: str
) -> None:
    entry = entries(revisions((0, {})), 3, runs=runs, skips=skips)[2]
    assert (entry.outcome, entry.reason) == expected, reason


def test_each_revision_has_its_own_occurrences_until_the_next() -> None:
    found = entries(revisions((0, {}), (2, {**EDITED, "schedule": "0 */3 * * *"}), (7, DELETED)), 20)
    assert list(found) == [1, 2, 3, 6]
    assert [entry.occurrence.segment.number for entry in found.values()] == [1, 1, 2, 2]


def test_what_was_dispatched_for_nothing_is_told_where_it_left_a_record() -> None:
    history = revisions((0, {}), (2, {**EDITED, "schedule": {"kind": "manual"}}))
    assert list(entries(history, 6)) == [1, 2]
    left = run_at(3, RunStatus.SKIPPED, "superseded")
    entry = entries(history, 6, runs=(left,))[3]
    assert (entry.outcome, entry.reason, entry.occurrence.theoretical) == ("skipped", "superseded", False)


def test_a_revision_whose_schedule_cannot_be_read_has_no_occurrences_and_says_so() -> None:
    segments = segments_of(revisions((0, {}), (2, {"schedule": {"kind": "lunar"}})))
    assert [segment.job is None for segment in segments] == [False, True]
    assert [each.nominal_ms for each in occurrences(segments, NOON, NOON + DAY, echo_ms=1)] == [
        NOON + HOUR,
        NOON + 2 * HOUR,
    ]


def test_every_state_of_a_run_and_every_skip_reason_has_its_sentence() -> None:
    assert set(ENDED) == set(RunStatus)
    assert set(WHY_SKIPPED) == set(get_args(SkipReason))
