"""Zones by their IANA name, from the pinned tzdata package and never from the machine's own files."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from itertools import chain, pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

_NO_PLACE = frozenset({"Factory"})
_WINDOW_BITS = 21
"""Offsets are looked up in windows of 2**21 seconds, about 24 days: most of them hold no change at all."""
_MARGIN_S = 2 * 86_400
"""A window also knows two days on each side: local and UTC seconds differ by 14 hours, by 26 around a change."""
_PROBE_S = 1 << 19
"""Offsets are probed every 6.1 days; the closest two changes since 1970 are 6.9 days apart (a test keeps watch)."""


class Stretch(NamedTuple):
    """Seconds [start, end) of UTC in which local time is UTC + offset."""

    start: int
    end: int
    offset: int


@cache
def zone_names() -> frozenset[str]:
    """Every zone of the tzdata package."""
    from importlib.resources import files

    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split()) - _NO_PLACE


def check_zone(name: str) -> str:
    """The name itself. ValueError, with the nearest names, if there is no such zone."""
    names = zone_names()
    if name in names:
        return name
    raise ValueError(
        f"no time zone is called {name[:64]!r}: expected an IANA name such as Europe/Berlin{_hint(name)}"
    )


def _hint(name: str) -> str:
    from difflib import get_close_matches

    by_lower = {known.lower(): known for known in zone_names() if "/" in known}
    folded = name[:64].strip().lower().replace(" ", "_")
    near = get_close_matches(folded, by_lower, n=1, cutoff=0.75)
    return f" (did you mean {by_lower[near[0]]}?)" if near else ""


@cache
def load_zone(name: str) -> ZoneInfo:
    """The zone's rules. ValueError for an unknown name."""
    from importlib.resources import files

    source = files("tzdata").joinpath("zoneinfo", *check_zone(name).split("/"))
    with source.open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


@cache
def zone(name: str) -> "Zone":
    """The zone's offsets, made once per process."""
    return Zone(load_zone(name))


class Zone:
    """The stretches of constant offset of one zone, found when they are first asked for and kept."""

    __slots__ = ("_info", "_windows", "fixed")

    def __init__(self, info: ZoneInfo) -> None:
        fixed = info.utcoffset(None)
        self.fixed: int | None = None if fixed is None else int(fixed.total_seconds())
        self._info = info
        self._windows: dict[int, tuple[Stretch, ...]] = {}

    def around(self, second: int) -> tuple[Stretch, ...]:
        """The stretches in the window of a second (of UTC or local), and at least two days on each side of it."""
        window = second >> _WINDOW_BITS
        found = self._windows.get(window)
        if found is None:
            found = self._windows[window] = self._probe(window)
        return found

    def offset(self, second: int) -> int:
        """Local time minus UTC, in seconds, at a second of UTC."""
        stretches = self.around(second)
        if len(stretches) == 1:
            return stretches[0].offset
        return next(stretch.offset for stretch in stretches if second < stretch.end)

    def changes(self, start: int, end: int) -> list[tuple[Stretch, Stretch]]:
        """The pairs of stretches that meet at a change of the offset in [start, end)."""
        found: dict[int, tuple[Stretch, Stretch]] = {}
        for window in range(start >> _WINDOW_BITS, ((end - 1) >> _WINDOW_BITS) + 1):
            stretches = self.around(window << _WINDOW_BITS)
            found.update({after.start: (before, after) for before, after in pairwise(stretches)})
        return [found[at] for at in sorted(found) if start <= at < end]

    def next_change(self, second: int, until: int) -> int | None:
        """The first second in (second, until) whose offset is not that of the one before it; None without any."""
        known = self.offset(second)
        probes = (
            () if self.fixed is not None else chain(range(second + _PROBE_S, until, _PROBE_S), (until - 1,))
        )
        for probe in probes:
            if self._offset_at(probe) != known:
                return self.changes(max(second, probe - _PROBE_S) + 1, probe + 1)[0][1].start
        return None

    def _probe(self, window: int) -> tuple[Stretch, ...]:
        start = (window << _WINDOW_BITS) - _MARGIN_S
        end = ((window + 1) << _WINDOW_BITS) + _MARGIN_S
        if self.fixed is not None:
            return (Stretch(start, end, self.fixed),)
        edges = _edges(self._offset_at, start, end)
        ends = [edge for edge, _ in edges[1:]] + [end]
        return tuple(Stretch(edge, until, offset) for (edge, offset), until in zip(edges, ends, strict=True))

    def _offset_at(self, second: int) -> int:
        offset = datetime.fromtimestamp(second, self._info).utcoffset() or timedelta()
        return offset.days * 86_400 + offset.seconds


def _edges(offset_at: Callable[[int], int], start: int, end: int) -> list[tuple[int, int]]:
    edges = [(start, offset_at(start))]
    for probe in [*range(start + _PROBE_S, end, _PROBE_S), end - 1]:
        offset = offset_at(probe)
        if offset != edges[-1][1]:
            edges.append((_first_with(offset_at, offset, max(start, probe - _PROBE_S), probe), offset))
    return edges


def _first_with(offset_at: Callable[[int], int], offset: int, before: int, at: int) -> int:
    while at - before > 1:
        middle = (before + at) // 2
        if offset_at(middle) == offset:
            at = middle
        else:
            before = middle
    return at
