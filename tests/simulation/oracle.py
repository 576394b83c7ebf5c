"""When the simulation's jobs should run: an enumerator of its own, sharing nothing with the domain but zoneinfo.

It knows only the schedules that `definitions` draws. Moments are epoch milliseconds, ascending.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

SECOND, HOUR, DAY = 1_000, 3_600_000, 86_400_000
_DAYS = {"*": range(7), "MON-FRI": range(5), "SAT": (5,)}


def occurrences(doc: Mapping[str, Any], start_ms: int, end_ms: int) -> list[int]:
    """The nominal times in [start, end) of a stored job, also those that a calendar skips."""
    schedules = doc["schedule"] if isinstance(doc["schedule"], list) else [doc["schedule"]]
    return sorted({at for each in schedules for at in _of_schedule(each, doc, start_ms, end_ms)})


def jitter_ms(doc: Mapping[str, Any]) -> int:
    """How much later than its nominal time an occurrence may be due."""
    schedules = doc["schedule"] if isinstance(doc["schedule"], list) else [doc["schedule"]]
    return max(int(each.get("jitter_seconds", 0)) for each in schedules) * SECOND


def day_of(at_ms: int) -> date:
    """The day in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).date()


def epoch_ms(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return round(moment.timestamp() * 1000)


def _of_schedule(
    schedule: Mapping[str, Any], doc: Mapping[str, Any], start_ms: int, end_ms: int
) -> Iterator[int]:
    """Bounds, exclusions and `max_runs`, which counts from the start or the creation, whichever is later."""
    created_ms: int = doc["created_ms"]
    low = epoch_ms(schedule["start_at"]) if schedule.get("start_at") else 0
    high = epoch_ms(schedule["end_at"]) if schedule.get("end_at") else end_ms
    count = schedule.get("max_runs")
    begin_ms = max(start_ms, low) if count is None else max(created_ms + 1, low)
    found = (
        at
        for at in _plain(schedule, created_ms, begin_ms, min(end_ms, high))
        if not any(_excludes(each, at) for each in doc.get("exclude") or ())
    )
    return (at for at in islice(found, count) if start_ms <= at)


def _plain(schedule: Mapping[str, Any], created_ms: int, start_ms: int, end_ms: int) -> Iterator[int]:
    match schedule["kind"]:
        case "once":
            at = epoch_ms(schedule["at"])
            return iter([at] if start_ms <= at < end_ms else [])
        case "interval":
            every = round(float(schedule["every"]) * 1000)
            anchor = epoch_ms(schedule["anchor"]) if schedule.get("anchor") else created_ms // 1000 * 1000
            first = max(0, -((anchor - start_ms) // every))
            return iter(range(anchor + first * every, end_ms, every))
        case "cron":
            return _cron(schedule["expression"], schedule["timezone"], schedule["dst"], start_ms, end_ms)
    return iter(())


def _cron(expression: str, zone: str, dst: str, start_ms: int, end_ms: int) -> Iterator[int]:
    parts = expression.split()
    second, minute, hour, _, _, days = parts if len(parts) == 6 else ["0", *parts]
    seconds = _values(second, 60)
    if minute.isdigit() and hour.isdigit():
        at = (int(hour), int(minute), int(second))
        return _fixed(at, _DAYS[days], ZoneInfo(zone), dst, (start_ms, end_ms))
    return _elapsed(_values(minute, 60), seconds, hour, ZoneInfo(zone), start_ms, end_ms)


def _values(text: str, count: int) -> list[int]:
    if text.startswith("*"):
        return list(range(0, count, int(text[2:] or 1) if text != "*" else 1))
    return [int(text)]


def _elapsed(
    minutes: list[int], seconds: list[int], hour: str, zone: ZoneInfo, start_ms: int, end_ms: int
) -> Iterator[int]:
    """Each hour that passes, whatever the clock calls it; all offsets here are whole hours."""
    for base in range(start_ms // HOUR * HOUR, end_ms, HOUR):
        if hour != "*" and datetime.fromtimestamp(base / 1000, zone).hour != int(hour):
            continue
        for minute in minutes:
            for second in seconds:
                at = base + (minute * 60 + second) * SECOND
                if start_ms <= at < end_ms:
                    yield at


def _fixed(
    time: tuple[int, int, int], days: Any, zone: ZoneInfo, dst: str, within: tuple[int, int]
) -> Iterator[int]:
    """A time of day on some weekdays."""
    day = datetime.fromtimestamp(within[0] / 1000, UTC).date() - timedelta(days=1)
    last = datetime.fromtimestamp(within[1] / 1000, UTC).date() + timedelta(days=1)
    while day <= last:
        if day.weekday() in days:
            local = datetime(day.year, day.month, day.day, *time, tzinfo=zone)
            yield from (at for at in _instants(local, dst) if within[0] <= at < within[1])
        day += timedelta(days=1)


def _instants(local: datetime, dst: str) -> list[int]:
    """The instants of a local moment under a rule for the changes of the clock."""
    shown = [round(local.replace(fold=fold).timestamp() * 1000) for fold in (0, 1)]
    if _back(local, shown[0]) != local.replace(tzinfo=None):
        if dst != "once":
            return []
        return [shown[0] // HOUR * HOUR]
    return shown if dst == "literal" and shown[0] != shown[1] else shown[:1]


def _back(local: datetime, at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, local.tzinfo).replace(tzinfo=None, fold=0)


def _excludes(exclusion: Mapping[str, Any], at_ms: int) -> bool:
    if exclusion["kind"] == "range":
        return epoch_ms(exclusion["from"]) <= at_ms < epoch_ms(exclusion["until"])
    zone = ZoneInfo(exclusion.get("timezone", "UTC"))
    return _hour(at_ms, zone) == int(exclusion["expression"].split()[2])


@lru_cache(maxsize=65_536)
def _hour(at_ms: int, zone: ZoneInfo) -> int:
    return datetime.fromtimestamp(at_ms / 1000, zone).hour
