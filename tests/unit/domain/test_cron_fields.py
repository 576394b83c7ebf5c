"""What a cron expression means, field by field, and what is refused with which words."""

from itertools import pairwise

import pytest

from chalicelib.domain.cron import check_cron, cron_calendar
from chalicelib.domain.cron_fields import CronError, parse, uses_hash

EVERY_WEEKDAY = frozenset(range(7))


@pytest.mark.parametrize(
    ("expression", "field", "values", "reason"),
    [
        ("5 * * * *", "seconds", (0,), "five fields fire at second 0"),
        ("31 5 * * * *", "seconds", (31,), "of six fields the first is the second"),
        ("31 5 * * * *", "minutes", (5,), "of six fields the second is the minute"),
        ("*/20 * * * *", "minutes", (0, 20, 40), "a step"),
        ("5/20 * * * *", "minutes", (5, 25, 45), "a start with a step runs to the end"),
        ("59/15 * * * *", "minutes", (59,), "a start at the end is one value"),
        ("10-30/10 * * * *", "minutes", (10, 20, 30), "a range with a step"),
        ("30,5,5 * * * *", "minutes", (5, 30), "lists are sorted, and doubles count once"),
        ("7-7 * * * *", "minutes", (7,), "an equal range is one value, not all of them"),
        ("7-7/2 * * * *", "minutes", (7,), "and so it is with a step"),
        ("0 22-2 * * *", "hours", (0, 1, 2, 22, 23), "a range may run over midnight"),
        ("0 0 * NOV-FEB *", "months", frozenset({11, 12, 1, 2}), "or over new year"),
        ("0 0 * jan,Mar *", "months", frozenset({1, 3}), "names in any case"),
        ("0 0 * * FRI-MON", "weekdays", frozenset({5, 6, 0, 1}), "or over the weekend"),
        ("0 0 * * 5-7", "weekdays", frozenset({5, 6, 0}), "7 is Sunday"),
        ("0 0 * * 7", "weekdays", frozenset({0}), "7 is Sunday"),
        ("0 0 * * 0-7", "weekdays", EVERY_WEEKDAY, "from Sunday to Sunday is all week"),
        ("0 0 * * 7-0", "weekdays", frozenset({0}), "two names of one day are that day"),
        ("0 0 * * SUN-SUN", "weekdays", frozenset({0}), "an equal range is one value"),
        ("0 0 * * 1-7/2", "weekdays", frozenset({1, 3, 5, 0}), "7 as the end of steps"),
        ("0 0 ? * MON", "days", frozenset(range(1, 32)), "a question mark is a star"),
        ("0 0 1-L * *", "days", frozenset(range(1, 32)), "L ends a range"),
        ("0 0 L * *", "last_day", True, "L is the last day"),
        ("0 0 1,L * *", "days", frozenset({1}), "beside others"),
        ("0 0 * * L5", "nth_weekdays", frozenset({(5, 0)}), "the last Friday"),
        ("0 0 * * 5L", "nth_weekdays", frozenset({(5, 0)}), "as Quartz writes it"),
        ("0 0 * * FRIL,LSUN", "nth_weekdays", frozenset({(5, 0), (0, 0)}), "by name"),
        ("0 0 * * 7L", "nth_weekdays", frozenset({(0, 0)}), "7 is Sunday here too"),
        ("0 0 * * 5#2,MON#1", "nth_weekdays", frozenset({(5, 2), (1, 1)}), "the n-th weekday"),
        ("0 0 * * 5#2", "weekdays", frozenset(), "and no other"),
        ("@hourly", "minutes", (0,), "an alias"),
        ("@Weekly", "weekdays", frozenset({0}), "in any case"),
        ("@midnight", "hours", (0,), "an alias of an alias"),
        ("@annually", "months", frozenset({1}), "an alias of an alias"),
    ],
)
def test_an_expression_means(expression: str, field: str, values: object, reason: str) -> None:
    assert getattr(parse(expression), field) == values, reason


@pytest.mark.parametrize(
    ("expression", "says", "reason"),
    [
        ("60 * * * *", "minute: '60' is not valid: expected values of 0-59", "out of range"),
        ("61 * * * * *", "second: '61'", "the first of six is the second"),
        ("* 24 * * *", "hour: '24'", "out of range"),
        ("* * 0 * *", "day-of-month: '0'", "days count from 1"),
        ("* * 32 * *", "day-of-month: '32'", "out of range"),
        ("* * * 0 *", "month: '0'", "months count from 1"),
        ("0 0 5-0 * *", "day-of-month: '5-0' is not valid: expected values of 1-31", "backwards to no day"),
        ("0 0 1 MAY-0 *", "month: 'MAY-0' is not valid: expected values of 1-12", "backwards to no month"),
        ("0 0 1,0-0 * *", "day-of-month: '0-0'", "an equal range of no day"),
        ("* * * FOO *", "month: 'FOO' is not valid: expected values of 1-12 or JAN-DEC", "no such name"),
        ("* * * * 8", "day-of-week: '8'", "out of range"),
        ("*/0 * * * *", "minute: '*/0'", "a step of nothing"),
        ("1,,2 * * * *", "minute: '1,,2'", "an empty value"),
        ("1- * * * *", "minute: '1-'", "half a range"),
        ("50-10/7 * * * *", "minute: '50-10/7' runs backwards", "where such a step lands nobody agrees"),
        ("* * * *", "got 4", "too few fields"),
        ("0 0 1 1 * * 2026", "got 7", "years are bounds, not a field"),
        ("", "got 0", "nothing"),
        ("@every 5m", "for periods use kind interval", "another library's words"),
        ("@reboot", "is not one of", "nothing reboots here"),
        ("R * * * *", "minute: R is random", "an occurrence must be foretold"),
        ("0 0 15W * *", "W (the nearest working day) is not supported", "nor read as the 15th"),
        ("0 0 * * L", "day-of-week: L needs its day", "L5, not L"),
        ("0 0 * * 1,5#2", "mixes plain weekdays with # or L", "the parser cannot hold both"),
        ("0 0 * * 0-6,5#2", "mixes plain weekdays with # or L", "also where all weekdays are listed"),
        ("0 0 * * MON-FRI#2", "such as 5#2", "# takes one weekday"),
        ("0 0 * * 1#6", "such as 5#2", "no month has six Mondays"),
        ("H(5-70) * * * *", "minute: 'H(5-70)' is out of range", "a hash outside the field"),
        ("H/0 * * * *", "minute: 'H/0' is out of range", "a step of nothing"),
        ("HI * * * *", "none of H, H/15", "no form of H"),
        ("\u0663 * * * *", "other than ASCII", "digits of other scripts"),
        ("9" * 600, "longer than 512", "too long"),
        ("99999999999999999999 * * * *", "minute:", "a huge number"),
        ("0 0 30 2 *", "never fires: month '2' has at most 29 days", "no 30 February"),
        ("0 0 31 4,6,9,11 *", "never fires: month '4,6,9,11' has at most 30 days", "short months only"),
        ("0 0 */31 * 5#2", "never fires: no day-of-month '*/31'", "the first is no second Friday"),
    ],
)
def test_an_expression_is_refused(expression: str, says: str, reason: str) -> None:
    with pytest.raises(CronError) as refused:
        check_cron(expression)
    assert says in str(refused.value), reason


def test_both_days_that_never_meet_are_refused_where_both_must_match() -> None:
    check_cron("0 0 1-7 * 5#2", "any")
    with pytest.raises(CronError, match="is also a day-of-week"):
        check_cron("0 0 1-7 * 5#2", "all")


@pytest.mark.parametrize(
    ("expression", "is_fixed", "reason"),
    [
        ("0 2 * * *", True, "numbers"),
        ("0,30 1-3 * * *", True, "lists and ranges"),
        ("*/10 0 2 * * *", True, "the second plays no part"),
        ("H H(0-5) * * *", True, "a hash is a number"),
        ("* 2 * * *", False, "any minute"),
        ("0 * * * *", False, "any hour"),
        ("*/30 2 * * *", False, "a step"),
        ("0 1-5/2 * * *", False, "a step in a range"),
        ("H/15 2 * * *", False, "a step from a hash"),
        ("0,*/20 2 * * *", False, "a step in a list"),
    ],
)
def test_hour_and_minute_are_fixed_without_wildcard_and_step(
    expression: str, is_fixed: bool, reason: str
) -> None:
    assert parse(expression).has_fixed_time is is_fixed, reason


def test_a_hash_depends_on_the_job_and_stays() -> None:
    first = parse("H H * * *", "job_1")
    assert first == parse("H H * * *", "job_1")
    times = {
        (parse("H H * * *", f"job_{n}").minutes, parse("H H * * *", f"job_{n}").hours) for n in range(2000)
    }
    assert len(times) > 1000, "jobs spread over the 1,440 minutes of a day"


def test_a_hash_never_changes_between_releases() -> None:
    fields = parse("H H H H H H", "job_01J9Z3")
    found = (
        fields.seconds,
        fields.minutes,
        fields.hours,
        set(fields.days),
        set(fields.months),
        set(fields.weekdays),
    )
    assert found == ((46,), (35,), (6,), {1}, {3}, {2})


@pytest.mark.parametrize("job", [f"job_{n}" for n in range(50)])
def test_a_hash_stays_in_its_range(job: str) -> None:
    fields = parse("H(10-20) H(0-23)/6 H * *", job)
    assert fields.minutes[0] in range(10, 21)
    assert len(fields.hours) == 4
    assert {later - earlier for earlier, later in pairwise(fields.hours)} == {6}
    assert max(fields.days) <= 28, "each month has the day"


def test_only_an_expression_with_a_hash_is_kept_apart_for_each_job() -> None:
    assert cron_calendar("0 9 * * *", "any", "job_1") is cron_calendar("0 9 * * *", "any", "job_2")
    assert cron_calendar("H 9 * * *", "any", "job_1") is not cron_calendar("H 9 * * *", "any", "job_2")
    assert not uses_hash("@hourly")
    assert not uses_hash("0 0 * MAR THU")
