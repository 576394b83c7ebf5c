"""Clock changes of every kind that tzdata has known since 2000, for the tests of occurrences."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from chalicelib.domain.zones import load_zone, zone_names
from tests.support.tzif import transitions

CHANGES = [
    # zone, the moment of the change in UTC, why it is here
    ("Europe/Berlin", "2026-03-29T01:00", "an hour forward at 2"),
    ("Europe/Berlin", "2026-10-25T01:00", "an hour back at 3"),
    ("America/New_York", "2026-03-08T07:00", "an hour forward, west of Greenwich"),
    ("America/New_York", "2026-11-01T06:00", "an hour back, west of Greenwich"),
    ("Australia/Lord_Howe", "2025-10-04T15:30", "half an hour forward"),
    ("Australia/Lord_Howe", "2026-04-04T15:00", "half an hour back"),
    ("America/Sao_Paulo", "2018-11-04T03:00", "midnight does not exist"),
    ("America/Sao_Paulo", "2018-02-18T02:00", "the last hour of a day comes twice"),
    ("Pacific/Apia", "2011-12-30T10:00", "a whole day does not exist"),
    ("Pacific/Apia", "2011-09-24T11:00", "an hour forward, at the other end of the day"),
    ("Asia/Kathmandu", "2026-03-29T01:00", "no change, and an offset with 45 minutes"),
    ("Africa/Casablanca", "2026-02-15T02:00", "back for Ramadan, forward after it"),
    ("Asia/Pyongyang", "2018-05-04T15:00", "half an hour forward for good, at midnight"),
    ("America/Caracas", "2007-12-09T07:00", "half an hour back for good"),
    ("Antarctica/Troll", "2026-03-29T01:00", "two hours forward at once"),
    ("Antarctica/Troll", "2026-10-25T01:00", "two hours back at once"),
]

DAY_S = 86_400
_FIRST = 946_684_800  # 2000-01-01
_STEP_S = 3 * DAY_S
_AFTER_THE_LIST_S = 3 * 366 * DAY_S
"""Past the last change that a file lists, a yearly rule shows all of its kinds."""
FEW_WEEKS_S = 10 * 7 * DAY_S
_FOR_GOOD_S = 400 * DAY_S


def moments() -> list[tuple[str, int]]:
    """Zone and second of UTC of each of the chosen changes."""
    return [
        (zone, int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp())) for zone, at, _ in CHANGES
    ]


class Kind(NamedTuple):
    """What makes a change unlike others. Seconds; `local` is the time of day at which the clock is moved."""

    shift: int
    local: int
    fraction: int
    """The part of the offset before the change that is no whole hour."""
    is_for_good: bool
    is_one_of_two: bool
    """Another change lies within a few weeks."""
    is_negative_dst: bool
    """Winter is the exception to a standard time in summer, as in Ireland."""

    def __str__(self) -> str:
        direction = "forward" if self.shift > 0 else "back"
        notes = [f"offset of {self.fraction // 60} min past the hour"] if self.fraction else []
        notes += ["for good"] if self.is_for_good else []
        notes += ["one of two"] if self.is_one_of_two else []
        notes += ["negative DST"] if self.is_negative_dst else []
        local = f"{self.local // 3600:02}:{self.local // 60 % 60:02}"
        return ", ".join([f"{abs(self.shift) // 60} min {direction} at {local}", *notes])


@dataclass(frozen=True)
class Change:
    """The offset of a zone changes at second `at` of UTC, the next time at `following` (None: not soon)."""

    zone: str
    at: int
    kind: Kind
    following: int | None


def kinds() -> list[Change]:
    """The latest change of each kind, so that a new release of tzdata adds its kinds by itself."""
    found: dict[Kind, Change] = {}
    for name in sorted(zone_names(), key=lambda name: ("/" not in name, name)):
        for change in _changes(name):
            known = found.get(change.kind)
            if known is None or known.at < change.at:
                found[change.kind] = change
    return [found[kind] for kind in sorted(found)]


def _changes(name: str) -> Iterator[Change]:
    info = load_zone(name)
    edges, end = _edges(name)
    for number, at in enumerate(edges):
        before, after = datetime.fromtimestamp(at - 1, info), datetime.fromtimestamp(at, info)
        offset, later = (
            int((moment.utcoffset() or timedelta()).total_seconds()) for moment in (before, after)
        )
        following = edges[number + 1] if number + 1 < len(edges) else None
        if following is None and end - at <= _FOR_GOOD_S:
            return  # what comes after it was not looked at
        near = [abs(other - at) for other in edges[max(0, number - 1) : number + 2] if other != at]
        kind = Kind(
            shift=later - offset,
            local=(at + offset) % DAY_S,
            fraction=offset % 3600,
            is_for_good=following is None or following - at > _FOR_GOOD_S,
            is_one_of_two=min(near, default=FEW_WEEKS_S) < FEW_WEEKS_S,
            is_negative_dst=any((moment.dst() or timedelta()) < timedelta() for moment in (before, after)),
        )
        yield Change(name, at, kind, following)


def _edges(name: str) -> tuple[list[int], int]:
    """The seconds at which the offset changes, by the file's list and the rule that follows; and how far it looked."""
    info = load_zone(name)

    def offset(at: int) -> timedelta | None:
        return datetime.fromtimestamp(at, info).utcoffset()

    found = [at for at in transitions(name) if at >= _FIRST]
    last = max([_FIRST, *found])
    for start, end in pairwise(range(last, last + _AFTER_THE_LIST_S, _STEP_S)):
        if offset(start) != offset(end):
            later = offset(end)
            found.append(start + bisect_left(range(start, end), True, key=lambda at: offset(at) == later))
    return [at for at in found if offset(at) != offset(at - 1)], last + _AFTER_THE_LIST_S
