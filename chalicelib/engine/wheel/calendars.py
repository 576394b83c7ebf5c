"""Calendars as the engine meets them: which ones a job uses, how they lie in the catalog, and their days."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol

from chalicelib.domain.calendar_use import CalendarUse
from chalicelib.domain.calendars import EVERY_DAY, CalendarContent, DayCalendar, day_calendar
from chalicelib.domain.schedule import Schedule
from chalicelib.domain.schedules import as_list
from chalicelib.engine.core import Engine
from chalicelib.ports.table import Item, Key

Calendars = Mapping[Key, DayCalendar]
"""By their keys in the catalog. One that is missing excludes nothing."""
NO_CALENDARS: Calendars = MappingProxyType({})


class Using(Protocol):
    """A job, as far as calendars go."""

    @property
    def tenant(self) -> str: ...
    @property
    def schedule(self) -> Schedule | tuple[Schedule, ...]: ...
    @property
    def calendar(self) -> CalendarUse | None: ...


def calendars_of(tenant: str) -> str:
    """The partition of the catalog that holds a tenant's calendars, by their names."""
    return f"{tenant}#calendar"


def calendar_key(tenant: str, name: str) -> Key:
    return calendars_of(tenant), name


def uses_of(tenant: str, name: str) -> str:
    """The partition of the catalog that holds the ids of the jobs that use a calendar."""
    return f"{tenant}#calendar-uses#{name}"


def effective(job: Using) -> list[tuple[Schedule, CalendarUse | None]]:
    """Each schedule with its own calendar, or the job's."""
    return [(each, each.calendar or job.calendar) for each in as_list(job.schedule)]


def calendar_names(job: Using) -> set[str]:
    """The calendars that decide over the job."""
    return {use.name for _, use in effective(job) if use is not None}


def read_calendars(engine: Engine, jobs: Iterable[Using]) -> Calendars:
    """The calendars that these jobs use, in as few calls as possible: none if they use none."""
    keys = {calendar_key(job.tenant, name) for job in jobs for name in calendar_names(job)}
    found: dict[Key, DayCalendar] = {}
    for key, item in engine.db.catalog.get_many(keys).items() if keys else ():
        try:
            found[key] = decode_days(item)
        except ValueError as error:
            engine.telemetry.warning(
                "A calendar cannot be read; it excludes nothing.", key=key, error=str(error)
            )
    return found


def decode_days(item: Item) -> DayCalendar:
    """The days of a stored calendar."""
    return _decoded(str(item["doc"]))


def days_of(calendars: Calendars, tenant: str, name: str) -> DayCalendar:
    return calendars.get(calendar_key(tenant, name), EVERY_DAY)


@lru_cache(maxsize=256)
def _decoded(doc: str) -> DayCalendar:
    return day_calendar(CalendarContent.model_validate_json(doc))
