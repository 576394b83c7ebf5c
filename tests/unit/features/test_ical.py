"""iCalendar files as the world writes them, and as an enemy would."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from chalicelib.domain.errors import Invalid
from chalicelib.features.calendars.ical import MAX_EVENTS, imported

BERLIN = ZoneInfo("Europe/Berlin")
TODAY = date(2027, 1, 15)


def file(*events: str) -> str:
    """A file of events, each given as its lines."""
    body = "".join(
        f"BEGIN:VEVENT\nUID:{number}\n{event}\nEND:VEVENT\n" for number, event in enumerate(events)
    )
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x\n{body}END:VCALENDAR\n"


def taken(text: str, zone: ZoneInfo = BERLIN) -> list[str]:
    dates, ranges = imported(text, zone, TODAY)
    return [each.isoformat() for each in dates] + [f"{each.from_} to {each.until}" for each in ranges]


YEARS = range(2027, 2038)
EVENTS: list[tuple[tuple[str, ...], list[str], str]] = [
    (("DTSTART;VALUE=DATE:20271225",), ["2027-12-25"], "an all-day event of one day"),
    (("DTSTART;VALUE=DATE:20271225\nDTEND;VALUE=DATE:20271226",), ["2027-12-25"], "its end is not included"),
    (
        ("DTSTART;VALUE=DATE:20271225\nDTEND;VALUE=DATE:20271228",),
        ["2027-12-25 to 2027-12-27"],
        "several days",
    ),
    (("DTSTART;VALUE=DATE:20271225\nDURATION:P3D",), ["2027-12-25 to 2027-12-27"], "by their duration"),
    (("DTSTART:20271224T120000Z\nDTEND:20271224T130000Z",), ["2027-12-24"], "an hour takes its day"),
    (("DTSTART:20271224T233000Z",), ["2027-12-25"], "by the calendar's zone, not by UTC"),
    (("DTSTART:20271224T220000Z\nDTEND:20271225T000000Z",), ["2027-12-24 to 2027-12-25"], "over midnight"),
    (
        ("DTSTART;TZID=Europe/Berlin:20271224T200000\nDTEND;TZID=Europe/Berlin:20271225T000000",),
        ["2027-12-24"],
        "an end at midnight touches no further day",
    ),
    (("DTSTART;TZID=W. Europe Standard Time:20271224T000000",), ["2027-12-24"], "Outlook's name of a zone"),
    (("DTSTART:20271224T233000",), ["2027-12-24"], "a floating time is the calendar's"),
    (("DTSTART;TZID=Mars/Olympus:20271224T233000",), ["2027-12-24"], "so is one of an unknown zone"),
    (("DTSTART;VALUE=DATE:20271225\nSTATUS:CANCELLED",), [], "a cancelled event"),
    (("DTSTART;VALUE=DATE:20151225",), [], "long ago"),
    (
        ("DTSTART;VALUE=DATE:20151225\nRRULE:FREQ=YEARLY",),
        ["2026-12-25", *(f"{year}-12-25" for year in YEARS)],
        "each year, from last year to the tenth from now",
    ),
    (
        ("DTSTART;VALUE=DATE:20271225\nRRULE:FREQ=YEARLY;COUNT=2",),
        ["2027-12-25", "2028-12-25"],
        "two of them",
    ),
    (
        ("DTSTART;VALUE=DATE:20271225\nRRULE:FREQ=YEARLY;UNTIL=20281225",),
        ["2027-12-25", "2028-12-25"],
        "until a day, which is included",
    ),
    (
        ("DTSTART:20271225T120000Z\nRRULE:FREQ=DAILY;UNTIL=20271226T110000Z",),
        ["2027-12-25"],
        "until a moment before the second one",
    ),
    (
        ("DTSTART;VALUE=DATE:20271225\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE;VALUE=DATE:20271226,20271227",),
        ["2027-12-25", "2027-12-28"],
        "without exceptions",
    ),
    (
        ("DTSTART;VALUE=DATE:20271225\nRDATE;VALUE=DATE:20280601",),
        ["2027-12-25", "2028-06-01"],
        "with an added date",
    ),
    (
        ("DTSTART:20271225T120000Z\nRDATE;VALUE=PERIOD:20280601T120000Z/P1D",),
        ["2027-12-25", "2028-06-01 to 2028-06-02"],
        "with an added period",
    ),
    (
        ("DTSTART;VALUE=DATE:20271225", "DTSTART;VALUE=DATE:20271226", "DTSTART;VALUE=DATE:20271225"),
        ["2027-12-25 to 2027-12-26"],
        "neighbours become a range",
    ),
    (
        ("DTSTART;VALUE=DATE:20271122\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=1",),
        ["2027-11-25"],
        "the fourth Thursday",
    ),
]


@pytest.mark.parametrize(("events", "expected", "reason"), EVENTS, ids=[row[2] for row in EVENTS])
def test_an_event_takes_up_days(events: tuple[str, ...], expected: list[str], reason: str) -> None:
    found = taken(file(*events))
    assert found == expected, reason


def test_an_instance_that_was_moved_counts_where_it_is_now() -> None:
    series = "BEGIN:VEVENT\nUID:a\nDTSTART;VALUE=DATE:20271225\nRRULE:FREQ=DAILY;COUNT=3\nEND:VEVENT\n"
    moved = (
        "BEGIN:VEVENT\nUID:a\nRECURRENCE-ID;VALUE=DATE:20271226\nDTSTART;VALUE=DATE:20280101\nEND:VEVENT\n"
    )
    text = f"BEGIN:VCALENDAR\n{series}{moved}END:VCALENDAR\n"
    assert taken(text) == ["2027-12-25", "2027-12-27", "2028-01-01"]
    gone = moved.replace("END:VEVENT", "STATUS:CANCELLED\nEND:VEVENT")
    assert taken(text.replace(moved, gone)) == ["2027-12-25", "2027-12-27"]


def test_line_ends_folds_and_other_components_do_not_matter() -> None:
    text = file(
        "DTSTART;VALUE=DA\n TE:20271225\nSUMMARY:Weih\n nachten\nBEGIN:VALARM\nTRIGGER:-PT1H\nEND:VALARM"
    )
    todo = "BEGIN:VTODO\nUID:t\nDTSTART;VALUE=DATE:20280101\nEND:VTODO\nEND:VCALENDAR"
    assert taken(text.replace("END:VCALENDAR", todo).replace("\n", "\r\n")) == ["2027-12-25"]


def test_a_file_without_events_takes_up_nothing() -> None:
    assert taken(file()) == []


def test_a_zone_that_is_defined_in_the_file_is_not_run() -> None:
    endless = (
        "BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nBEGIN:STANDARD\nDTSTART:19700101T000000\n"
        "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\n"
        "END:VTIMEZONE\nBEGIN:VEVENT"
    )
    text = file("DTSTART;TZID=Europe/Berlin:20271224T120000").replace("BEGIN:VEVENT", endless)
    assert taken(text) == ["2027-12-24"]


BAD: list[tuple[str, str, str]] = [
    ("", "icalendar", "nothing"),
    ("hello", "icalendar", "no calendar at all"),
    ("BEGIN:VCALENDAR", "icalendar", "it never ends"),
    ("BEGIN:VEVENT\nDTSTART;VALUE=DATE:20271225\nEND:VEVENT", "icalendar", "an event alone"),
    ("BEGIN:VCALENDAR\n" * 20_000, "icalendar", "calendars in calendars"),
    (file("SUMMARY:no start"), "event", "no start"),
    (file("DTSTART:garbage"), "event", "a bad start"),
    (file("DTSTART;VALUE=DATE:20270230"), "event", "no such day"),
    (file("DTSTART;VALUE=DATE:00010101"), "event", "two thousand years ago"),
    (file("DTSTART;VALUE=DATE:20271225\nDTEND;VALUE=DATE:20271224"), "event", "backwards"),
    (file("DTSTART;VALUE=DATE:20271225\nDURATION:P9999D"), "event", "too long"),
    (file("DTSTART;VALUE=DATE:20271225\nDTEND:20271226T000000Z"), "event", "a date and a moment"),
    (file("DTSTART;VALUE=DATE:20271225\nRRULE:FREQ=SECONDLY"), "event", "seconds are no days"),
    (file("DTSTART;VALUE=DATE:20271225\nRRULE:FREQ=YEARLY;BYHOUR=3"), "event", "hours are no days"),
    (file("DTSTART;VALUE=DATE:20271225\nRRULE:INTERVAL=2"), "event", "how often?"),
    (file("DTSTART;VALUE=DATE:20271225\nRRULE:FREQ=DAILY;INTERVAL=0"), "event", "no step"),
    (file("DTSTART;VALUE=DATE:20271225\nRRULE:FREQ=DAILY;INTERVAL=x"), "event", "no number"),
    (file("DTSTART;VALUE=DATE:20271225\nRRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY"), "event", "two rules"),
    (file("DTSTART;VALUE=DATE:20271225\nEXDATE:garbage"), "event", "a bad exception"),
    (file("DTSTART;VALUE=DATE:20271225\nRRULE:FREQ=DAILY;UNTIL=120000"), "event", "until a time of day"),
    (file("DTSTART;TZID=Europe:20271225T120000"), "icalendar", "a folder as a zone"),
    (file("DTSTART;VALUE=DATE:20271225\nRDATE;VALUE=DATE:99990101"), "event", "an added date out of reach"),
    (file(*["DTSTART;VALUE=DATE:20271225"] * (MAX_EVENTS + 1)), "icalendar", "too many events"),
    (
        file(*["DTSTART;VALUE=DATE:19000101\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=9"] * 40),
        "too_many_steps",
        "rules that never fire",
    ),
    (
        file(*["DTSTART;VALUE=DATE:19000101\nRRULE:FREQ=DAILY;COUNT=999999999"] * 40),
        "too_many_steps",
        "a flood",
    ),
]


@pytest.mark.parametrize(("text", "code", "reason"), BAD, ids=[row[2] for row in BAD])
def test_a_file_that_does_not_do_is_refused_with_a_reason(text: str, code: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        imported(text, ZoneInfo("UTC"), TODAY)
    assert {problem.code for problem in refused.value.problems} == {code}, reason
    assert all(len(problem.message) < 500 for problem in refused.value.problems)


def test_a_refusal_names_the_event() -> None:
    with pytest.raises(Invalid) as refused:
        imported(file("SUMMARY:Weihnachten\nDTSTART:garbage"), ZoneInfo("UTC"), TODAY)
    [problem] = refused.value.problems
    assert problem.message.startswith("The event 'Weihnachten': ")


def test_a_large_file_of_yearly_holidays_is_taken_over() -> None:
    events = [
        f"DTSTART;VALUE=DATE:1970{1 + n % 12:02d}{1 + n % 28:02d}\nRRULE:FREQ=YEARLY" for n in range(400)
    ]
    dates, ranges = imported(file(*events), ZoneInfo("UTC"), date(2027, 1, 1))
    assert len(dates) + len(ranges) > 500
