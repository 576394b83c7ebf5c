"""The part of a job that dispatch needs, read without validating what was validated when it was saved."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

from pydantic import ConfigDict, TypeAdapter

from chalicelib.domain.calendar_use import CalendarUse
from chalicelib.domain.exclusions import Exclusion
from chalicelib.domain.job import JobStatus, Misfire
from chalicelib.domain.lanes import ClassOf, Lane, lane_for, ordinary
from chalicelib.domain.limits import Priority
from chalicelib.domain.schedule import Schedule
from chalicelib.domain.schedules import SCHEDULES
from chalicelib.ports.table import Item


class Scheduled(Protocol):
    """What makes timers: a Job, or the DueJob of its record."""

    @property
    def id(self) -> str: ...
    @property
    def tenant(self) -> str: ...
    @property
    def shard(self) -> int: ...
    @property
    def schedule_revision(self) -> int: ...
    @property
    def schedule(self) -> Schedule | tuple[Schedule, ...]: ...
    @property
    def exclude(self) -> tuple[Exclusion, ...]: ...
    @property
    def calendar(self) -> CalendarUse | None: ...
    @property
    def created_ms(self) -> int: ...


@dataclass(frozen=True, slots=True)
class DueJob:
    """A stored job as the dispatcher sees it; the fields mean what they mean in Job."""

    id: str
    tenant: str
    shard: int
    status: JobStatus
    schedule_revision: int
    schedule: Schedule | tuple[Schedule, ...]
    created_ms: int
    lane: Lane
    precision: Literal["exact", "relaxed"]
    misfire: Misfire
    paused_ms: int | None = None
    paused_until_ms: int | None = None
    skip_from_ms: int | None = None
    skip_until_ms: int | None = None
    exclude: tuple[Exclusion, ...] = ()
    calendar: CalendarUse | None = None
    priority: Priority = "normal"


def decode_due_job(item: Item, class_of: ClassOf = ordinary) -> DueJob:
    """`class_of` tells the lane that its type calls for. ValueError if the record is no job."""
    doc = json.loads(str(item["doc"]))
    try:
        return DueJob(
            doc["id"],
            doc["tenant"],
            doc["shard"],
            doc["status"],
            doc["schedule_revision"],
            _schedule(json.dumps(doc["schedule"])),
            doc["created_ms"],
            lane_for(class_of(doc["type"]), doc["timeout_seconds"], doc.get("priority", "normal")),
            doc["precision"],
            _misfire(json.dumps(doc["misfire"])),
            doc.get("paused_ms"),
            doc.get("paused_until_ms"),
            doc.get("skip_from_ms"),
            doc.get("skip_until_ms"),
            _exclude(json.dumps(doc["exclude"])) if doc.get("exclude") else (),
            _calendar(doc.get("calendar")),
            doc.get("priority", "normal"),
        )
    except KeyError as error:
        raise ValueError(f"the record has no {error}") from error


_EXCLUDE: TypeAdapter[tuple[Exclusion, ...]] = TypeAdapter(
    tuple[Exclusion, ...], config=ConfigDict(defer_build=True)
)


@lru_cache(maxsize=4096)
def _schedule(text: str) -> Schedule | tuple[Schedule, ...]:
    return SCHEDULES.validate_json(text)


@lru_cache(maxsize=1024)
def _exclude(text: str) -> tuple[Exclusion, ...]:
    return _EXCLUDE.validate_json(text)


def _calendar(value: Any) -> CalendarUse | None:
    return None if value is None else CalendarUse.model_validate(value)


@lru_cache(maxsize=256)
def _misfire(text: str) -> Misfire:
    return Misfire.model_validate_json(text)
