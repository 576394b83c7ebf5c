"""How a job, or one of its schedules, refers to a named calendar."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from chalicelib.domain.model import Value

MAX_MOVED_A_DAY = 96
"""A schedule with more occurrences a day cannot be moved, only skipped."""

OnExcluded = Literal["skip", "next_allowed_day", "previous_allowed_day"]
CalendarName = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
]


class CalendarUse(Value):
    """A calendar, and what becomes of an occurrence on a day that it excludes.

    Moved occurrences keep their nominal time and their time of day, and are due on the nearest allowed day.
    """

    name: CalendarName
    on_excluded: OnExcluded = "skip"


def _from_text(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Calendar = Annotated[
    CalendarUse,
    BeforeValidator(_from_text, json_schema_input_type=str | CalendarUse),
    Field(description="A named calendar; as a bare string, excluded days are skipped."),
]
