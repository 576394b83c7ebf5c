"""Occurrences around every kind of clock change since 2000, against a walk over each second, and against cronsim.

ORACLE_EXPRESSIONS=20000 in the environment compares more expressions than the thousand that every run does.
"""

import os
from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice

import pytest
from cronsim import CronSim

from chalicelib.domain.occurrences import timetable
from chalicelib.domain.schedule import CronSchedule
from chalicelib.domain.zones import load_zone
from tests.support.clock_changes import FEW_WEEKS_S, Change, Kind, kinds
from tests.support.expressions import Generated, generate, generate_near
from tests.support.wall_clock import Walk

COUNT = int(os.environ.get("ORACLE_EXPRESSIONS", "1000"))
EXPRESSIONS = generate(COUNT, seed=2000, seconds=0.25)
NEAR = 100
EVERY_KIND = pytest.mark.parametrize("change", kinds(), ids=lambda change: f"{change.kind} ({change.zone})")
HOUR_S, DAY_S = 3600, 86_400
FEW, BURST = 40, 12
"""Of a schedule with more than a few occurrences a burst is compared from each of some places around the change."""


def ours(text: str, zone: str, dst: str, start: int, end: int, at_most: int) -> list[int]:
    schedule = CronSchedule(expression=text, timezone=zone, dst=dst)
    found = timetable(schedule, job_id="job", created_ms=0).between(start * 1000, end * 1000)
    return [at // 1000 for at in islice(found, at_most)]


def near(change: Change) -> list[Generated]:
    """Expressions made for this change."""
    shown = datetime.fromtimestamp(change.at + change.kind.shift // 2, load_zone(change.zone))
    return generate_near(NEAR, seed=change.at, hour=shown.hour, minute=shown.minute, day=shown.day)


def compare(walk: Walk, made: Generated, change: Change, start: int) -> None:
    """From `start` on to the end of the walk, and from places around the change, for the three rules."""
    zone, reach = change.zone, abs(change.kind.shift)
    around = [(change.at + reach // 2, 2)]
    if_dense = [(place, BURST) for place in (start, change.at - reach, change.at - 6, change.at + reach - 6)]
    for rule, walked in walk.occurrences(made).items():
        is_dense = len(walked) > FEW
        for place, count in around + (if_dense if is_dense else [(start, FEW + 1)]):
            first = bisect_left(walked, place)
            found = ours(made.text, zone, rule, place, walk.end, count)
            assert found == walked[first : first + count], (made.text, zone, rule, place)


@EVERY_KIND
def test_a_walk_over_every_second_finds_the_same(change: Change) -> None:
    reach = abs(change.kind.shift) + 2 * HOUR_S
    walk = Walk(load_zone(change.zone), change.at - 2 * reach, change.at + reach)
    for made in EXPRESSIONS + near(change):
        compare(walk, made, change, change.at - reach)


@EVERY_KIND
def test_a_walk_over_the_days_around_finds_the_same(change: Change) -> None:
    info, reach = load_zone(change.zone), abs(change.kind.shift)
    walk = Walk(info, change.at - 2 * DAY_S - reach, change.at + 2 * DAY_S, step=60)
    for made in EXPRESSIONS + near(change):
        if made.is_fixed and not made.has_seconds:
            compare(walk, made, change, change.at - 2 * DAY_S)


TWICE = [change for change in kinds() if change.following and change.following - change.at < FEW_WEEKS_S]


@pytest.mark.parametrize("change", TWICE, ids=lambda change: f"{change.kind} ({change.zone})")
def test_a_walk_over_two_changes_within_weeks_finds_the_same(change: Change) -> None:
    assert change.following
    walk = Walk(load_zone(change.zone), change.at - 2 * DAY_S, change.following + 2 * DAY_S, step=60)
    for made in [made for made in EXPRESSIONS if made.is_fixed and not made.has_seconds][:100]:
        for rule, expected in walk.occurrences(made).items():
            inside = [at for at in expected if at >= change.at - DAY_S]
            found = ours(made.text, change.zone, rule, change.at - DAY_S, walk.end, len(inside) + 1)
            assert found == inside, (made.text, change.zone, rule)


def is_alike(made: Generated, change: Change) -> bool:
    """Whether cronsim means the same by the expression, and can be trusted with it.

    By its lights a field is a wildcard if it starts with a star. Expressions that are not fixed it searches in whole
    hours and from midnight on, so that it goes astray, even without end, where a change takes such a moment away.
    """
    is_fixed = not any(field.startswith("*") for field in made.fields[:2])
    low, high = sorted((change.kind.local, change.kind.local + change.kind.shift))
    has_midnight = (low - 1) // DAY_S != (high + 60) // DAY_S
    is_easy = change.kind.shift % HOUR_S == change.kind.local % HOUR_S == 0 and not has_midnight
    return not made.has_seconds and made.is_fixed == is_fixed and (is_fixed or is_easy)


def cronsims(text: str, zone: str, start: int, count: int) -> list[int]:
    before_start = datetime.fromtimestamp(start - 1, UTC).astimezone(load_zone(zone))
    later = (int(found.timestamp()) for found in CronSim(text, before_start))
    found: list[int] = []
    while len(found) < count:  # two that are lost in one gap it finds at the same moment
        at = next(later)
        if at >= start and at not in found:
            found.append(at)
    return found


@EVERY_KIND
def test_cronsim_agrees_with_the_default_rule(change: Change) -> None:
    reach = abs(change.kind.shift) + 6 * HOUR_S
    walk = Walk(load_zone(change.zone), change.at - 2 * reach, change.at + reach + DAY_S, step=60)
    start = change.at - reach
    for made in EXPRESSIONS:
        if is_alike(made, change):
            walked = [at for at in walk.occurrences(made)["once"] if at >= start][:FEW]
            if walked:  # what comes first after the walk may lie years ahead, and cronsim walks there
                expected = cronsims(made.text, change.zone, start, len(walked))
                assert ours(made.text, change.zone, "once", start, walk.end, FEW) == expected, made.text


@pytest.mark.parametrize(
    ("is_there", "reason"),
    [
        (lambda kind: kind.shift == -HOUR_S, "an hour back"),
        (lambda kind: kind.shift == HOUR_S, "an hour forward"),
        (lambda kind: abs(kind.shift) == HOUR_S // 2, "half an hour"),
        (lambda kind: abs(kind.shift) > HOUR_S, "more than an hour"),
        (lambda kind: kind.shift == DAY_S, "a day that does not exist"),
        (lambda kind: kind.shift > 0 and kind.local == 0, "a midnight that does not exist"),
        (lambda kind: kind.shift < 0 and kind.local == 0, "the last hour of a day comes twice"),
        (lambda kind: kind.is_one_of_two, "two changes within weeks"),
        (lambda kind: kind.is_for_good, "another offset for good"),
        (lambda kind: kind.is_negative_dst, "winter is the exception"),
        (lambda kind: kind.fraction, "an offset with a part of an hour"),
        (lambda kind: kind.local % HOUR_S, "not on a full hour"),
    ],
)
def test_the_kinds_are_what_zones_are_known_for(is_there: Callable[[Kind], object], reason: str) -> None:
    assert any(is_there(change.kind) for change in kinds()), reason
