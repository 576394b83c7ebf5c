"""Calendars as clients see them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.calendars import (
    WEEKDAYS,
    CalendarDefinition,
    DayCalendar,
    Reason,
    Weekday,
    date_of,
)
from chalicelib.domain.instants import rfc3339
from chalicelib.features.calendars.service import Calendar
from chalicelib.features.paging import Page


class CalendarView(CalendarDefinition):
    """A calendar."""

    model_config = ConfigDict(defer_build=True)

    revision: int = Field(description="Counts every change; it is the ETag.")
    created_at: str = Field(json_schema_extra={"format": "date-time"})
    updated_at: str = Field(json_schema_extra={"format": "date-time"})


class CalendarSummary(BaseModel):
    """A calendar without its days."""

    model_config = ConfigDict(defer_build=True)

    name: str
    description: str
    timezone: str | None
    revision: int
    updated_at: str = Field(json_schema_extra={"format": "date-time"})


class CalendarPage(Page):
    """One page of calendars, by name."""

    items: list[CalendarSummary]


class DayView(BaseModel):
    """One day under a calendar."""

    model_config = ConfigDict(defer_build=True)

    date: str = Field(json_schema_extra={"format": "date"})
    weekday: Weekday
    allowed: bool
    reason: Reason | None = Field(description="What decides; null: nothing excludes it.")


class DayList(BaseModel):
    """Days in a row."""

    model_config = ConfigDict(defer_build=True)

    items: list[DayView]


def calendar_view(calendar: Calendar) -> CalendarView:
    return CalendarView.model_construct(
        **_content(calendar),
        name=calendar.name,
        revision=calendar.revision,
        created_at=rfc3339(calendar.created_ms),
        updated_at=rfc3339(calendar.updated_ms),
    )


def calendar_summary(calendar: Calendar) -> CalendarSummary:
    return CalendarSummary.model_construct(
        name=calendar.name,
        description=calendar.content.description,
        timezone=calendar.content.timezone,
        revision=calendar.revision,
        updated_at=rfc3339(calendar.updated_ms),
    )


def day_list(days: DayCalendar, first: int, last: int) -> DayList:
    """The days from the first to the last, both included."""
    items = [
        DayView.model_construct(
            date=date_of(day).isoformat(),
            weekday=WEEKDAYS[(day + 4) % 7],
            allowed=not days.excludes(day),
            reason=days.reason(day),
        )
        for day in range(first, last + 1)
    ]
    return DayList.model_construct(items=items)


def _content(calendar: Calendar) -> dict[str, Any]:
    content = calendar.content
    return {name: getattr(content, name) for name in type(content).model_fields}
