"""What holds for any schedule, from any moment."""

from contextlib import suppress
from itertools import islice, pairwise
from time import process_time

from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from chalicelib.domain.occurrences import Timetable, timetable
from chalicelib.domain.schedule import SCHEDULE, CronSchedule
from tests.support.clock_changes import moments
from tests.support.expressions import generate

CHANGES = moments()
EXPRESSIONS = [made.text for made in generate(400, seed=11)]
HOUR_MS = 3_600_000


@st.composite
def timetables(draw: st.DrawFn) -> tuple[Timetable, int]:
    """A timetable and a moment near one of its zone's changes."""
    zone, change = draw(st.sampled_from(CHANGES))
    expression = draw(st.sampled_from(EXPRESSIONS))
    seconds = draw(st.sampled_from(["", "*/20 ", "59 ", "0,30 "]))
    schedule = CronSchedule(
        expression=seconds + expression, timezone=zone, dst=draw(st.sampled_from(["once", "skip", "literal"]))
    )
    start = change * 1000 + draw(st.integers(-50 * HOUR_MS, 30 * HOUR_MS))
    return timetable(schedule, job_id="job", created_ms=start), start


@settings(max_examples=300, deadline=None)
@given(timetables())
def test_occurrences_increase_strictly(made: tuple[Timetable, int]) -> None:
    times, start = made
    found = list(islice(times.between(start, start + 100 * HOUR_MS), 300))
    assert all(earlier < later for earlier, later in pairwise([start - 1, *found]))
    assert all(at % 1000 == 0 for at in found)


@settings(max_examples=300, deadline=None)
@given(timetables(), st.integers(0, 60 * HOUR_MS))
def test_starting_anywhere_gives_the_same_sequence(made: tuple[Timetable, int], later_ms: int) -> None:
    times, start = made
    restart, end = start + later_ms, start + 60 * HOUR_MS
    whole = [at for at in islice(times.between(start, end), 500) if at >= restart]
    assert list(islice(times.between(restart, end), len(whole))) == whole


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        [{"kind": "cron", "expression": e} for e in EXPRESSIONS] + [{"kind": "interval", "every": 2700.5}]
    ),
    st.integers(0, 10**12),
    st.integers(1, 10**9),
    st.integers(1, 20),
)
def test_occurrences_stay_inside_their_bounds(
    schedule: dict[str, object], start_s: int, length_s: int, max_runs: int
) -> None:
    start_s = 10**8 + start_s % (6 * 10**9)
    bounded = SCHEDULE.validate_python(schedule).model_copy(update={"max_runs": max_runs})
    times = timetable(bounded, job_id="job", created_ms=start_s * 1000)
    found = list(times.between(start_s * 1000 + 1, (start_s + length_s) * 1000))
    assert len(found) <= max_runs
    assert all(start_s < at / 1000 < start_s + length_s for at in found)


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="0123456789*,-/#LHRW?@()MONFRIJAN  ", max_size=40))
@example("* * * * */9999999999")
@example("H(0-59)/59 H(0-23)/23 H(1-31)/31 H H")
@example("0-59,0-59,0-59/1 * * * *")
@example("59 59 23 L 2 7#5")
def test_any_text_is_refused_or_answered_quickly(text: str) -> None:
    began = process_time()
    with suppress(ValidationError):
        schedule = SCHEDULE.validate_python({"kind": "cron", "expression": text, "timezone": "Europe/Berlin"})
        timetable(schedule, job_id="job", created_ms=0).next_after(1_774_656_000_000)
    assert process_time() - began < 0.2, "the first parse also imports the parser"
