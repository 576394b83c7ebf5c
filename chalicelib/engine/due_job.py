"""The part of a job that dispatch needs, read without validating what was validated when it was saved."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

from chalicelib.domain.job import JobStatus, Misfire
from chalicelib.domain.schedule import SCHEDULE, Schedule
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
    def schedule(self) -> Schedule: ...
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
    schedule: Schedule
    created_ms: int
    timeout_seconds: float
    precision: Literal["exact", "relaxed"]
    misfire: Misfire
    paused_ms: int | None = None
    paused_until_ms: int | None = None
    skip_from_ms: int | None = None
    skip_until_ms: int | None = None


def decode_due_job(item: Item) -> DueJob:
    """ValueError if the record is no job."""
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
            doc["timeout_seconds"],
            doc["precision"],
            _misfire(json.dumps(doc["misfire"])),
            doc.get("paused_ms"),
            doc.get("paused_until_ms"),
            doc.get("skip_from_ms"),
            doc.get("skip_until_ms"),
        )
    except KeyError as error:
        raise ValueError(f"the record has no {error}") from error


@lru_cache(maxsize=4096)
def _schedule(text: str) -> Schedule:
    return SCHEDULE.validate_json(text)


@lru_cache(maxsize=256)
def _misfire(text: str) -> Misfire:
    return Misfire.model_validate_json(text)
