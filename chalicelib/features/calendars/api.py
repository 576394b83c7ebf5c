"""The routes of calendars."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.calendar_use import CalendarName
from chalicelib.domain.calendars import (
    CalendarContent,
    CalendarDefinition,
    Day,
    day_calendar,
    day_number,
)
from chalicelib.domain.errors import Conflict, Invalid, NotFound
from chalicelib.domain.merge_patch import merged
from chalicelib.domain.zones import load_zone
from chalicelib.engine.core import Engine
from chalicelib.features.base import JSON, MERGE_PATCH, Answer, Body, Request, Response, Route
from chalicelib.features.calendars import service
from chalicelib.features.calendars.views import (
    CalendarPage,
    CalendarView,
    DayList,
    calendar_summary,
    calendar_view,
    day_list,
)
from chalicelib.features.conditional import etag
from chalicelib.features.jobs.timing import MAX_JOBS
from chalicelib.features.paging import List, PageQuery
from chalicelib.features.validation import checked

ICALENDAR = "text/calendar"
MAX_DAYS = 366


class CalendarReplacement(CalendarContent):
    """All of a calendar; a name has to be its own."""

    name: CalendarName | None = None


class DaysQuery(BaseModel):
    """Which days to show."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    from_: Day | None = Field(
        None, alias="from", description="The first day. Default: today in the calendar's zone."
    )
    until: Day | None = Field(
        None, description=f"The last day, at most {MAX_DAYS} in all. Default: 30 days later."
    )


class ImportQuery(BaseModel):
    """What becomes of the dates and ranges that the calendar has."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    mode: Literal["replace", "add"] = Field(
        "replace", description="Of the excluded dates and ranges; everything else of the calendar stays."
    )


def create_calendar(engine: Engine, request: Request) -> Response:
    calendar = service.create(engine, request.tenant, request.body, request.idempotency)
    return _shown(calendar, 201, {"Location": f"/calendars/{calendar.name}"})


def list_calendars(engine: Engine, request: Request) -> Response:
    query: PageQuery = request.query
    pages = List(engine.secrets, request.tenant, "calendars", "", query)
    found, last = service.listed(engine, request.tenant, limit=query.limit, after=pages.after(query.cursor))
    items = [calendar_summary(each) for each in found]
    return Response(CalendarPage.model_construct(items=items, next_cursor=pages.cursor(last)))


def get_calendar(engine: Engine, request: Request) -> Response:
    return _shown(service.read(engine, request.tenant, request.path["name"]))


def replace_calendar(engine: Engine, request: Request) -> Response:
    given: CalendarReplacement = request.body
    _check_name(request, given.name)
    content = CalendarContent.model_construct(
        **{name: getattr(given, name) for name in CalendarContent.model_fields}
    )
    return _changed(engine, request, lambda _before: content)


def patch_calendar(engine: Engine, request: Request) -> Response:
    patch: dict[str, Any] = dict(request.body)
    _check_name(request, patch.pop("name", None))

    def change(before: CalendarContent) -> CalendarContent:
        return checked(CalendarContent, merged(before.model_dump(mode="json", exclude_none=True), patch))

    return _changed(engine, request, change)


def delete_calendar(engine: Engine, request: Request) -> Response:
    service.delete(engine, request.tenant, request.path["name"], request.if_match)
    return Response(status=204)


def import_calendar(engine: Engine, request: Request) -> Response:
    from chalicelib.features.calendars.ical import imported

    text, mode = str(request.body), request.query.mode
    today = datetime.fromtimestamp(engine.clock.now_ms() / 1000, UTC).date()

    def change(before: CalendarContent) -> CalendarContent:
        dates, ranges = imported(text, load_zone(before.timezone or "UTC"), today)
        if mode == "add":
            dates, ranges = dates + before.excluded.dates, ranges + before.excluded.ranges
        document = before.model_dump(mode="json", exclude_none=True)
        document["excluded"]["dates"] = [each.isoformat() for each in dates]
        document["excluded"]["ranges"] = [each.model_dump(mode="json") for each in ranges]
        return checked(CalendarContent, document)

    return _changed(engine, request, change)


def list_days(engine: Engine, request: Request) -> Response:
    query: DaysQuery = request.query
    calendar = service.read(engine, request.tenant, request.path["name"])
    zone = load_zone(calendar.content.timezone or "UTC")
    today = datetime.fromtimestamp(engine.clock.now_ms() / 1000, zone).date()
    first: date = query.from_ or today
    last: date = query.until or first + timedelta(days=30)
    if not 0 <= (last - first).days < MAX_DAYS:
        raise Invalid.field(
            "/query/until", f"It must not be before from, nor {MAX_DAYS} days after it.", "range"
        )
    return Response(day_list(day_calendar(calendar.content), day_number(first), day_number(last)))


def _check_name(request: Request, given: object) -> None:
    if given is not None and given != request.path["name"]:
        raise Invalid.field("/name", "A calendar keeps its name; make another one instead.", "immutable")


def _changed(engine: Engine, request: Request, change: service.Change) -> Response:
    return _shown(service.change(engine, request.tenant, request.path["name"], request.if_match, change))


def _shown(calendar: service.Calendar, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(calendar_view(calendar), status, {"ETag": etag(calendar.revision), **(headers or {})})


_EXAMPLE = {
    "name": "holidays",
    "timezone": "Europe/Berlin",
    "excluded": {
        "weekdays": ["SAT", "SUN"],
        "dates": ["2026-12-25", "2027-01-01"],
        "ranges": [{"from": "2027-08-02", "until": "2027-08-13"}],
    },
    "included": {"dates": ["2027-01-02"]},
}
_ICALENDAR = "\r\n".join(
    (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//example//holidays//EN",
        "BEGIN:VEVENT",
        "UID:1@example.com",
        "DTSTAMP:20261101T000000Z",
        "DTSTART;VALUE=DATE:20261225",
        "SUMMARY:Christmas",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
)
_CONTENT = {name: value for name, value in _EXAMPLE.items() if name != "name"}
_SHOWN = (Answer(description="The calendar as it is now.", model=CalendarView, headers=("ETag",)),)
_AT_ONCE = (
    f"It takes effect at once: the jobs that use it, at most {MAX_JOBS}, are armed by it before the answer. "
    "503 means that it is saved, but some of them are not armed yet; repeat the request then."
)

ROUTES = (
    Route(
        method="POST",
        path="/calendars",
        handler=create_calendar,
        summary="Create a calendar",
        tag="calendars",
        rule="calendars:write",
        body=Body(model=CalendarDefinition, examples={"holidays": _EXAMPLE}),
        answers=(
            Answer(
                description="The new calendar.", status=201, model=CalendarView, headers=("ETag", "Location")
            ),
        ),
        errors=(Conflict,),
        once=True,
    ),
    Route(
        method="GET",
        path="/calendars",
        handler=list_calendars,
        summary="List calendars by name",
        tag="calendars",
        rule="calendars:read",
        query=PageQuery,
        answers=(Answer(description="A page of calendars.", model=CalendarPage),),
    ),
    Route(
        method="GET",
        path="/calendars/{name}",
        handler=get_calendar,
        summary="Get a calendar",
        tag="calendars",
        rule="calendars:read",
        answers=_SHOWN,
    ),
    Route(
        method="PUT",
        path="/calendars/{name}",
        handler=replace_calendar,
        summary="Replace a calendar",
        tag="calendars",
        rule="calendars:write",
        description=_AT_ONCE,
        body=Body(model=CalendarReplacement, examples={"holidays": _CONTENT}),
        answers=_SHOWN,
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="PATCH",
        path="/calendars/{name}",
        handler=patch_calendar,
        summary="Change parts of a calendar",
        tag="calendars",
        rule="calendars:write",
        description=_AT_ONCE,
        body=Body(
            media_types=(MERGE_PATCH, JSON),
            description="A merge patch (RFC 7396): a list replaces the one before.",
            examples={"weekend": {"excluded": {"weekdays": ["FRI", "SAT"]}}},
        ),
        answers=_SHOWN,
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="DELETE",
        path="/calendars/{name}",
        handler=delete_calendar,
        summary="Delete a calendar",
        tag="calendars",
        rule="calendars:write",
        description="Refused with 409 while jobs use it; the answer names them.",
        answers=(Answer(description="It is gone.", status=204),),
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="POST",
        path="/calendars/{name}/import",
        handler=import_calendar,
        summary="Exclude the days of an iCalendar file",
        tag="calendars",
        rule="calendars:write",
        replayed=True,
        description="All-day events exclude their days, timed ones each day that they touch in the calendar's zone "
        "(UTC if it has none). Cancelled events do not count. Recurrences are expanded from the beginning of last year "
        "to the end of the tenth year from now: import again before then. " + _AT_ONCE,
        query=ImportQuery,
        body=Body(
            text=True,
            media_types=(ICALENDAR,),
            description="At most 256 KiB and 2,000 events.",
            examples={"a day": _ICALENDAR},
        ),
        answers=_SHOWN,
        errors=(Conflict,),
        conditional=True,
    ),
    Route(
        method="GET",
        path="/calendars/{name}/days",
        handler=list_days,
        summary="Look at a calendar's days",
        tag="calendars",
        rule="calendars:read",
        query=DaysQuery,
        answers=(Answer(description="The days, and what decides over each.", model=DayList),),
        errors=(NotFound,),
    ),
)
