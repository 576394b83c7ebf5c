"""What the preview says of a schedule: the words, and the warnings."""

from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from bench import cost
from chalicelib.domain.describe import words
from chalicelib.domain.occurrences import timetable
from chalicelib.domain.prices import PRICES
from chalicelib.domain.schedule import SCHEDULE
from chalicelib.domain.schedule_warnings import USD_PER_RUN, warnings
from chalicelib.domain.zones import load_zone

NOW_MS = round(datetime.fromisoformat("2026-03-01T00:00:00Z").timestamp() * 1000)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (
            "31 10-15 1 * * MON-FRI",
            "At 31 seconds past the minute, minutes 10 through 15 past the hour, at 01:00, Monday through Friday (UTC)",
        ),
        ("@weekly", "At 00:00, on Sunday (UTC)"),
        ("*/5 * * * *", "Every 5 minutes (UTC)"),
        ("0 9 * 5,* *", "At 09:00 (UTC)"),
        ("23 */5,7 * 1,2 *", "23 */5,7 * 1,2 * (UTC)"),
        ("0 9 5,* * FRI", "At 09:00, on Friday (UTC)"),
        ("0 0 1 JAN-MAR ?", "At 00:00, on day 1 of the month, January through March (UTC)"),
        ("0 0 13 * 5", "At 00:00, on day 13 of the month, or on Friday (UTC)"),
        (
            {"kind": "cron", "expression": "0 0 13 * 5", "day_match": "all", "timezone": "Asia/Tokyo"},
            "At 00:00, on day 13 of the month, and only if it is also on Friday (Asia/Tokyo)",
        ),
        ("0 0 */2 * MON", "At 00:00, every 2 days, and only if it is also on Monday (UTC)"),
        ("0 0 L,15 * *", "At 00:00, on the last day of the month or on day 15 of the month (UTC)"),
        (
            "0 9 * * 5#2,1#1",
            "At 09:00, on the second Friday of the month or on the first Monday of the month (UTC)",
        ),
        ("0 9 * * FRIL", "At 09:00, on the last Friday of the month (UTC)"),
        (
            {"kind": "interval", "every": "PT1H30M"},
            "Every 1 hour 30 minutes, counted from the job's creation",
        ),
        (
            {"kind": "interval", "every": 1.5, "anchor": "2026-01-01T00:00:00Z", "max_runs": 1},
            "Every 1.5 seconds, counted from 2026-01-01T00:00:00Z, at most 1 time",
        ),
        ({"kind": "once", "at": "2026-05-01T11:00:00+02:00"}, "Once, at 2026-05-01T09:00:00Z"),
        ({"kind": "manual"}, "Only when triggered"),
        (
            {
                "kind": "cron",
                "expression": "0 9 * * *",
                "start_at": "2026-05-01T00:00:00Z",
                "end_at": "2026-06-01T00:00:00Z",
                "jitter_seconds": 60,
            },
            "At 09:00 (UTC), not before 2026-05-01T00:00:00Z, before 2026-06-01T00:00:00Z, each up to 1 minute later",
        ),
    ],
)
def test_a_schedule_is_put_in_words(schedule: object, expected: str) -> None:
    assert words(SCHEDULE.validate_python(schedule)) == expected


def test_a_hash_is_put_in_words_once_the_job_is_known() -> None:
    schedule = SCHEDULE.validate_python("H H(0-5) * * *")
    assert words(schedule) == "H H(0-5) * * *, where each H becomes a value that the job's id decides (UTC)"
    assert words(schedule, job_id="job_1").startswith("At 0")


def said(schedule: object, **more: Any) -> list[tuple[str, str]]:
    found = warnings(SCHEDULE.validate_python(schedule), now_ms=NOW_MS, **more)
    return [(warning.code, warning.message) for warning in found]


def berlin(expression: str, **more: Any) -> dict[str, Any]:
    return {"kind": "cron", "expression": expression, "timezone": "Europe/Berlin"} | more


@pytest.mark.parametrize(
    ("schedule", "codes", "reason"),
    [
        ("0 9 * * MON-FRI", [], "nothing to say"),
        ("* * * * *", [], "once a minute is not more often"),
        ("* * * * * *", ["frequent"], "each second"),
        ({"kind": "interval", "every": 60}, [], "once a minute"),
        ({"kind": "interval", "every": 59.5}, ["frequent"], "more often"),
        ("0 0 13 * 5", ["day_rule"], "both days are restricted"),
        ("0 0 */2 * 5", ["day_rule"], "a step looks like a restriction"),
        ("0 0 ? * 5", [], "a question mark is none"),
        ({"kind": "once", "at": "2026-02-01T00:00:00Z"}, ["never_fires"], "it has passed"),
        (
            {"kind": "cron", "expression": "0 9 * * *", "end_at": "2026-03-01T09:00:00Z"},
            ["never_fires"],
            "it ends",
        ),
        ({"kind": "manual", "end_at": "2026-02-01T00:00:00Z"}, [], "it is triggered"),
        (berlin("0 9 * * *"), [], "the clocks change at night"),
        (berlin("30 2 * * *"), ["dst_gap", "dst_overlap"], "at this very hour"),
        (berlin("30 2 * * MON"), [], "but not on Mondays"),
        (berlin("*/30 * * * *"), [], "elapsed time does not mind"),
        (berlin("30 2 * * *", start_at="2026-05-01T00:00:00Z"), ["dst_overlap"], "starts after the spring"),
        (berlin("30 2 * * *", end_at="2026-05-01T00:00:00Z"), ["dst_gap"], "ends before the autumn"),
        ("30 2 * * *", [], "UTC has no changes"),
    ],
)
def test_a_schedule_gets_its_warnings(schedule: object, codes: list[str], reason: str) -> None:
    assert [code for code, _ in said(schedule)] == codes, reason


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        (
            "0 0 13 * 5",
            "it fires on days that match either of them. Set day_match to all for days that match both.",
        ),
        ("0 0 */2 * 5", "both, since for cron a field that starts with * does not restrict."),
        ({"kind": "cron", "expression": "0 0 13 * 5", "day_match": "all"}, "both, since day_match is all."),
        (
            berlin("30 2 29 3 *"),
            "clocks of Europe/Berlin go forward from 02:00 to 03:00: the occurrence of 02:30 fires at 03:00 instead.",
        ),
        (berlin("30 2 29 3 *", dst="skip"), "the occurrence of 02:30 does not fire."),
        (
            berlin("30 2 25 10 *"),
            "the occurrence of 02:30 fires once, the first time that the clock shows it.",
        ),
        (
            berlin("30 2 25 10 *", dst="literal"),
            "from 03:00 to 02:00: the occurrence of 02:30 fires twice, 1 hour apart.",
        ),
        ("0,30 * * * * *", "about 86,400 runs in 30 days, at about 0.33 to 0.57 USD."),
    ],
)
def test_a_warning_says_what_happens(schedule: object, sentence: str) -> None:
    assert said(schedule)[0][1].endswith(sentence)


def there(zone: str, expression: str, **more: Any) -> dict[str, Any]:
    return berlin(expression, timezone=zone, **more)


@pytest.mark.parametrize(
    ("schedule", "sentences", "reason"),
    [
        (
            berlin("0,15,30 2 29 3 *"),
            ["the occurrences of 02:00, 02:15 and 02:30 fire as one, at 03:00"],
            "three are named",
        ),
        (
            berlin("0,15,30,45 2 29 3 *", dst="skip"),
            ["the occurrences from 02:00 until 03:00 do not fire"],
            "more are a span",
        ),
        (
            berlin("30 2,3 29 3 *"),
            ["the occurrence of 02:30 fires at 03:00 instead"],
            "03:30 keeps its place",
        ),
        (
            berlin("0 2-3 29 3 *"),
            ["the occurrence of 02:00 fires as one with that of 03:00"],
            "at one moment",
        ),
        (
            berlin("0,30 2 25 10 *", dst="literal"),
            ["the occurrences of 02:00 and 02:30 fire twice, 1 hour apart"],
            "both showings",
        ),
        (
            berlin("15 */2 * * *"),
            [
                "the occurrence of 02:15 does not come, since",
                "the occurrence of 02:15 fires twice, 1 hour apart",
            ],
            "every other hour is no longer even where an hour is lost or doubled",
        ),
        (
            berlin("*/30 2 * * *", dst="skip"),
            [
                "the occurrences of 02:00 and 02:30 do not come",
                "the occurrences of 02:00 and 02:30 fire twice",
            ],
            "a wildcard is not made up, whatever the rule",
        ),
        (berlin("15 * * * *"), [], "an hour more or less does not show in each hour"),
        (
            there("Australia/Lord_Howe", "15 * * * *"),
            ["go forward from 02:00 to 02:30: the occurrence of 02:15 does not come"],
            "half an hour does",
        ),
        (
            there("Australia/Lord_Howe", "45 * * * *"),
            ["back from 02:00 to 01:30: the occurrence of 01:45 fires twice, 30 minutes apart"],
            "half an hour does",
        ),
        (there("Australia/Lord_Howe", "*/30 * * * *"), [], "each half hour goes on"),
        (
            there("America/Havana", "30 0 * * *"),
            ["go forward from 00:00 to 01:00: the occurrence of 00:30 fires at 01:00 instead"],
            "midnight does not exist",
        ),
        (
            there("America/Scoresbysund", "30 23 * * *", dst="literal"),
            ["from 23:00 to 00:00 of 2026-03-29: the occurrence of 23:30 does", "23:00 of 2026-10-24"],
            "the date changes with the clock",
        ),
        (berlin("30 2 * * *", max_runs=5), [], "it is over before the change"),
        (berlin("30 30 2 29 3 *"), ["the occurrence of 02:30:30 fires at 03:00 instead"], "with a second"),
    ],
)
def test_a_warning_says_what_the_clocks_will_do(
    schedule: dict[str, Any], sentences: list[str], reason: str
) -> None:
    found = [message for code, message in said(schedule) if code.startswith("dst")]
    assert len(found) == len(sentences), (found, reason)
    for message, sentence in zip(found, sentences, strict=True):
        assert sentence in message, reason


@pytest.mark.parametrize("dst", ["once", "skip", "literal"])
@pytest.mark.parametrize(
    ("zone", "expression"),
    [
        ("Europe/Berlin", "0 2 * * *"),
        ("Europe/Berlin", "30 2 * * *"),
        ("Europe/Berlin", "15 */2 * * *"),
        ("Europe/Berlin", "*/20 1-3 * * *"),
        ("Australia/Lord_Howe", "0,45 1-2 * * *"),
        ("Australia/Lord_Howe", "45 * * * *"),
        ("Australia/Lord_Howe", "15 * * * *"),
        ("Antarctica/Troll", "30 1,2 * * *"),
        ("Antarctica/Troll", "15 */3 * * *"),
    ],
)
def test_a_day_whose_runs_differ_in_number_has_its_warning(zone: str, expression: str, dst: str) -> None:
    schedule = SCHEDULE.validate_python(there(zone, expression, dst=dst))
    times, info = timetable(schedule, job_id="", created_ms=NOW_MS), load_zone(zone)
    runs = Counter(
        datetime.fromtimestamp(at // 1000, info).date().isoformat()
        for at in times.between(NOW_MS, NOW_MS + 360 * 86_400_000)
    )
    [(usual, _)] = Counter(runs.values()).most_common(1)
    odd = {day for day, count in list(runs.items())[1:-1] if count != usual}
    warned = {day for _, message in said(there(zone, expression, dst=dst)) for day in odd if day in message}
    assert warned == odd


def test_a_job_that_runs_each_second_is_told_what_a_month_of_it_costs() -> None:
    low, high = (2_592_000 * price for price in USD_PER_RUN)
    sentence = f"about 2,592,000 runs in 30 days, at about {low:.2f} to {high:.2f} USD."
    assert [message.endswith(sentence) for _, message in said("* * * * * *")] == [True]


def test_the_price_of_a_run_is_what_the_benchmark_counts() -> None:
    scenarios: tuple[cost.Scenario, ...] = ("full", "sparse")
    counted = [sum(cost.million_usd(each, PRICES["arm64"]).values()) / 1e6 for each in scenarios]
    assert counted == pytest.approx(USD_PER_RUN, rel=0.05), "measure again, and say when"


def test_a_schedule_that_has_had_all_its_runs_is_said_to_be_over() -> None:
    schedule = {"kind": "cron", "expression": "0 9 * * *", "max_runs": 3}
    assert said(schedule, created_ms=NOW_MS) == []
    assert said(schedule, created_ms=NOW_MS - 10 * 86_400_000)[0][0] == "never_fires"
