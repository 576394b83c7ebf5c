"""The schedules of one job: one, or a list of up to ten whose occurrences are put together."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Field, Tag, TypeAdapter

from chalicelib.domain.describe import words
from chalicelib.domain.schedule import Schedule
from chalicelib.domain.schedule_warnings import ScheduleWarning, warnings

MAX_SCHEDULES = 10


def _form(value: Any) -> str:
    return "several" if isinstance(value, list | tuple) else "one"


_One = Annotated[Schedule, Tag("one")]
_Several = Annotated[
    tuple[Schedule, ...],
    Field(
        min_length=1, max_length=MAX_SCHEDULES, description="An occurrence of any of them is one of the job."
    ),
    Tag("several"),
]
Schedules = Annotated[_One | _Several, Discriminator(_form)]
SCHEDULES: TypeAdapter[Schedule | tuple[Schedule, ...]] = TypeAdapter(
    Schedules, config=ConfigDict(defer_build=True)
)


def as_list(schedule: Schedule | Sequence[Schedule]) -> tuple[Schedule, ...]:
    """The schedules, however many."""
    return tuple(schedule) if isinstance(schedule, Sequence) else (schedule,)


def words_of(schedule: Schedule | Sequence[Schedule], *, job_id: str = "") -> str:
    """All of them in one sentence without a full stop."""
    return "; and ".join(words(each, job_id=job_id) for each in as_list(schedule))


def warnings_of(
    schedule: Schedule | Sequence[Schedule], *, now_ms: int, job_id: str = "", created_ms: int | None = None
) -> list[ScheduleWarning]:
    """What applies to each; in a list, each message says to which."""
    if not isinstance(schedule, Sequence):
        return warnings(schedule, now_ms=now_ms, job_id=job_id, created_ms=created_ms)
    return [
        ScheduleWarning(found.code, f"Schedule {place}: {found.message}")
        for place, each in enumerate(schedule, start=1)
        for found in warnings(each, now_ms=now_ms, job_id=job_id, created_ms=created_ms)
    ]
