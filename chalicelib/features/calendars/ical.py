"""The days that the events of an iCalendar file (RFC 5545) take up. Parsed by the library `icalendar`, on first use.

An all-day event takes its days, a timed one every day that it touches. Recurrences are expanded from a year before the
import to ten years after it, and no further. Time zone definitions in the file are not run: zones go by their names.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from chalicelib.domain.calendars import DayRange, as_dates_and_ranges, day_number
from chalicelib.domain.errors import FieldProblem
from chalicelib.domain.recurrence import Frequency, Rule, Steps, TooManySteps, days_of_rule
from chalicelib.features.validation import MAX_PROBLEMS, refusal

if TYPE_CHECKING:
    from icalendar import Component

MAX_EVENTS = 2_000
MAX_STEPS = 400_000
MAX_EVENT_DAYS = 366
YEARS_BACK, YEARS_AHEAD = 1, 10

_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
_PARTS = {
    "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYDAY", "BYSETPOS",
}  # fmt: skip


class BadEvent(ValueError):
    """An event that cannot be taken over; the message says why."""


@dataclass(frozen=True, slots=True)
class _Event:
    """One VEVENT: its start, how long it is, and in which zone its rule counts days (None: floating, or all-day)."""

    uid: str
    start: date | datetime
    length: timedelta
    rule: Rule | None
    added: tuple[tuple[date | datetime, timedelta], ...]
    left_out: frozenset[date]
    replaces: date | None

    @property
    def day(self) -> date:
        return _date(self.start)

    def at(self, day: date) -> date | datetime:
        """The start of the instance on a day, by the event's own clock."""
        if isinstance(self.start, datetime):
            return datetime.combine(day, self.start.timetz())
        return day


def imported(text: str, zone: tzinfo, today: date) -> tuple[tuple[date, ...], tuple[DayRange, ...]]:
    """The dates and ranges of an iCalendar file, by the days of a zone. Invalid, naming each event that does not do."""
    events = _events(text)
    first, last = _window(today)
    replaced = {(event.uid, event.replaces) for event in events if event.replaces}
    steps, days = Steps(MAX_STEPS), list[tuple[int, int]]()
    try:
        for event in events:
            for start, length in _instances(event, replaced, first, last, steps):
                begin, end = _touched(start, length, zone)
                if end >= first and begin <= last:
                    days.append((day_number(begin), day_number(end)))
    except TooManySteps:
        message = "The file's recurrences are too much work; write them as fewer rules, or as dates."
        raise refusal([FieldProblem("", message, "too_many_steps")]) from None
    return as_dates_and_ranges(days)


def _window(today: date) -> tuple[date, date]:
    return date(today.year - YEARS_BACK, 1, 1), date(today.year + YEARS_AHEAD, 12, 31)


def _events(text: str) -> list[_Event]:
    import icalendar

    try:
        calendars = icalendar.Calendar.from_ical(_without_zones(text), multiple=True)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _refused(f"This is no iCalendar file: {str(error)[:200]}.") from None
    except OSError:  # zoneinfo looks names up as files
        raise _refused("The file has a TZID that is no time zone.") from None
    if not calendars or any(each.name != "VCALENDAR" for each in calendars):
        raise _refused("This is no iCalendar file: it has no VCALENDAR.")
    found = [event for each in calendars for event in each.walk("VEVENT")]
    if len(found) > MAX_EVENTS:
        raise _refused(f"The file has {len(found)} events; at most {MAX_EVENTS} are taken over.")
    events, problems = list[_Event](), list[FieldProblem]()
    for component in found:
        try:
            if str(component.get("STATUS", "")).upper() != "CANCELLED" or "RECURRENCE-ID" in component:
                events.append(_event(component))
        except BadEvent as error:
            name = str(component.get("SUMMARY") or component.get("UID") or "without a name")[:100]
            problems.append(FieldProblem("", f"The event {name!r}: {error}.", "event"))
    if problems:
        raise refusal(problems[:MAX_PROBLEMS])
    return events


def _without_zones(text: str) -> str:
    """The file without its VTIMEZONEs, whose rules could run for ever."""
    kept, inside = list[str](), False
    for line in text.splitlines():
        name = line.strip().upper()
        inside = inside or name == "BEGIN:VTIMEZONE"
        if not inside:
            kept.append(line)
        inside = inside and name != "END:VTIMEZONE"
    return "\r\n".join([*kept, ""])


def _refused(message: str) -> Exception:
    return refusal([FieldProblem("", message, "icalendar")])


def _event(component: "Component") -> _Event:
    from icalendar.error import BrokenCalendarProperty

    try:
        start = _moment(component.get("DTSTART"))
        cancelled = str(component.get("STATUS", "")).upper() == "CANCELLED"
        replaces = component.get("RECURRENCE-ID")
        return _Event(
            uid=str(component.get("UID", "")),
            start=start,
            length=timedelta(days=-1) if cancelled else _length(component, start),
            rule=_rule(component.get("RRULE"), start),
            added=tuple(_added(component, start)),
            left_out=frozenset(_left_out(component, start)),
            replaces=None if replaces is None else _date(_by_clock_of(start, replaces.dt)),
        )
    except (BrokenCalendarProperty, AttributeError, TypeError, ValueError, OverflowError) as error:
        raise BadEvent(str(error)[:200] or type(error).__name__) from None


def _moment(value: Any) -> date | datetime:
    if value is None or isinstance(value, list) or not isinstance(value.dt, date):
        raise BadEvent("it needs one DTSTART, a date or a date with a time")
    return _bounded(value.dt)


def _bounded(moment: date | datetime) -> date | datetime:
    if not 1900 <= moment.year <= 2199:
        raise BadEvent("its days must be in the years 1900 to 2199")
    return moment


def _length(component: "Component", start: date | datetime) -> timedelta:
    end, duration = component.get("DTEND"), component.get("DURATION")
    length = timedelta(0) if isinstance(start, datetime) else timedelta(days=1)
    if end is not None:
        length = _difference(end.dt, start)
    elif duration is not None:
        length = duration.dt
    return _checked_length(length)


def _checked_length(length: timedelta) -> timedelta:
    if length < timedelta(0) or length.days > MAX_EVENT_DAYS:
        raise BadEvent(f"it must end after it starts, and last at most {MAX_EVENT_DAYS} days")
    return length


def _difference(end: date | datetime, start: date | datetime) -> timedelta:
    if isinstance(end, datetime) != isinstance(start, datetime):
        raise BadEvent("DTSTART and DTEND must both be dates, or both have a time")
    if isinstance(end, datetime) and isinstance(start, datetime):
        if (end.tzinfo is None) != (start.tzinfo is None):
            raise BadEvent("DTSTART and DTEND must both have a zone, or neither")
        return end.astimezone(UTC) - start.astimezone(UTC) if end.tzinfo else end - start
    return _date(end) - _date(start)


def _by_clock_of(start: date | datetime, other: date | datetime) -> date | datetime:
    if isinstance(start, datetime) and isinstance(other, datetime) and start.tzinfo and other.tzinfo:
        return other.astimezone(start.tzinfo)
    return other


def _date(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value


def _lists(component: "Component", name: str) -> Iterator[Any]:
    value = component.get(name)
    for each in value if isinstance(value, list) else [] if value is None else [value]:
        yield from each.dts


def _left_out(component: "Component", start: date | datetime) -> Iterator[date]:
    for each in _lists(component, "EXDATE"):
        yield _date(_by_clock_of(start, each.dt))


def _added(component: "Component", start: date | datetime) -> Iterator[tuple[date | datetime, timedelta]]:
    length = _length(component, start)
    for each in _lists(component, "RDATE"):
        if isinstance(each.dt, tuple):
            begin, end = each.dt
            given = end if isinstance(end, timedelta) else _difference(end, begin)
            yield _bounded(begin), _checked_length(given)
        else:
            yield _bounded(each.dt), length


def _rule(value: Any, start: date | datetime) -> Rule | None:
    if value is None:
        return None
    if isinstance(value, list):
        raise BadEvent("it has more than one RRULE")
    parts = {str(name).upper(): each for name, each in value.items()}
    frequency: Frequency = str(parts["FREQ"][0]).upper() if "FREQ" in parts else ""  # type: ignore[assignment]
    strange = sorted(set(parts) - _PARTS)
    if strange or frequency not in _FREQUENCIES:
        raise BadEvent(f"its RRULE is not supported: {', '.join(strange) or f'FREQ={frequency}'}")
    until = parts["UNTIL"][0] if "UNTIL" in parts else None
    interval = int(parts.get("INTERVAL", [1])[0])
    if interval < 1:
        raise BadEvent("its RRULE has an INTERVAL below 1")
    return Rule(
        frequency,
        interval=min(interval, 10_000),
        count=int(parts["COUNT"][0]) if "COUNT" in parts else None,
        until=None if until is None else _until(until, start),
        months=_numbers(parts, "BYMONTH"),
        month_days=_numbers(parts, "BYMONTHDAY"),
        year_days=_numbers(parts, "BYYEARDAY"),
        weekdays=tuple(_weekday(str(each)) for each in parts.get("BYDAY", ())),
        positions=_numbers(parts, "BYSETPOS"),
        week_start=_WEEKDAYS.index(str(parts.get("WKST", ["MO"])[0]).upper()),
    )


def _until(until: date | datetime, start: date | datetime) -> date:
    """The last day on which the event may still start."""
    if not isinstance(until, date):
        raise BadEvent("its RRULE has an UNTIL that is no date")
    until = _by_clock_of(start, until)
    if isinstance(until, datetime) and isinstance(start, datetime) and until.time() < start.time():
        return until.date() - timedelta(days=1)
    return _date(until)


def _numbers(parts: dict[str, Any], name: str) -> tuple[int, ...]:
    return tuple(sorted({int(each) for each in parts.get(name, ())}))


def _weekday(text: str) -> tuple[int, int]:
    return _WEEKDAYS.index(text[-2:].upper()), int(text[:-2] or 0)


def _instances(
    event: _Event, replaced: set[tuple[str, date]], first: date, last: date, steps: Steps
) -> Iterator[tuple[date | datetime, timedelta]]:
    """The starts of an event, with their lengths."""
    if event.length < timedelta(0):
        return
    early = first - timedelta(days=event.length.days + 2)
    days = [event.day]
    if event.rule is not None:
        days = list(days_of_rule(event.rule, event.day, early, last, steps))
        days += [event.day] if event.rule.count is None and event.day not in days else []
    for day in days:
        steps.take()
        is_replaced = event.replaces is None and (event.uid, day) in replaced
        if day not in event.left_out and not is_replaced:
            yield event.at(day), event.length
    for start, length in event.added:
        steps.take()
        yield start, length


def _touched(start: date | datetime, length: timedelta, zone: tzinfo) -> tuple[date, date]:
    """The first and the last day of an instance, by the days of a zone. An end at midnight touches no further day."""
    if not isinstance(start, datetime):
        return start, start + max(length, timedelta(days=1)) - timedelta(days=1)
    if start.tzinfo is None:
        begin, end = start, start + length
    else:
        begin = start.astimezone(zone)
        end = (start.astimezone(UTC) + length).astimezone(zone)
    if end > begin and end.time() == time(0):
        return begin.date(), end.date() - timedelta(days=1)
    return begin.date(), end.date()
