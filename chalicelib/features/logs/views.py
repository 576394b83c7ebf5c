"""Lines as clients see them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from chalicelib.domain.instants import rfc3339
from chalicelib.ports.run_log import Level, LogLine


class LogLineView(BaseModel):
    """One line that an attempt told."""

    model_config = ConfigDict(defer_build=True)

    at: str = Field(json_schema_extra={"format": "date-time"})
    level: Level
    attempt: int = Field(description="The attempt that told it, counted from 1.")
    message: str
    fields: dict[str, Any] = Field(description="Small JSON beside the message.")


class LogPage(BaseModel):
    """Lines in the order in which they were told."""

    model_config = ConfigDict(defer_build=True)

    items: list[LogLineView]
    next_cursor: str | None = Field(
        description="Give it as `cursor` to go on from here, also for what is yet to come. null: this was the last."
    )
    complete: bool = Field(description="Whether the run is over, and nothing follows.")


def line_view(attempt: int, line: LogLine) -> LogLineView:
    return LogLineView.model_construct(
        at=rfc3339(line.at_ms),
        level=line.level,
        attempt=attempt,
        message=line.message,
        fields=line.fields,
    )
