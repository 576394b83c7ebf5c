"""Occurrences around clock changes against cronsim, and against a walk over every minute."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from cronsim import CronSim

from chalicelib.domain.occurrences import timetable
from chalicelib.domain.schedule import CronSchedule
from chalicelib.domain.zones import load_zone
from tests.support.clock_changes import CHANGES, moments
from tests.support.expressions import Generated, generate

CRONSIM_WALKS_WHOLE_HOURS = {"Australia/Lord_Howe", "Asia/Pyongyang", "America/Caracas"}
CRONSIM_STARTS_AT_MIDNIGHT = {"America/Sao_Paulo", "Pacific/Apia"}


def ours(text: str, zone: str, dst: str, start: int, end: int) -> list[int]:
    schedule = CronSchedule(expression=text, timezone=zone, dst=dst)
    return [
        at // 1000 for at in timetable(schedule, job_id="job", created_ms=0).between(start * 1000, end * 1000)
    ]


def cronsims(text: str, zone: str, start: int, end: int) -> Iterator[int]:
    before_start = datetime.fromtimestamp(start, UTC).astimezone(load_zone(zone)) - timedelta(seconds=1)
    for found in CronSim(text, before_start):
        at = int(found.timestamp())
        if at >= end:
            return
        if at >= start:
            yield at


@pytest.mark.parametrize(("zone", "at"), moments(), ids=[f"{zone}: {why}" for zone, _, why in CHANGES])
def test_cronsim_agrees_with_the_default_rule(zone: str, at: int) -> None:
    for made in generate(200, seed=at):
        if not made.is_fixed and zone in CRONSIM_WALKS_WHOLE_HOURS | CRONSIM_STARTS_AT_MIDNIGHT:
            continue  # cronsim searches from moments that no clock shows; the walk below is the judge here
        start, end = at - 6 * 3600, at + 30 * 3600
        expected = sorted(set(cronsims(made.text, zone, start, end)))
        assert ours(made.text, zone, "once", start, end) == expected, made.text


@dataclass(frozen=True)
class Walk:
    """Each minute of a span of UTC with what the wall clock shows, and what is special about some of them."""

    minutes: list[tuple[int, datetime]]
    repeated: set[int]
    """Minutes at which the clock shows what it has shown before."""
    jumps: list[tuple[datetime, int, datetime]]
    """What the clock showed last before a jump, and the first minute after it with what the clock shows then."""


def walk(zone: str, start: int, end: int) -> Walk:
    info = load_zone(zone)
    moments = [(at, datetime.fromtimestamp(at, info)) for at in range(start, end, 60)]
    minutes = [(at, moment.replace(tzinfo=None, fold=0)) for at, moment in moments]
    seen: set[datetime] = set()
    repeated = {at for at, shown in minutes if shown in seen or seen.add(shown)}
    jumps = [
        (before, at, shown)
        for (_, before), (at, shown) in pairwise(minutes)
        if shown - before > timedelta(minutes=1)
    ]
    return Walk(minutes, repeated, jumps)


def matches(made: Generated, shown: datetime) -> bool:
    in_time = shown.minute in made.minutes and shown.hour in made.hours
    return in_time and made.has_day(shown.day, shown.month, shown.isoweekday() % 7)


def is_missed(made: Generated, before: datetime, shown: datetime) -> bool:
    missing = before + timedelta(minutes=1)
    while missing < shown and not matches(made, missing):
        missing += timedelta(minutes=1)
    return missing < shown


def expected_by_rule(made: Generated, walked: Walk) -> dict[str, list[int]]:
    """What each rule makes of the walk."""
    showings = [at for at, shown in walked.minutes if matches(made, shown)]
    if not made.is_fixed:
        return dict.fromkeys(("once", "skip", "literal"), showings)
    firsts = [at for at in showings if at not in walked.repeated]
    made_up = {at for before, at, shown in walked.jumps if is_missed(made, before, shown)}
    return {"once": sorted(made_up | set(firsts)), "skip": firsts, "literal": showings}


@pytest.mark.parametrize(("zone", "at"), moments(), ids=[f"{zone}: {why}" for zone, _, why in CHANGES])
def test_a_walk_over_every_minute_finds_the_same(zone: str, at: int) -> None:
    walked = walk(zone, at - 27 * 3600, at + 27 * 3600)
    start, end = at - 6 * 3600, at + 27 * 3600
    for made in generate(60, seed=at + 1):
        for dst, expected in expected_by_rule(made, walked).items():
            inside = [one for one in expected if one >= start]
            assert ours(made.text, zone, dst, start, end) == inside, (made.text, dst)
