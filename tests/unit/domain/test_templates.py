"""Templates: what is filled in, what is refused, and what is never read again."""

import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.domain.instants import epoch_ms
from chalicelib.domain.template_filters import TemplateError, Value
from chalicelib.domain.templates import (
    MAX_BYTES,
    NAMES,
    BadTemplate,
    Facts,
    SecretRef,
    Templated,
    has_templates,
    parsed,
    rendered,
    templates,
)

NOMINAL = epoch_ms(datetime(2027, 3, 28, 1, 30, tzinfo=UTC))
"""In Berlin the clocks have just gone forward: it is 03:30."""


def secret(ref: SecretRef) -> Value:
    known: dict[str, Value] = {
        "secrets.token": "s3cret",
        "secrets.db.port": 5432,
        "secretsmanager.db.user": "u",
    }
    if str(ref) not in known:
        raise TemplateError(f"there is no {ref}")
    return known[str(ref)]


FACTS = Facts(
    run_id="run_1",
    nominal_ms=NOMINAL,
    scheduled_ms=NOMINAL + 1_500,
    attempt=2,
    trigger="schedule",
    job_id="job_1",
    job_name='nightly "sales"',
    tenant="acme",
    tags={"team": "data", "cost.center": "42", "tricky": "${{ run.id }}"},
    window_start_ms=lambda: NOMINAL - 86_400_000,
    secret=secret,
)


def filled(text: str) -> Any:
    return rendered({"at": text}, FACTS)["at"]


@pytest.mark.parametrize(
    ("text", "result", "why"),
    [
        ("plain", "plain", "nothing to fill in"),
        ("${{ run.id }}", "run_1", "a name"),
        ("${{run.id}}", "run_1", "spaces are free"),
        ("${{\n run.id\t}}", "run_1", "of any kind"),
        ("a ${{ run.id }} b ${{ tenant }}", "a run_1 b acme", "inside a text"),
        ("${{ run.id }}${{ job.id }}", "run_1job_1", "side by side"),
        ("${{ run.attempt }}", 2, "alone it keeps its type"),
        ("n=${{ run.attempt }}", "n=2", "in a text it is text"),
        ("${{ run.nominal }}", "2027-03-28T01:30:00Z", "moments are RFC 3339"),
        ("${{ run.window.start }}", "2027-03-27T01:30:00Z", "where its window begins"),
        ("${{ run.window.end | date('%H:%M') }}", "01:30", "and ends"),
        ("${{ run.scheduled }}", "2027-03-28T01:30:01.500Z", "to the millisecond"),
        ("${{ run.nominal_date }}", "2027-03-28", "in UTC"),
        ("${{ run.trigger }}", "schedule", "what made it run"),
        ("${{ job.name }}", 'nightly "sales"', "as it is"),
        ('{"name": ${{ job.name | json }}}', '{"name": "nightly \\"sales\\""}', "inside JSON that is a text"),
        ("${{ run.nominal | json }}", '"2027-03-28T01:30:00Z"', "a moment as JSON"),
        ("${{ run.attempt | json }}", "2", "a number as JSON"),
        ("${{ job.tags.team }}", "data", "a tag"),
        ("${{ job.tags.cost.center }}", "42", "whose name has a dot"),
        ("${{ job.tags.gone | default('none') }}", "none", "or what there is instead"),
        ("${{ job.tags.team | default('none') }}", "data", "only where there is none"),
        ("${{ job.tags.gone | upper | default('none') }}", "none", "at the end of a chain too"),
        ("${{ job.tags.tricky }}", "${{ run.id }}", "what comes in is not read again"),
        ("$${{ run.id }}", "${{ run.id }}", "escaped"),
        ("a $${{ b }} ${{ run.id }}", "a ${{ b }} run_1", "escaped beside another"),
        ("$${{", "${{", "and nothing after it"),
        ("${ x } {{ y }} }} $", "${ x } {{ y }} }} $", "other brackets mean nothing"),
        ("${{ secrets.token }}", "s3cret", "a secret"),
        ("${{ secrets.db.port }}", 5432, "a field of one keeps its type"),
        ("${{ secretsmanager.db.user }}", "u", "of the other store"),
        ("${{ secrets.token | base64 }}", "czNjcmV0", "encoded"),
        ("${{ run.nominal | date('%Y/%m/%d') }}", "2027/03/28", "as one writes dates"),
        ('${{ run.nominal | date("%H}}") }}', "01}}", "quotes may hold the end"),
        ("${{ run.nominal | tz('Europe/Berlin') }}", "2027-03-28T03:30:00+02:00", "in a zone"),
        ("${{ run.nominal | tz('Europe/Berlin') | date('%H:%M %z') }}", "03:30 +0200", "and written there"),
        ("${{ run.nominal | minus('1d') }}", "2027-03-27T01:30:00Z", "a day before"),
        ("${{ run.nominal | plus('90m') }}", "2027-03-28T03:00:00Z", "elapsed minutes"),
        (
            "${{ run.nominal | tz('Europe/Berlin') | minus('1d') }}",
            "2027-03-27T03:30:00+01:00",
            "by the calendar",
        ),
        (
            "${{ run.nominal | tz('Europe/Berlin') | minus('24h') }}",
            "2027-03-27T02:30:00+01:00",
            "by the clock",
        ),
        (
            "${{ run.nominal | tz('Europe/Berlin') | minus('1h') }}",
            "2027-03-28T01:30:00+01:00",
            "over the change of the clocks",
        ),
        ("${{ run.nominal | minus('1mo') }}", "2027-02-28T01:30:00Z", "a month before"),
        ("${{ run.nominal | plus('3d') | minus('1mo') }}", "2027-02-28T01:30:00Z", "the month's last day"),
        ("${{ run.nominal | minus('3y') }}", "2024-03-28T01:30:00Z", "years before"),
        ("${{ run.nominal | start_of('month') }}", "2027-03-01T00:00:00Z", "the month"),
        ("${{ run.nominal | start_of('year') }}", "2027-01-01T00:00:00Z", "the year"),
        ("${{ run.nominal | start_of('week') }}", "2027-03-22T00:00:00Z", "weeks begin on Monday"),
        ("${{ run.nominal | start_of('hour') }}", "2027-03-28T01:00:00Z", "the hour"),
        ("${{ run.scheduled | start_of('minute') }}", "2027-03-28T01:30:00Z", "the minute"),
        (
            "${{ run.nominal | tz('Europe/Berlin') | start_of('day') }}",
            "2027-03-28T00:00:00+01:00",
            "the day of the zone, which began in winter",
        ),
        ("${{ run.nominal | unix }}", NOMINAL // 1000, "a number"),
        ("${{ run.scheduled | unix_ms }}", NOMINAL + 1500, "a finer one"),
        ("https://x/${{ job.name | url }}", "https://x/nightly%20%22sales%22", "inside a URL"),
        ("${{ job.tags.team | upper | lower }}", "data", "letters"),
    ],
)
def test_a_string_is_filled_in(text: str, result: Any, why: str) -> None:
    assert filled(text) == result, why
    assert type(filled(text)) is type(result), why


@pytest.mark.parametrize(
    ("text", "words", "why"),
    [
        ("${{ }}", "a name", "nothing named"),
        ("${{", "a name", "nothing at all"),
        ("${{ run.id", "expected }}", "no end"),
        ("${{ run.id }", "expected }}", "half an end"),
        ("${{ run.id job.id }}", "expected }}", "two names"),
        ("${{ run.secret }}", "there is no 'run.secret'", "an unknown name"),
        ("${{ run.__class__ }}", "there is no", "nothing of Python"),
        ("${{ run.id.__class__.__mro__ }}", "there is no", "nothing behind a name"),
        ("${{ open('/etc/passwd') }}", "expected }}", "no calls"),
        ("${{ 1 + 1 }}", "expected }}", "no sums"),
        ("${{ run.id | }}", "a filter's name", "no filter"),
        ("${{ run.id | eval }}", "there is no filter 'eval'", "an unknown filter"),
        ("${{ run.id | date('%Y') }}", "moments only", "a text is no moment"),
        ("${{ run.nominal | date }}", "one argument in quotes", "no pattern"),
        ("${{ run.nominal | date() }}", "one argument in quotes", "none either"),
        ("${{ run.nominal | date(%Y) }}", "one argument in quotes", "without quotes"),
        ("${{ run.nominal | date('%Y', 'b') }}", "one argument in quotes", "two"),
        ("${{ run.nominal | date('%c') }}", "'%c'", "what depends on the machine"),
        ("${{ run.nominal | date('100%') }}", "'%'", "half a directive"),
        ("${{ run.nominal | unix('a') }}", "takes no argument", "one too many"),
        ("${{ run.nominal | tz('Mars/Base') }}", "Mars/Base", "an unknown zone"),
        ("${{ run.nominal | tz('../../etc') }}", "no time zone", "no path"),
        ("${{ run.nominal | minus('1 day') }}", "such as '1d'", "not a number and a unit"),
        ("${{ run.nominal | minus('999999d') }}", "out of range", "before the calendar begins"),
        ("${{ run.nominal | minus('999999h') | minus('999999y') }}", "out of range", "long before"),
        ("${{ run.nominal | plus('999999w') }}", "out of range", "after it ends"),
        ("${{ run.nominal | start_of('era') }}", "start_of takes one of", "an unknown unit"),
        ("${{ job.tags.gone }}", "no tag 'gone'", "a tag that is not there"),
        ("${{ job.tags.gone | upper }}", "no tag 'gone'", "with a filter"),
        ("${{ secrets.gone }}", "there is no secrets.gone", "a secret that is not there"),
        ("${{ secrets }}", "names no secret", "no name"),
        ("${{ secrets.a/b }}", "names no secret", "no path"),
        ("${{ secrets.a.b.c }}", "names no secret", "no deeper field"),
        ("${{ secrets... }}", "names no secret", "no dots"),
        ("${{ tenant" + " | upper" * 9 + " }}", "at most 8 filters", "too many filters"),
        ("${{ " + "a" * 300 + " }}", "expected }}", "too long a name"),
        ("${{ tenant | default('" + "a" * 101 + "') }}", "at most 100 characters", "too long an argument"),
    ],
)
def test_what_is_no_template_is_refused_with_its_place(text: str, words: str, why: str) -> None:
    with pytest.raises(BadTemplate, match=re.escape(words)) as caught:
        rendered({"a": [{"b/c": text}]}, FACTS)
    assert caught.value.pointer == "/a/0/b~1c", why


def test_only_values_are_filled_in_at_any_depth_and_nothing_else_changes() -> None:
    config = {"${{ run.id }}": [1, None, True, {"x": [["${{ run.id }}"]]}], "y": 2.5}
    assert rendered(config, FACTS) == {"${{ run.id }}": [1, None, True, {"x": [["run_1"]]}], "y": 2.5}
    assert config["${{ run.id }}"] == [1, None, True, {"x": [["${{ run.id }}"]]}], "the stored one stays"


def test_every_name_has_a_value() -> None:
    for name in NAMES:
        assert filled("${{ " + name + " }}") not in (None, "")


def test_the_size_of_what_is_filled_in_is_bounded_over_the_whole_config() -> None:
    many = ["${{ job.name }}"] * (MAX_BYTES // len(FACTS.job_name) + 1)
    assert rendered({"many": many[:-1]}, FACTS)
    with pytest.raises(BadTemplate, match="comes to more than 262144 bytes") as caught:
        rendered({"many": many}, FACTS)
    assert caught.value.pointer == f"/many/{len(many) - 1}"


def test_whoever_asks_is_told_each_text_that_a_secret_went_into() -> None:
    told: list[str] = []
    rendered(["${{ secrets.token }}", "x ${{ secrets.token | base64 }} ${{ run.id }}"], FACTS, told.append)
    assert told == ["s3cret", "czNjcmV0"]


def test_templates_are_found_with_their_secrets_and_errors() -> None:
    config = {"a": "${{ secrets.token }}", "b": "x${{ secrets.db.port }}", "c": "${{", "d": "plain"}
    first, second, third = templates(config)
    assert isinstance(first, Templated)
    assert isinstance(second, Templated)
    assert isinstance(third, BadTemplate)
    assert (first.pointer, first.is_one_secret, second.is_one_secret) == ("/a", True, False)
    assert (second.secrets, third.pointer) == ((SecretRef("secrets", "db", "port"),), "/c")
    assert has_templates(config)
    assert not has_templates({"d": ["plain", 1]})


def test_facts_without_secrets_give_none() -> None:
    plain = Facts("r", 0, 0, 1, "manual", "j", "n", "t", {}, lambda: 0)
    with pytest.raises(BadTemplate, match="cannot be read here"):
        rendered("${{ secrets.token }}", plain)


@pytest.mark.parametrize(
    "text",
    [
        "$${{" * 60_000,
        "${{ run.id }}" * 15_000,
        "${{" + "a" * 200_000,
        "${{" + " " * 200_000,
        "${{ a |" + " " * 200_000,
        "${{ a | b(" + " " * 200_000,
        "${{ a | b('" + "x" * 200_000,
        "$" * 200_000,
        "{" * 200_000 + "${{ a",
    ],
    ids=lambda text: text[:12],
)
def test_reading_takes_time_in_proportion_to_the_length(text: str) -> None:
    start = time.process_time()
    with suppress(TemplateError):
        parsed(text)
    assert time.process_time() - start < 1
