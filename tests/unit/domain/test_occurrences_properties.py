"""What holds for any schedule, from any moment."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.instants import epoch_ms
from chalicelib.domain.occurrences import Timetable, timetable
from chalicelib.domain.schedule import SCHEDULE, Schedule
from tests.support.clock_changes import kinds
from tests.support.expressions import generate
from tests.support.wall_clock import RULES

CHANGES = [(change.zone, change.at * 1000) for change in kinds()]
EXPRESSIONS = [made.text for made in generate(400, seed=11, seconds=0.3)]
HOUR_MS = 3_600_000
SPAN_MS = 60 * HOUR_MS
SOME = 300


@st.composite
def cases(draw: st.DrawFn) -> tuple[Schedule, int, int]:
    """A schedule of any kind, when its job was created, and a moment near a change of its zone."""
    zone, change_ms = draw(st.sampled_from(CHANGES))
    at_ms = change_ms + draw(st.integers(-50 * HOUR_MS, 30 * HOUR_MS))

    def moment() -> str:
        offset_ms = draw(st.integers(-80 * HOUR_MS, 80 * HOUR_MS))
        return (datetime.fromtimestamp(at_ms // 1000, UTC) + timedelta(milliseconds=offset_ms)).isoformat()

    kind = draw(st.sampled_from(["cron", "interval", "once"]))
    fields: dict[str, Any] = {"kind": kind, "jitter_seconds": draw(st.sampled_from([0, 1, 3600]))}
    if kind == "cron":
        fields |= {"expression": draw(st.sampled_from(EXPRESSIONS)), "timezone": zone}
        fields |= {"dst": draw(st.sampled_from(RULES))}
    elif kind == "interval":
        fields |= {"every": draw(st.sampled_from([1, 2.5, 59.999, 3600, "PT25H"]))}
        fields |= {"anchor": draw(st.sampled_from([None, moment()]))}
    else:
        fields |= {"at": moment()}
    start_at, end_at = sorted([moment(), moment()])
    fields |= {"start_at": start_at} if draw(st.booleans()) else {}
    fields |= {"end_at": end_at} if draw(st.booleans()) and start_at < end_at else {}
    fields |= {"max_runs": draw(st.integers(1, 50))} if draw(st.booleans()) else {}
    return SCHEDULE.validate_python(fields), at_ms + draw(st.integers(-80 * HOUR_MS, 80 * HOUR_MS)), at_ms


def table(schedule: Schedule, created_ms: int) -> Timetable:
    return timetable(schedule, job_id="job", created_ms=created_ms)


@settings(max_examples=500, deadline=None)
@given(cases())
def test_occurrences_increase_strictly(case: tuple[Schedule, int, int]) -> None:
    schedule, created_ms, at_ms = case
    found = list(islice(table(schedule, created_ms).between(at_ms, at_ms + SPAN_MS), SOME))
    assert all(earlier < later for earlier, later in pairwise([at_ms - 1, *found, at_ms + SPAN_MS]))


@settings(max_examples=500, deadline=None)
@given(cases())
def test_occurrences_stay_inside_their_bounds(case: tuple[Schedule, int, int]) -> None:
    schedule, created_ms, at_ms = case
    times = table(schedule, created_ms)
    for found in islice(times.between(at_ms, at_ms + SPAN_MS), SOME):
        assert schedule.start_at is None or epoch_ms(schedule.start_at) <= found
        assert schedule.end_at is None or found < epoch_ms(schedule.end_at)
        assert times.covers(found)


@settings(max_examples=500, deadline=None)
@given(cases(), st.integers(0, SPAN_MS))
def test_starting_anywhere_gives_the_same_sequence(case: tuple[Schedule, int, int], later_ms: int) -> None:
    schedule, created_ms, at_ms = case
    times, restart_ms, end_ms = table(schedule, created_ms), at_ms + later_ms, at_ms + SPAN_MS
    whole = [at for at in islice(times.between(at_ms, end_ms), SOME) if at >= restart_ms]
    assert list(islice(times.between(restart_ms, end_ms), len(whole))) == whole


@settings(max_examples=500, deadline=None)
@given(cases())
def test_a_count_keeps_the_first_occurrences_since_start_or_creation(case: tuple[Schedule, int, int]) -> None:
    schedule, created_ms, _ = case
    count = schedule.max_runs or 1
    counted = table(schedule.model_copy(update={"max_runs": count}), created_ms)
    endless = table(schedule.model_copy(update={"max_runs": None}), created_ms)
    since_ms = created_ms + 1
    if schedule.start_at:
        since_ms = max(since_ms, epoch_ms(schedule.start_at))
    far_ms = since_ms + 200 * 366 * 24 * HOUR_MS
    assert list(islice(counted.between(since_ms, far_ms), count + 1)) == list(
        islice(endless.between(since_ms, far_ms), count)
    )


@settings(max_examples=300, deadline=None)
@given(cases())
def test_jitter_delays_by_no_more_than_it_may(case: tuple[Schedule, int, int]) -> None:
    schedule, created_ms, at_ms = case
    times = table(schedule, created_ms)
    for found in islice(times.between(at_ms, at_ms + SPAN_MS), 20):
        assert 0 <= times.due(found) - found <= schedule.jitter_seconds * 1000
