"""Any text as an expression, a zone, a duration or a moment is accepted or refused in words, and never hangs.

Each run tries the same texts, so that what fails, fails again. FUZZ_EXAMPLES=50000 in the environment tries others.
"""

import os
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from chalicelib.domain.describe import words
from chalicelib.domain.occurrences import timetable
from chalicelib.domain.schedule import SCHEDULE
from chalicelib.domain.schedule_warnings import warnings
from tests.support.expressions import generate
from tests.support.steps import STEPS_IN_50_MS, at_most

EXPRESSIONS = [made.text for made in generate(200, seed=5, seconds=0.3)] + [
    "H H(0-5) * * *",
    "H/15 2 * * *",
    "0 0 L * *",
    "0 0 * * 5#2",
    "0 0 * * FRIL",
    "@weekly",
]
ZONES = ["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5"]
DURATIONS = ["PT1H30M", "P2W", "P1DT2H3M4.5S", "90"]
MOMENTS = ["2026-05-01T09:00:00Z", "2026-05-01T11:00:00.123456+02:00", "20260501T090000Z"]
ODD = "0123456789*,-/#LHRW?@().:+PTDZSUNJAN \t\n\0٣²１Ⅷ½eE_xi\u202e\ud800é"
"""What expressions are made of, and what only looks like it: digits of other scripts, marks, half a character."""
CODES = {
    "cron_expression",
    "never_fires",
    "unknown_time_zone",
    "duration",
    "duration_out_of_range",
    "moment",
    "moment_without_offset",
    "moment_out_of_range",
    "end_before_start",
    "string_too_short",
    "string_too_long",
    "string_unicode",
    "string_type",
}
FUZZ = int(os.environ.get("FUZZ_EXAMPLES", "0"))
NOW_MS = 1_774_656_000_000
SCHEDULE.validate_python("0 9 * * *")  # the first of all also imports the parser


def texts(samples: list[str]) -> st.SearchStrategy[str]:
    """Anything at all; and samples with some characters put in, left out, or put in their place, or repeated."""

    @st.composite
    def mutated(draw: st.DrawFn) -> str:
        text = draw(st.sampled_from(samples))
        for _ in range(draw(st.integers(1, 4))):
            place = draw(st.integers(0, len(text)))
            put = draw(st.text(alphabet=ODD, max_size=3)) * draw(st.sampled_from([1, 1, 1, 1, 40, 200]))
            text = text[:place] + put + text[place + draw(st.integers(0, 2)) :]
        return text

    odd = st.text(alphabet=ODD, max_size=60)
    return st.one_of(st.text(st.characters(), max_size=600), odd, mutated(), mutated())


def take(given_: dict[str, Any]) -> None:
    """Accepted, then it can be used; or refused, then with a known code, a place and a sentence."""
    with at_most(STEPS_IN_50_MS):
        try:
            schedule = SCHEDULE.validate_python(given_)
        except ValidationError as refused:
            errors = refused.errors()
            assert {error["type"] for error in errors} <= CODES, errors
            assert all(error["msg"] and error["loc"] for error in errors)
            return
        timetable(schedule, job_id="job", created_ms=NOW_MS).next_after(NOW_MS)
    warnings(schedule, now_ms=NOW_MS, job_id="job")
    assert words(schedule, job_id="job")


CRON = {"kind": "cron", "timezone": "Europe/Berlin"}
HOURLY = {"kind": "interval", "every": 3600}


@settings(max_examples=FUZZ or 1500, derandomize=not FUZZ, deadline=None)
@given(texts(EXPRESSIONS))
@example("* * * * */9999999999")
@example("H(0-59)/59 H(0-23)/23 H(1-31)/31 H H")
@example("0-59,0-59,0-59/1 * * * *")
@example("1-2-3-4/5/6 * * * *")
@example("0-59/1-5 * * * *")
@example(",".join(["0-59"] * 100) + " * * * *")
@example("9" * 512)
@example("9" * 400 + " * * * *")
@example("59 59 23 L 2 7#5")
@example("0 0 29 2 MON")
@example("0 0 1 MAY-0 0")
@example("٣ * * * *")
@example("１ * * * *")
@example("0 0 * * " + "L5," * 100 + "L5")
@example("H(" * 100 + ")" * 100 + " * * * *")
@example("0 0 ? * 1#²")
@example("@" * 512)
def test_any_text_as_an_expression(text: str) -> None:
    take(CRON | {"expression": text})
    take(CRON | {"expression": text, "day_match": "all", "dst": "literal", "max_runs": 10_000})


@settings(max_examples=FUZZ or 600, derandomize=not FUZZ, deadline=None)
@given(texts(ZONES))
@example("../../etc/passwd")
@example("Europe/Berlin\0")
@example("europe/berlin" * 500)
@example("a" * 100_000)
def test_any_text_as_a_zone(text: str) -> None:
    take({"kind": "cron", "expression": "0 9 * * *", "timezone": text})


@settings(max_examples=FUZZ or 600, derandomize=not FUZZ, deadline=None)
@given(texts(DURATIONS))
@example("P" + "9" * 10_000 + "D")
@example("PT" + "1H" * 1000)
@example("PT1" + "0" * 63 + "S")
@example("PT٣S")
@example("PT1.5H")
def test_any_text_as_a_duration(text: str) -> None:
    take({"kind": "interval", "every": text})


@settings(max_examples=FUZZ or 600, derandomize=not FUZZ, deadline=None)
@given(st.one_of(st.integers(), st.floats(), st.integers(10**300, 10**400)))
@example(2**63)
@example(0.1 + 0.9)
def test_any_number_as_a_duration(number: float) -> None:
    take({"kind": "interval", "every": number})


@settings(max_examples=FUZZ or 600, derandomize=not FUZZ, deadline=None)
@given(texts(MOMENTS))
@example("2026-05-01T09:00:00+99:99")
@example("9999-12-31T23:59:59-23:59")
@example("2026-W18-5T09:00:00Z")
@example("2026-05-01T24:00:00Z")
@example("２026-05-01T09:00:00Z")
@example("2026-05-01T09:00:00." + "9" * 10_000 + "Z")
def test_any_text_as_a_moment(text: str) -> None:
    take({"kind": "once", "at": text})
    take(HOURLY | {"start_at": text, "end_at": MOMENTS[0]})
    take(HOURLY | {"anchor": text, "max_runs": 10_000})
