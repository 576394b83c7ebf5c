"""Schedules as users write them: what is accepted, what comes back, and what is refused with which words."""

from typing import Any

import pytest
from pydantic import ValidationError

from chalicelib.domain.schedule import SCHEDULE, CronSchedule, IntervalSchedule, ManualSchedule, OnceSchedule

CRON = {"kind": "cron", "expression": "0 9 * * *"}
HOURLY = {"kind": "interval", "every": 3600}
AT = "2026-05-01T09:00:00Z"


def test_a_string_is_a_cron_expression_in_utc() -> None:
    assert SCHEDULE.validate_python("0 9 * * *") == CronSchedule(expression="0 9 * * *", timezone="UTC")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (CRON | {"timezone": "Asia/Kathmandu", "dst": "skip", "day_match": "all"}, CronSchedule),
        (HOURLY | {"anchor": "2026-05-01T11:00:00+02:00"}, IntervalSchedule),
        ({"kind": "interval", "every": "PT1H30M", "start_at": AT, "max_runs": 3}, IntervalSchedule),
        ({"kind": "interval", "every": 1.5}, IntervalSchedule),
        ({"kind": "once", "at": "2026-05-01T09:00:00.123456Z", "jitter_seconds": 60}, OnceSchedule),
        ({"kind": "manual"}, ManualSchedule),
    ],
)
def test_a_schedule_comes_back_as_it_was_stored(given: dict[str, Any], expected: type) -> None:
    schedule = SCHEDULE.validate_python(given)
    assert isinstance(schedule, expected)
    assert SCHEDULE.validate_json(SCHEDULE.dump_json(schedule)) == schedule
    assert SCHEDULE.validate_python(SCHEDULE.dump_python(schedule, mode="json")) == schedule


def test_moments_are_written_in_utc_to_the_millisecond() -> None:
    schedule = SCHEDULE.validate_python(
        {"kind": "once", "at": "2026-05-01T11:00:00.123456+02:00", "end_at": AT}
    )
    dumped = SCHEDULE.dump_python(schedule, mode="json")
    assert (dumped["at"], dumped["end_at"], dumped["start_at"]) == ("2026-05-01T09:00:00.123Z", AT, None)


@pytest.mark.parametrize(
    ("every", "millis", "reason"),
    [
        (1, 1000, "the least"),
        (90, 90_000, "seconds"),
        (1.5, 1500, "parts of seconds"),
        (0.1 + 0.9 + 0.7, 1700, "floating point is rounded to the millisecond"),
        ("PT15M", 900_000, "minutes"),
        ("P1DT2H3M4.5S", 93_784_500, "all parts"),
        ("PT1,25S", 1250, "a comma is a point in ISO 8601"),
        ("P2W", 1_209_600_000, "weeks"),
        ("PT90M", 5_400_000, "more than an hour of minutes"),
    ],
)
def test_every_is_a_duration(every: float | str, millis: int, reason: str) -> None:
    schedule = IntervalSchedule(every=every)
    assert schedule.every_ms == millis, reason
    assert schedule.every == every, "it is given back as it was written"


@pytest.mark.parametrize(
    ("given", "where", "code", "reason"),
    [
        ("61 * * * *", ("cron", "expression"), "cron_expression", "a bad minute in a bare string"),
        (CRON | {"expression": "0 0 30 2 *"}, ("cron", "expression"), "never_fires", "an impossible date"),
        (
            CRON | {"expression": "0 0 1-7 * 5#2", "day_match": "all"},
            ("cron", "day_match"),
            "never_fires",
            "both",
        ),
        (CRON | {"expression": 5}, ("cron", "expression"), "string_type", "no text"),
        ({"kind": "cron"}, ("cron", "expression"), "missing", "no expression"),
        (CRON | {"timezone": "Europe/Berlinn"}, ("cron", "timezone"), "unknown_time_zone", "no such zone"),
        (CRON | {"timezone": "../etc/passwd"}, ("cron", "timezone"), "unknown_time_zone", "a path"),
        (CRON | {"dst": "maybe"}, ("cron", "dst"), "literal_error", "no such rule"),
        (CRON | {"every": 5}, ("cron", "every"), "extra_forbidden", "another kind's field"),
        (CRON | {"colour": "x"}, ("cron", "colour"), "extra_forbidden", "unknown fields are refused"),
        (CRON | {"calendar": "a b"}, ("cron", "calendar", "name"), "string_pattern_mismatch", "no such name"),
        (CRON | {"calendar": 5}, ("cron", "calendar"), "model_type", "no name"),
        (HOURLY | {"every": 0.999}, ("interval", "every"), "duration_out_of_range", "less than a second"),
        (HOURLY | {"every": "PT0S"}, ("interval", "every"), "duration_out_of_range", "nothing"),
        (HOURLY | {"every": -5}, ("interval", "every"), "duration_out_of_range", "backwards"),
        (HOURLY | {"every": "P9999W"}, ("interval", "every"), "duration_out_of_range", "too long"),
        (HOURLY | {"every": "P1M"}, ("interval", "every"), "duration", "months differ in length"),
        (HOURLY | {"every": "P1Y2D"}, ("interval", "every"), "duration", "years differ in length"),
        (HOURLY | {"every": "P1DT"}, ("interval", "every"), "duration", "half a duration"),
        (HOURLY | {"every": "P"}, ("interval", "every"), "duration", "no duration"),
        (HOURLY | {"every": "5 minutes"}, ("interval", "every"), "duration", "words"),
        (HOURLY | {"every": 1.0005}, ("interval", "every"), "duration", "finer than a millisecond"),
        (HOURLY | {"every": True}, ("interval", "every"), "duration", "a truth is no duration"),
        (HOURLY | {"every": float("inf")}, ("interval", "every"), "duration", "no number"),
        (HOURLY | {"every": float("nan")}, ("interval", "every"), "duration", "no number"),
        (HOURLY | {"every": None}, ("interval", "every"), "duration", "nothing"),
        (HOURLY | {"every": 10**400}, ("interval", "every"), "duration", "beyond floating point"),
        (
            HOURLY | {"anchor": "2026-05-01T09:00:00"},
            ("interval", "anchor"),
            "moment_without_offset",
            "naive",
        ),
        ({"kind": "once", "at": 1_774_656_000}, ("once", "at"), "moment", "seconds are no moment"),
        ({"kind": "once", "at": "1774656000"}, ("once", "at"), "moment", "nor as text"),
        ({"kind": "once", "at": "2026-05-01"}, ("once", "at"), "moment", "a date is no moment"),
        ({"kind": "once", "at": "2026-02-30T00:00:00Z"}, ("once", "at"), "moment", "no such day"),
        ({"kind": "once", "at": "2200-01-01T00:00:00Z"}, ("once", "at"), "moment_out_of_range", "too far"),
        (
            {"kind": "once", "at": "0001-01-01T00:00:00+14:00"},
            ("once", "at"),
            "moment_out_of_range",
            "too early",
        ),
        ({"kind": "once"}, ("once", "at"), "missing", "when?"),
        (
            HOURLY | {"start_at": AT, "end_at": AT},
            ("interval", "end_at"),
            "end_before_start",
            "an empty span",
        ),
        (HOURLY | {"max_runs": 0}, ("interval", "max_runs"), "greater_than_equal", "no run at all"),
        (HOURLY | {"max_runs": True}, ("interval", "max_runs"), "int_type", "a truth is no number"),
        (
            HOURLY | {"jitter_seconds": 3601},
            ("interval", "jitter_seconds"),
            "less_than_equal",
            "over an hour",
        ),
        (HOURLY | {"jitter_seconds": "5"}, ("interval", "jitter_seconds"), "int_type", "text is no number"),
        ({"kind": "weekly"}, (), "schedule_kind", "no such kind"),
        ({"expression": "0 9 * * *"}, (), "schedule_kind", "no kind"),
        ({"kind": ["cron"]}, (), "schedule_kind", "a kind is a word"),
        (5, (), "model_attributes_type", "no object"),
    ],
)
def test_a_schedule_is_refused(given: object, where: tuple[str, ...], code: str, reason: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SCHEDULE.validate_python(given)
    assert [(error["loc"], error["type"]) for error in refused.value.errors()] == [(where, code)], reason


def test_schedules_can_be_compared_and_kept_in_sets() -> None:
    assert len({SCHEDULE.validate_python("0 9 * * *"), SCHEDULE.validate_python(CRON)}) == 1


def test_the_schema_offers_a_string_beside_the_four_kinds() -> None:
    text, kinds = SCHEDULE.json_schema()["anyOf"]
    assert text == {"type": "string"}
    assert set(kinds["discriminator"]["mapping"]) == {"cron", "interval", "once", "manual"}
